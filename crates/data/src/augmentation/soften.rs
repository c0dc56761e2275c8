//! Loss of resolution, and blur.

use super::{half, limits};
use crate::random::Random;

/// The mean of each cell of a coarser grid over the image.
pub(super) struct Coarse {
    /// Rows and columns of the grid.
    pub(super) size: [usize; 2],
    full: [usize; 2],
}

impl Coarse {
    pub(super) fn draw(greatest: f64, full: [usize; 2], random: &mut Random) -> Self {
        let left = 1.0 - half(greatest.clamp(0.0, limits::RESOLUTION), random);
        let size = full.map(|side| ((side as f64 * left).round() as usize).max(1));
        Self { size, full }
    }

    pub(super) fn is_full(&self) -> bool {
        self.size == self.full
    }

    /// Writes the means, `[rows, columns]`, of `[height, width]` to `out`.
    pub(super) fn shrink(&self, plane: &[u8], out: &mut Vec<u8>) {
        let ([rows, columns], [height, width]) = (self.size, self.full);
        let cells: Vec<Vec<(usize, u32)>> = (0..columns)
            .map(|column| cell(column, columns, width).collect())
            .collect();
        out.clear();
        let mut sums = vec![0; width];
        for row in 0..rows {
            sums.fill(0);
            for (line, weight) in cell(row, rows, height) {
                add(&mut sums, &plane[line * width..], weight);
            }
            out.extend(cells.iter().map(|cell| {
                let weighted = |&(at, weight): &(usize, u32)| weight * (sums[at] >> 8);
                let sum: u32 = cell.iter().map(weighted).sum();
                ((sum + 0x80) >> 8).min(255) as u8
            }));
        }
    }
}

/// Which of `fine` pixels lie in a cell of `coarse`, and how much of the cell each is, in 1/256 as near
/// as whole numbers come.
fn cell(index: usize, coarse: usize, fine: usize) -> impl Iterator<Item = (usize, u32)> {
    // In units of which a pixel has `coarse` and a cell `fine`.
    let (start, end) = (index * fine, (index + 1) * fine);
    (start / coarse..end.div_ceil(coarse)).map(move |at| {
        let share = end.min((at + 1) * coarse) - start.max(at * coarse);
        (at, ((256 * share + fine / 2) / fine) as u32)
    })
}

/// Weights of a pixel and of those at growing distance to each side, in 1/256; none without blur.
pub(super) struct Blur(Vec<u32>);

impl Blur {
    pub(super) fn draw(greatest: f64, random: &mut Random) -> Self {
        Self(gaussian(half(greatest.clamp(0.0, limits::BLUR), random)))
    }

    /// Works on `[height, width]` in place; there is no ink beyond its border.
    pub(super) fn apply(&self, plane: &mut [u8], width: usize, spare: &mut Vec<u8>) {
        let Some((own, sides)) = self.0.split_first() else {
            return;
        };
        let mut sums = vec![0; width];
        for row in plane.chunks_exact_mut(width) {
            weigh(&mut sums, row, *own);
            for (distance, weight) in (1..width).zip(sides) {
                add(&mut sums[distance..], row, *weight);
                add(&mut sums, &row[distance..], *weight);
            }
            round(&sums, row);
        }
        spare.clear();
        spare.extend_from_slice(plane);
        for (line, out) in plane.chunks_exact_mut(width).enumerate() {
            weigh(&mut sums, &spare[line * width..], *own);
            for (distance, weight) in (1..).zip(sides) {
                let lines = [line.checked_sub(distance), Some(line + distance)];
                for line in lines.into_iter().flatten() {
                    let row = spare.get(line * width..).unwrap_or_default();
                    add(&mut sums, row, *weight);
                }
            }
            round(&sums, out);
        }
    }
}

fn weigh(sums: &mut [u32], pixels: &[u8], weight: u32) {
    for (sum, &pixel) in sums.iter_mut().zip(pixels) {
        *sum = 128 + weight * u32::from(pixel);
    }
}

fn add(sums: &mut [u32], pixels: &[u8], weight: u32) {
    for (sum, &pixel) in sums.iter_mut().zip(pixels) {
        *sum += weight * u32::from(pixel);
    }
}

fn round(sums: &[u32], out: &mut [u8]) {
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = (sum >> 8) as u8;
    }
}

/// Half of a Gaussian of this standard deviation in pixels; narrower than a fifth of a pixel it is
/// nothing.
fn gaussian(deviation: f64) -> Vec<u32> {
    if deviation < 0.2 {
        return Vec::new();
    }
    let reach = (2.5 * deviation).ceil() as i32;
    let weight = |distance: i32| (-0.5 * (f64::from(distance) / deviation).powi(2)).exp();
    let sum: f64 = (-reach..=reach).map(weight).sum();
    let mut kernel: Vec<u32> = (1..=reach)
        .map(|distance| (256.0 * weight(distance) / sum).round() as u32)
        .collect();
    let sides: u32 = kernel.iter().sum();
    kernel.insert(0, 256_u32.saturating_sub(2 * sides));
    kernel
}
