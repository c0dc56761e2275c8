//! Affine maps and smooth displacements: each pixel of the result shows one point of the image.

use std::ops::Range;

use super::cells::{Cells, ONE, fixed};
use super::{Augmentation, limits};
use crate::ImageShape;
use crate::random::Random;

/// Cells of the grid, in each direction, at whose corners displacements are drawn.
const GRID: usize = 4;

/// Where each pixel of a result comes from.
pub(super) struct Warp {
    shape: ImageShape,
    map: InverseMap,
    /// Rows and columns of the image that it comes from.
    from: [usize; 2],
    /// The displacement at each corner of the grid, row by row, in 1/65536 of a pixel; none for an
    /// affine map.
    elastic: Option<[[[i32; 2]; GRID + 1]; GRID + 1]>,
}

impl Warp {
    /// Draws rotation, shear, zoom and shift from the first stream, the stretch from the second,
    /// displacements from the third.
    pub(super) fn draw(
        of: &Augmentation,
        shape: ImageShape,
        [mut affine, mut stretch, mut elastic]: [Random; 3],
    ) -> Self {
        let greatest = of.elastic.clamp(0.0, limits::ELASTIC) * shape.width as f64;
        let elastic = (greatest > 0.0).then(|| {
            // Small ones are as frequent as great ones.
            let greatest = greatest * elastic.unit();
            [[(); GRID + 1]; GRID + 1]
                .map(|row| row.map(|()| [(); 2].map(|()| fixed(greatest * elastic.symmetric()))))
        });
        Self {
            shape,
            map: InverseMap::draw(of, shape, &mut affine, &mut stretch),
            from: [shape.height, shape.width],
            elastic,
        }
    }

    /// The same result from an image with fewer rows and columns of the same whole.
    pub(super) fn from(mut self, size: [usize; 2]) -> Self {
        let [rows, columns] = size;
        let [by_x, by_y] = [(columns, self.from[1]), (rows, self.from[0])];
        let scaled = |value: i32, (part, whole): (usize, usize)| {
            (i64::from(value) * part as i64 / whole as i64) as i32
        };
        if size == self.from {
            return self;
        }
        // A pixel's middle is half a pixel from its corner.
        let placed = |value: i32, by| scaled(value + ONE / 2, by) - ONE / 2;
        let vector = |[x, y]: [i32; 2]| [scaled(x, by_x), scaled(y, by_y)];
        self.map = InverseMap {
            x: placed(self.map.x, by_x),
            y: placed(self.map.y, by_y),
            right: vector(self.map.right),
            down: vector(self.map.down),
        };
        self.elastic = self.elastic.map(|grid| grid.map(|row| row.map(vector)));
        self.from = size;
        self
    }

    /// Draws one channel, `[height, width]`, of one of the rows and columns that it comes from.
    pub(super) fn resample(&self, image: &[u8], out: &mut [u8]) {
        match &self.elastic {
            None => self.map.resample(self.shape, self.from, image, out),
            Some(grid) => self
                .map
                .resample_displaced(self.shape, self.from, grid, image, out),
        }
    }
}

/// From a pixel of the result to the point of the image that it shows, in 1/65536 of a pixel.
///
/// Whole numbers from here on: the last bit of a sine, which may differ between systems, almost
/// never survives the rounding.
struct InverseMap {
    /// Where the first pixel of the result comes from.
    x: i32,
    y: i32,
    /// The change of (x, y) one pixel to the right.
    right: [i32; 2],
    /// The change of (x, y) one row down.
    down: [i32; 2],
}

impl InverseMap {
    fn draw(
        of: &Augmentation,
        shape: ImageShape,
        random: &mut Random,
        stretch: &mut Random,
    ) -> Self {
        let ImageShape { height, width, .. } = shape;
        let mut amount = |value: f64, limit: f64| value.clamp(0.0, limit) * random.symmetric();
        let (sin, cos) = amount(of.rotation, limits::ROTATION).to_radians().sin_cos();
        let shear = amount(of.shear, limits::SHEAR).to_radians().tan();
        let zoom = 1.0 / (1.0 + amount(of.zoom, limits::ZOOM));
        let shift_x = amount(of.shift, limits::SHIFT) * width as f64;
        let shift_y = amount(of.shift, limits::SHIFT) * height as f64;
        let stretch = 1.0 + of.stretch.clamp(0.0, limits::ZOOM) * stretch.symmetric();
        let (narrow, high) = (1.0 / stretch.sqrt(), stretch.sqrt());
        // Out = zoom · rotation · shear · stretch · in + shift about the centre; this is its inverse.
        let (xx, xy) = (
            zoom * narrow * (cos + shear * sin),
            zoom * narrow * (sin - shear * cos),
        );
        let (yx, yy) = (-zoom * high * sin, zoom * high * cos);
        let centre_x = (width - 1) as f64 / 2.0;
        let centre_y = (height - 1) as f64 / 2.0;
        let (left, top) = (-centre_x - shift_x, -centre_y - shift_y);
        InverseMap {
            x: fixed(centre_x + xx * left + xy * top),
            y: fixed(centre_y + yx * left + yy * top),
            right: [fixed(xx), fixed(yx)],
            down: [fixed(xy), fixed(yy)],
        }
    }

    /// The same with displacements added, bilinear between the corners of a grid over the result.
    fn resample_displaced(
        &self,
        shape: ImageShape,
        from: [usize; 2],
        grid: &[[[i32; 2]; GRID + 1]; GRID + 1],
        image: &[u8],
        out: &mut [u8],
    ) {
        let ImageShape { height, width, .. } = shape;
        let cells = Cells::new(image, from[1]);
        let [last_y, last_x] = from.map(|side| side as i32 * ONE - 1);
        for (line, row) in out.chunks_exact_mut(width).enumerate() {
            // The grid's line at this height, and what it changes by from pixel to pixel.
            let (above, below) = between_lines(line, height);
            let corners: [[i32; 2]; GRID + 1] = std::array::from_fn(|corner| {
                [0, 1].map(|axis| {
                    let (from, to) = (grid[above][corner][axis], grid[above + 1][corner][axis]);
                    from + ((i64::from(to - from) * below) >> 16) as i32
                })
            });
            let at = line as i32;
            let (x, y) = (self.x + at * self.down[0], self.y + at * self.down[1]);
            for cell in 0..GRID {
                let [start, end] = [cell, cell + 1].map(|cell| cell * width / GRID);
                let steps = (end - start).max(1) as i32;
                let [dx, dy] = [0, 1].map(|axis| {
                    self.right[axis] + (corners[cell + 1][axis] - corners[cell][axis]) / steps
                });
                let mut x = x + start as i32 * self.right[0] + corners[cell][0];
                let mut y = y + start as i32 * self.right[1] + corners[cell][1];
                for pixel in &mut row[start..end] {
                    *pixel = cells.sample(x.clamp(-ONE, last_x), y.clamp(-ONE, last_y));
                    x += dx;
                    y += dy;
                }
            }
        }
    }

    /// Draws one channel, `[height, width]`, of one of as many rows and columns as `from` says.
    fn resample(&self, shape: ImageShape, from: [usize; 2], image: &[u8], out: &mut [u8]) {
        let width = shape.width;
        out.fill(0);
        let Some([columns, rows]) = drawn(image, from[0], from[1]) else {
            return;
        };
        let cells = Cells::new(image, from[1]);
        let [right, down] = [self.right, self.down];
        for (line, row) in (0..).zip(out.chunks_exact_mut(width)) {
            let (x, y) = (self.x + line * down[0], self.y + line * down[1]);
            let by_x = steps_within(x, right[0], &columns, width);
            let by_y = steps_within(y, right[1], &rows, width);
            let start = by_x.start.max(by_y.start);
            let end = by_x.end.min(by_y.end);
            let (mut x, mut y) = (x + start as i32 * right[0], y + start as i32 * right[1]);
            for pixel in row.get_mut(start..end).unwrap_or_default() {
                *pixel = cells.sample(x, y);
                x += right[0];
                y += right[1];
            }
        }
    }
}

/// Between which lines of the grid a row lies, and where, in 1/65536 of their distance.
fn between_lines(row: usize, height: usize) -> (usize, i64) {
    let at = ((row * GRID) << 16) / height;
    (at >> 16, (at & 0xffff) as i64)
}

/// The columns and the rows, in 1/65536 of a pixel, between which a point can show anything but 0;
/// nothing for a black image.
fn drawn(image: &[u8], height: usize, width: usize) -> Option<[Range<i32>; 2]> {
    let mut columns = [0; ImageShape::MAX_SIDE];
    let mut rows = [0; ImageShape::MAX_SIDE];
    for (row, pixels) in rows.iter_mut().zip(image.chunks_exact(width)) {
        for (column, pixel) in columns.iter_mut().zip(pixels) {
            *column |= pixel;
            *row |= pixel;
        }
    }
    let reach = |inked: &[u8]| {
        let first = inked.iter().position(|&any| any > 0)? as i32;
        let last = inked.iter().rposition(|&any| any > 0)? as i32;
        Some((first - 1) * ONE..(last + 1) * ONE)
    };
    Some([reach(&columns[..width])?, reach(&rows[..height])?])
}

/// The steps of a row, from 0 to `width`, after which `start + step * change` lies in `range`.
fn steps_within(start: i32, change: i32, range: &Range<i32>, width: usize) -> Range<usize> {
    // The first step at or above `bound`, on the way up.
    let reaching = |start: i32, change: i32, bound: i32| {
        let steps = (bound - start + change - 1).div_euclid(change);
        steps.clamp(0, width as i32) as usize
    };
    match change {
        0 if range.contains(&start) => 0..width,
        0 => 0..0,
        1.. => reaching(start, change, range.start)..reaching(start, change, range.end),
        // Mirrored, which turns an end that does not count into a start that does not.
        _ => reaching(-start, -change, 1 - range.end)..reaching(-start, -change, 1 - range.start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape {
        channels: 1,
        height: 20,
        width: 31,
    };

    /// What `resample` computes, without its way of passing over what is black.
    fn point_by_point(map: &InverseMap, image: &[u8]) -> Vec<u8> {
        let (height, width) = (SHAPE.height as i32, SHAPE.width as i32);
        let cells = Cells::new(image, SHAPE.width);
        let value = |at: i32| {
            let (column, line) = (at % width, at / width);
            let x = map.x + column * map.right[0] + line * map.down[0];
            let y = map.y + column * map.right[1] + line * map.down[1];
            let inside = (-ONE..width * ONE).contains(&x) && (-ONE..height * ONE).contains(&y);
            if inside { cells.sample(x, y) } else { 0 }
        };
        (0..height * width).map(value).collect()
    }

    #[test]
    fn passing_over_what_is_black_changes_nothing() {
        let all = Augmentation {
            rotation: 180.0,
            shift: 0.5,
            zoom: 0.9,
            shear: 60.0,
            ..Default::default()
        };
        for index in 0..3000_u64 {
            let mut random = Random::keyed(&[index]);
            // A box of noise, from empty to the whole image.
            let [left, right] = [(); 2].map(|()| random.below(32) as usize);
            let [top, bottom] = [(); 2].map(|()| random.below(21) as usize);
            let image: Vec<u8> = (0..SHAPE.len())
                .map(|at| {
                    let inside = (left..right).contains(&(at % SHAPE.width))
                        && (top..bottom).contains(&(at / SHAPE.width));
                    if inside { random.next_u64() as u8 } else { 0 }
                })
                .collect();
            let map = match index % 3 {
                0 => InverseMap::draw(&all, SHAPE, &mut random.clone(), &mut random),
                1 => {
                    let shift = Augmentation {
                        shift: 0.5,
                        ..Default::default()
                    };
                    InverseMap::draw(&shift, SHAPE, &mut random.clone(), &mut random)
                }
                _ => InverseMap::draw(&Augmentation::NONE, SHAPE, &mut random.clone(), &mut random),
            };
            let mut out = vec![1; SHAPE.len()];
            map.resample(SHAPE, [SHAPE.height, SHAPE.width], &image, &mut out);
            assert_eq!(out, point_by_point(&map, &image), "image {index}");
        }
    }
}
