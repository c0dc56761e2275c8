use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::random::{Purpose, Random};
use crate::{DataError, HEIGHT, PIXELS, WIDTH};

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

    /// Writes `image` (`[28, 28]`), bent by the amounts drawn for (`seed`, `epoch`, `index`), to `out`
    /// (`[28, 28]`). Amounts outside their range count as its nearest end.
    ///
    /// # Panics
    ///
    /// If `image` or `out` has not 784 bytes.
    pub fn apply(&self, image: &[u8], seed: u64, epoch: usize, index: usize, out: &mut [u8]) {
        assert_eq!((image.len(), out.len()), (PIXELS, PIXELS));
        let key = [
            Purpose::Augmentation as u64,
            seed,
            epoch as u64,
            index as u64,
        ];
        self.draw(&mut Random::keyed(&key)).resample(image, out);
    }

    fn draw(&self, random: &mut Random) -> InverseMap {
        let mut amount = |value: f64, limit: f64| value.clamp(0.0, limit) * random.symmetric();
        let (sin, cos) = amount(self.rotation, MAX_ROTATION).to_radians().sin_cos();
        let shear = amount(self.shear, MAX_SHEAR).to_radians().tan();
        let zoom = 1.0 / (1.0 + amount(self.zoom, MAX_ZOOM));
        let shift_x = amount(self.shift, MAX_SHIFT) * WIDTH as f64;
        let shift_y = amount(self.shift, MAX_SHIFT) * HEIGHT as f64;
        // Out = zoom · rotation · shear · in + shift about the centre; this is its inverse.
        let (xx, xy) = (zoom * (cos + shear * sin), zoom * (sin - shear * cos));
        let (yx, yy) = (-zoom * sin, zoom * cos);
        let centre_x = (WIDTH - 1) as f64 / 2.0;
        let centre_y = (HEIGHT - 1) as f64 / 2.0;
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
    fn resample(&self, image: &[u8], out: &mut [u8]) {
        out.fill(0);
        let Some([columns, rows]) = ink(image) else {
            return;
        };
        let cells = bordered(image);
        let [right, down] = [self.right, self.down];
        for (line, row) in (0..).zip(out.chunks_exact_mut(WIDTH)) {
            let (x, y) = (self.x + line * down[0], self.y + line * down[1]);
            let by_x = steps_within(x, right[0], &columns);
            let by_y = steps_within(y, right[1], &rows);
            let start = by_x.start.max(by_y.start);
            let end = by_x.end.min(by_y.end);
            let (mut x, mut y) = (x + start as i32 * right[0], y + start as i32 * right[1]);
            for pixel in row.get_mut(start..end).unwrap_or_default() {
                *pixel = sample(&cells, x, y);
                x += right[0];
                y += right[1];
            }
        }
    }
}

/// The columns and the rows, in 1/65536 of a pixel, between which a point can show anything but 0;
/// nothing for a black image.
fn ink(image: &[u8]) -> Option<[Range<i32>; 2]> {
    let mut columns = [0; WIDTH];
    let mut rows = [0; HEIGHT];
    for (row, pixels) in rows.iter_mut().zip(image.chunks_exact(WIDTH)) {
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
    Some([reach(&columns)?, reach(&rows)?])
}

/// The steps of a row, from 0 to 28, after which `start + step * change` lies in `range`.
fn steps_within(start: i32, change: i32, range: &Range<i32>) -> Range<usize> {
    // The first step at or above `bound`, on the way up.
    let reaching = |start: i32, change: i32, bound: i32| {
        let steps = (bound - start + change - 1).div_euclid(change);
        steps.clamp(0, WIDTH as i32) as usize
    };
    match change {
        0 if range.contains(&start) => 0..WIDTH,
        0 => 0..0,
        1.. => reaching(start, change, range.start)..reaching(start, change, range.end),
        // Mirrored, which turns an end that does not count into a start that does not.
        _ => reaching(-start, -change, 1 - range.end)..reaching(-start, -change, 1 - range.start),
    }
}

/// Cells per row of the bordered image: a power of two above 28 and a border on each side.
const STRIDE: usize = 32;
const CELLS: usize = STRIDE * STRIDE;

/// The image with a border of zeros. A cell holds a pixel and, 16 bits higher, its right neighbour,
/// so that one multiplication weighs both.
fn bordered(image: &[u8]) -> [u32; CELLS + STRIDE] {
    let mut cells = [0; CELLS + STRIDE];
    let lines = cells.chunks_exact_mut(STRIDE).skip(1);
    for (row, line) in image.chunks_exact(WIDTH).zip(lines) {
        let mut left = 0;
        for (cell, &pixel) in line.iter_mut().zip(row) {
            *cell = left | u32::from(pixel) << 16;
            left = u32::from(pixel);
        }
        line[WIDTH] = left;
    }
    cells
}

/// The image at (`x`, `y`), from -1 to below 28, in 1/65536 of a pixel; the weights of the
/// neighbours have 8 bits.
fn sample(cells: &[u32; CELLS + STRIDE], x: i32, y: i32) -> u8 {
    let (x, y) = ((x + ONE) as u32, (y + ONE) as u32);
    let cell = ((y >> 16) as usize * STRIDE + (x >> 16) as usize) & (CELLS - 1);
    let (right, below) = (x >> 8 & 0xff, y >> 8 & 0xff);
    let pair = between(cells[cell], cells[cell + STRIDE], below);
    (between(pair & 0xffff, pair >> 16, right).wrapping_add(0x8000) >> 16) as u8
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

    /// What `resample` computes, without its way of passing over what is black.
    fn point_by_point(map: &InverseMap, image: &[u8]) -> Vec<u8> {
        let cells = bordered(image);
        let value = |at: usize| {
            let (column, line) = ((at % WIDTH) as i32, (at / WIDTH) as i32);
            let x = map.x + column * map.right[0] + line * map.down[0];
            let y = map.y + column * map.right[1] + line * map.down[1];
            let inside =
                (-ONE..WIDTH as i32 * ONE).contains(&x) && (-ONE..HEIGHT as i32 * ONE).contains(&y);
            if inside { sample(&cells, x, y) } else { 0 }
        };
        (0..PIXELS).map(value).collect()
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
            let [left, right, top, bottom] = [(); 4].map(|()| random.below(29) as usize);
            let image: Vec<u8> = (0..PIXELS)
                .map(|at| {
                    let inside = (left..right).contains(&(at % WIDTH))
                        && (top..bottom).contains(&(at / WIDTH));
                    if inside { random.next_u64() as u8 } else { 0 }
                })
                .collect();
            let map = match index % 3 {
                0 => all.draw(&mut random),
                1 => Augmentation {
                    shift: 0.5,
                    ..Default::default()
                }
                .draw(&mut random),
                _ => Augmentation::default().draw(&mut random),
            };
            let mut out = vec![1; PIXELS];
            map.resample(&image, &mut out);
            assert_eq!(out, point_by_point(&map, &image), "image {index}");
        }
    }
}
