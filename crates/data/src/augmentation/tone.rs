//! Brightness: black and white, faint, uneven, noisy.

use super::{Augmentation, half, limits};
use crate::ImageShape;
use crate::random::Random;

/// What becomes of each value, and by how much it fades across the image.
pub(super) struct Tone {
    /// Threshold and width of the soft edge, as fractions of the brightest value.
    binarized: Option<[f64; 2]>,
    /// What is left of the brightness, in 1/256.
    contrast: u32,
    /// The brightness at the first pixel and its change to the right and down, in 1/65536.
    shade: Option<[i32; 3]>,
}

impl Tone {
    pub(super) fn draw(of: &Augmentation, shape: ImageShape, random: &mut Random) -> Self {
        let binarize = of.binarize.clamp(0.0, limits::SHARE);
        let [chosen, threshold, soft] = [(); 3].map(|()| random.unit());
        let lost = half(of.contrast.clamp(0.0, limits::BRIGHTNESS), random);
        let shade = half(of.shade.clamp(0.0, limits::BRIGHTNESS), random);
        let [right, down] = [(); 2].map(|()| random.symmetric());
        let shaded = || {
            // The full loss from the brightest corner, where nothing is lost, to the darkest.
            let scale = shade / (right.abs() + down.abs()).max(1e-9);
            let [right, down] = [right * scale, down * scale];
            let start = 1.0 - right.max(0.0) - down.max(0.0);
            let per = |change: f64, side: usize| fixed(change / side as f64);
            [
                fixed(start),
                per(right, shape.width),
                per(down, shape.height),
            ]
        };
        Self {
            binarized: (chosen < binarize).then_some([0.3 + 0.4 * threshold, 0.5 * soft]),
            contrast: ((1.0 - lost) * 256.0).round() as u32,
            shade: (shade > 0.0).then(shaded),
        }
    }

    pub(super) fn apply(&self, plane: &mut [u8], width: usize) {
        if self.binarized.is_some() || self.contrast != 256 {
            let table = self.table(plane.iter().copied().max().unwrap_or(0));
            for pixel in &mut *plane {
                *pixel = table[usize::from(*pixel)];
            }
        }
        let Some([start, right, down]) = self.shade else {
            return;
        };
        for (line, row) in (0..).zip(plane.chunks_exact_mut(width)) {
            let mut bright = start + line * down;
            for pixel in row {
                *pixel = ((i32::from(*pixel) * (bright >> 8)) >> 8).clamp(0, 255) as u8;
                bright += right;
            }
        }
    }

    /// What becomes of each value where the brightest is `top`.
    fn table(&self, top: u8) -> [u8; 256] {
        let mut table: [u8; 256] = std::array::from_fn(|value| value as u8);
        if let Some([threshold, soft]) = self.binarized {
            let top = f64::from(top);
            let gain = 1.0 / soft.max(1.0 / 256.0);
            for (value, out) in table.iter_mut().enumerate() {
                let above = (value as f64 / top.max(1.0) - threshold) * gain + 0.5;
                *out = (above.clamp(0.0, 1.0) * top).round() as u8;
            }
        }
        table.map(|value| ((u32::from(value) * self.contrast) >> 8) as u8)
    }
}

/// A change of each pixel by itself.
pub(super) struct Noise {
    /// The greatest, in 1/256 of a pixel's steps.
    greatest: i32,
    random: Random,
}

impl Noise {
    pub(super) fn draw(greatest: f64, mut random: Random) -> Self {
        let amount = half(greatest.clamp(0.0, limits::HALF), &mut random);
        Self {
            greatest: (amount * 255.0 * 256.0 / 128.0) as i32,
            random,
        }
    }

    pub(super) fn apply(&mut self, plane: &mut [u8]) {
        if self.greatest == 0 {
            return;
        }
        for pixels in plane.chunks_mut(8) {
            let draws = self.random.next_u64().to_le_bytes();
            for (pixel, draw) in pixels.iter_mut().zip(draws) {
                let change = ((i32::from(draw) - 128) * self.greatest) >> 8;
                *pixel = (i32::from(*pixel) + change).clamp(0, 255) as u8;
            }
        }
    }
}

fn fixed(value: f64) -> i32 {
    (value * 65536.0).round() as i32
}
