use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::random::{Purpose, Random};
use crate::{DataError, ImageShape};

/// How far an image may be bent, each amount drawn evenly from ± the value given here.
///
/// Rotation, shear and zoom about the centre, then the shift, are one affine map, sampled once with
/// bilinear interpolation; what comes from outside the image is 0. The default is no change.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Degrees, 0 to 180.
    pub rotation: f64,
    /// Fraction of the width, 0 to 1; drawn for each direction by itself.
    pub shift: f64,
    /// Fraction of the size, 0 to 0.9: 0.1 draws a size of 0.9 to 1.1.
    pub zoom: f64,
    /// Degrees by which upright lines lean, 0 to 60.
    pub shear: f64,
}

impl Augmentation {
    /// Checks each amount against its range.
    ///
    /// # Errors
    ///
    /// [`DataError::Augmentation`] names the first that lies outside, or is not a number.
    pub fn validate(&self) -> Result<(), DataError> {
        for (name, value, limit) in [
            ("rotation", self.rotation, MAX_ROTATION),
            ("shift", self.shift, MAX_SHIFT),
            ("zoom", self.zoom, MAX_ZOOM),
            ("shear", self.shear, MAX_SHEAR),
        ] {
            if !(0.0..=limit).contains(&value) {
                return Err(DataError::Augmentation { name, value, limit });
            }
        }
        Ok(())
    }

    /// Whether nothing is changed.
    pub fn is_identity(&self) -> bool {
        *self == Self::default()
    }

    /// Writes `image` (`[channels, height, width]`), bent by the amounts drawn for (`seed`, `epoch`,
    /// `index`), to `out`; all channels alike. Amounts outside their range count as its nearest end.
    ///
    /// # Panics
    ///
    /// If `image` or `out` has not the bytes of the shape.
    pub fn apply(
        &self,
        shape: ImageShape,
        image: &[u8],
        seed: u64,
        epoch: usize,
        index: usize,
        out: &mut [u8],
    ) {
        assert_eq!((image.len(), out.len()), (shape.len(), shape.len()));
        let key = [
            Purpose::Augmentation as u64,
            seed,
            epoch as u64,
            index as u64,
        ];
        let map = self.draw(shape, &mut Random::keyed(&key));
        let planes = image.chunks_exact(shape.plane());
        for (plane, out) in planes.zip(out.chunks_exact_mut(shape.plane())) {
            map.resample(shape, plane, out);
        }
    }

    fn draw(&self, shape: ImageShape, random: &mut Random) -> InverseMap {
        let ImageShape { height, width, .. } = shape;
        let mut amount = |value: f64, limit: f64| value.clamp(0.0, limit) * random.symmetric();
        let (sin, cos) = amount(self.rotation, MAX_ROTATION).to_radians().sin_cos();
        let shear = amount(self.shear, MAX_SHEAR).to_radians().tan();
        let zoom = 1.0 / (1.0 + amount(self.zoom, MAX_ZOOM));
        let shift_x = amount(self.shift, MAX_SHIFT) * width as f64;
        let shift_y = amount(self.shift, MAX_SHIFT) * height as f64;
        // Out = zoom · rotation · shear · in + shift about the centre; this is its inverse.
        let (xx, xy) = (zoom * (cos + shear * sin), zoom * (sin - shear * cos));
        let (yx, yy) = (-zoom * sin, zoom * cos);
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
}

const MAX_ROTATION: f64 = 180.0;
const MAX_SHIFT: f64 = 1.0;
const MAX_ZOOM: f64 = 0.9;
const MAX_SHEAR: f64 = 60.0;

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
    /// Draws one channel, `[height, width]`.
    fn resample(&self, shape: ImageShape, image: &[u8], out: &mut [u8]) {
        let ImageShape { height, width, .. } = shape;
        out.fill(0);
        let Some([columns, rows]) = drawn(image, height, width) else {
            return;
        };
        let cells = Cells::new(image, width);
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

/// A channel with a border of zeros. A cell holds a pixel and, 16 bits higher, its right neighbour, so
/// that one multiplication weighs both.
struct Cells {
    cells: Vec<u32>,
    stride: usize,
}

impl Cells {
    fn new(image: &[u8], width: usize) -> Self {
        let stride = width + 2;
        let mut cells = vec![0; (image.len() / width + 2) * stride];
        let lines = cells.chunks_exact_mut(stride).skip(1);
        for (row, line) in image.chunks_exact(width).zip(lines) {
            let mut left = 0;
            for (cell, &pixel) in line.iter_mut().zip(row) {
                *cell = left | u32::from(pixel) << 16;
                left = u32::from(pixel);
            }
            line[width] = left;
        }
        Self { cells, stride }
    }

    /// The image at (`x`, `y`), from -1 to below its width and height, in 1/65536 of a pixel; the
    /// weights of the neighbours have 8 bits.
    #[inline]
    fn sample(&self, x: i32, y: i32) -> u8 {
        let (x, y) = ((x + ONE) as u32, (y + ONE) as u32);
        let cell = (y >> 16) as usize * self.stride + (x >> 16) as usize;
        let (right, below) = (x >> 8 & 0xff, y >> 8 & 0xff);
        let pair = between(self.cells[cell], self.cells[cell + self.stride], below);
        (between(pair & 0xffff, pair >> 16, right).wrapping_add(0x8000) >> 16) as u8
    }
}

/// `from * (256 - weight) + to * weight`, by one multiplication: what wraps around on the way comes
/// back.
fn between(from: u32, to: u32, weight: u32) -> u32 {
    (from << 8).wrapping_add(to.wrapping_sub(from).wrapping_mul(weight))
}

const ONE: i32 = 1 << 16;

fn fixed(value: f64) -> i32 {
    (value * f64::from(ONE)).round() as i32
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
                0 => all.draw(SHAPE, &mut random),
                1 => Augmentation {
                    shift: 0.5,
                    ..Default::default()
                }
                .draw(SHAPE, &mut random),
                _ => Augmentation::default().draw(SHAPE, &mut random),
            };
            let mut out = vec![1; SHAPE.len()];
            map.resample(SHAPE, &image, &mut out);
            assert_eq!(out, point_by_point(&map, &image), "image {index}");
        }
    }
}
