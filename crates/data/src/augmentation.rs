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
    pub rotation: f32,
    /// Fraction of the width, 0 to 1; drawn for each direction by itself.
    pub shift: f32,
    /// Fraction of the size, 0 to 0.9: 0.1 draws a size of 0.9 to 1.1.
    pub zoom: f32,
    /// Degrees by which upright lines lean, 0 to 60.
    pub shear: f32,
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
        let mut amount =
            |value: f32, limit: f32| f64::from(value.clamp(0.0, limit)) * random.symmetric();
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

const MAX_ROTATION: f32 = 180.0;
const MAX_SHIFT: f32 = 1.0;
const MAX_ZOOM: f32 = 0.9;
const MAX_SHEAR: f32 = 60.0;

/// From a pixel of the result to the point of the image that it shows, in 1/65536 of a pixel.
///
/// Whole numbers from here on: the last bit of a sine, which differs between systems, is rounded
/// away, and the same seed gives the same image everywhere.
struct InverseMap {
    /// Where the first pixel of the result comes from.
    x: i32,
    y: i32,
    /// The change of (x, y) one pixel to the right.
    right: [i32; 2],
    /// The change of (x, y) one row down.
    down: [i32; 2],
}

/// Cells per row of the bordered image: a power of two above 28 and a border on each side.
const STRIDE: usize = 32;
const CELLS: usize = STRIDE * STRIDE;

impl InverseMap {
    fn resample(&self, image: &[u8], out: &mut [u8]) {
        let cells = bordered(image);
        let (mut row_x, mut row_y) = (self.x, self.y);
        for row in out.chunks_exact_mut(WIDTH) {
            let (mut x, mut y) = (row_x, row_y);
            for pixel in row {
                *pixel = sample(&cells, x, y);
                x += self.right[0];
                y += self.right[1];
            }
            row_x += self.down[0];
            row_y += self.down[1];
        }
    }
}

/// The image with a border of zeros. A cell holds a pixel and, 16 bits higher, its right neighbour,
/// so that one multiplication weighs both.
fn bordered(image: &[u8]) -> [u32; CELLS + STRIDE] {
    let mut cells = [0; CELLS + STRIDE];
    for (row, line) in image
        .chunks_exact(WIDTH)
        .zip(cells.chunks_exact_mut(STRIDE).skip(1))
    {
        let mut left = 0;
        for (cell, &pixel) in line.iter_mut().zip(row) {
            *cell = left | u32::from(pixel) << 16;
            left = u32::from(pixel);
        }
        line[WIDTH] = left;
    }
    cells
}

/// The image at (`x`, `y`) in 1/65536 of a pixel; the weights of the neighbours have 8 bits.
fn sample(cells: &[u32; CELLS + STRIDE], x: i32, y: i32) -> u8 {
    // A point beyond the border shows the border.
    let x = (x.clamp(-ONE, WIDTH as i32 * ONE) + ONE) as u32;
    let y = (y.clamp(-ONE, HEIGHT as i32 * ONE) + ONE) as u32;
    let cell = ((y >> 16) as usize * STRIDE + (x >> 16) as usize) & (CELLS - 1);
    let (right, below) = (x >> 8 & 0xff, y >> 8 & 0xff);
    let pair = cells[cell] * (256 - below) + cells[cell + STRIDE] * below;
    let (left_value, right_value) = (pair & 0xffff, pair >> 16);
    ((left_value * (256 - right) + right_value * right + 0x8000) >> 16) as u8
}

const ONE: i32 = 1 << 16;

fn fixed(value: f64) -> i32 {
    (value * f64::from(ONE)).round() as i32
}
