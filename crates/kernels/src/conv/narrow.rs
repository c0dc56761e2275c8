//! The convolution of an image of few channels, such as the first layer of a network has.
//!
//! A kernel row then is so short that finding each column's values takes as long as multiplying them.
//! Where kernel and channels are known when the program is compiled, all values of a tile lie at fixed
//! distances from one place, and every multiply-add finds its own without another instruction.

use pulp::{Simd, WithSimd};

use super::forward::{Grid, Tile, Weights};
use crate::simd::{load, store, sums_in_registers};

/// Most columns of one tile: with 9 weights that stay in registers, too, they fill 23 of 32.
pub(super) const NARROW: usize = 14;

/// `P` columns times one vector of output channels, for `C` input channels and a kernel of `K` rows of
/// `T = K * C` taps.
pub(super) struct NarrowTile<'a, const P: usize, const C: usize, const K: usize, const T: usize>(
    Tile<'a>,
);

/// Calls the tile of the given sizes, as far as this instruction set has registers for it.
macro_rules! dispatch {
    ($self:ident, $simd:ident, $p:ident, $c:literal $k:literal $t:literal, $($width:literal)*) => {
        match $p {
            $($width if $width <= const { sums_in_registers::<S>() } => {
                $simd.vectorize(NarrowTile::<$width, $c, $k, $t>($self));
            })*
            _ => unreachable!("tiles are cut to the register count"),
        }
    };
}

impl NarrowTile<'_, 1, 1, 1, 1> {
    /// Whether there are tiles for these sizes.
    pub(super) fn covers(grid: Grid, weights: Weights<'_>) -> bool {
        let sizes = (grid.column_len, weights.kernel);
        let known = matches!(sizes, (1 | 3, 3) | (1, 5));
        known && weights.taps == weights.kernel * grid.column_len
    }
}

impl Tile<'_> {
    /// Runs the tile of `p` columns, one vector of output channels after the other.
    #[inline(always)]
    pub(super) fn run_narrow<S: Simd>(self, simd: S, vectors: usize, p: usize) {
        for v in 0..vectors {
            let first = v * S::F32_LANES;
            let tile = Tile {
                grid: self.grid,
                inside: self.inside.clone(),
                input: self.input,
                weights: Weights {
                    values: &self.weights.values[first..],
                    ..self.weights
                },
                output: &mut self.output[first..],
            };
            match (self.grid.column_len, self.weights.kernel) {
                (1, 3) => dispatch!(tile, simd, p, 1 3 3, 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
                (3, 3) => dispatch!(tile, simd, p, 3 3 9, 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
                _ => dispatch!(tile, simd, p, 1 5 5, 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
            }
        }
    }
}

impl<const P: usize, const C: usize, const K: usize, const T: usize> WithSimd
    for NarrowTile<'_, P, C, K, T>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let tile = self.0;
        let Tile {
            grid,
            input,
            weights,
            ..
        } = tile;
        let step = weights.step;
        for y in 0..grid.rows {
            let mut sums = [simd.splat_f32s(0.0); P];
            for k in 0..K {
                let row = &input[(y + k) * grid.row_len..][..(P - 1) * C + T];
                let weights = &weights.values[k * T * step..];
                for tap in 0..T {
                    let weight = load::<S>(&weights[tap * step..]);
                    for p in 0..P {
                        let value = simd.splat_f32s(row[p * C + tap]);
                        sums[p] = simd.mul_add_e_f32s(value, weight, sums[p]);
                    }
                }
            }
            let output = &mut tile.output[y * grid.columns * grid.stride..];
            for p in 0..P {
                store::<S>(&mut output[p * grid.stride..], sums[p]);
            }
        }
    }
}
