//! The convolution of one image: the kernel behind the forward pass and the dense input gradient.
//!
//! A channels-last image makes the values under one kernel row contiguous: for the output at column
//! `x` they are the `taps = kernel * channels` values that start at `x * channels`. So each kernel row
//! is a matrix product of overlapping rows of the input with a `[taps, out_channels]` matrix, and no
//! im2col copy is needed. One tile keeps `P` output columns times `V` vectors of output channels in
//! registers, broadcasts input values and loads weights as vectors.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::{
    narrow::{NARROW, NarrowTile},
    pack::{BLOCK, Packed},
};
use crate::simd::{store, sums_in_registers};

/// Where the values of an image lie.
#[derive(Clone, Copy)]
pub(crate) struct Grid {
    /// Rows of output.
    pub(crate) rows: usize,
    /// Columns of output.
    pub(crate) columns: usize,
    /// Values between two rows of the input.
    pub(crate) row_len: usize,
    /// Values between two columns of the input: its channels.
    pub(crate) column_len: usize,
    /// Values between two columns of the output: its channels, padded to whole vectors.
    pub(crate) stride: usize,
}

/// Convolves one bordered image into `output`, `[rows, columns, stride]`.
#[inline(always)]
pub(crate) fn convolve<S: Simd>(
    simd: S,
    grid: Grid,
    input: &[f32],
    packed: &Packed,
    output: &mut [f32],
) {
    convolve_within(simd, grid, 0..usize::MAX, input, packed, output);
}

/// [`convolve`] of an image that is zero outside of the rows `inside`: there is nothing to multiply.
#[inline(always)]
pub(crate) fn convolve_within<S: Simd>(
    simd: S,
    grid: Grid,
    inside: Range<usize>,
    input: &[f32],
    packed: &Packed,
    output: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let block_len = packed.kernel * packed.taps * BLOCK * lanes;
    let weights = &packed.weights.values()[..packed.kernel * packed.taps * grid.stride];
    for (block, weights) in weights.chunks(block_len).enumerate() {
        let vectors = weights.len() / (packed.kernel * packed.taps * lanes);
        let weights = Weights {
            values: weights,
            kernel: packed.kernel,
            taps: packed.taps,
            step: vectors * lanes,
        };
        let output = &mut output[block * BLOCK * lanes..];
        block_of_channels(simd, grid, inside.clone(), input, weights, vectors, output);
    }
}

/// Multiplies the rows of `input`, `[columns, column_len]` of the grid, with a matrix
/// `[column_len, stride]` into `output`, `[columns, stride]`.
#[inline(always)]
pub(crate) fn multiply<S: Simd>(
    simd: S,
    grid: Grid,
    input: &[f32],
    matrix: &[f32],
    output: &mut [f32],
) {
    for first in (0..grid.stride).step_by(BLOCK * S::F32_LANES) {
        let vectors = BLOCK.min((grid.stride - first) / S::F32_LANES);
        let weights = Weights {
            values: &matrix[first..],
            kernel: 1,
            taps: grid.column_len,
            step: grid.stride,
        };
        let output = &mut output[first..];
        block_of_channels(simd, grid, 0..1, input, weights, vectors, output);
    }
}

/// The weights of one block of output channels, `[kernel, taps]` rows of `step` values.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) values: &'a [f32],
    pub(super) kernel: usize,
    pub(super) taps: usize,
    pub(super) step: usize,
}

/// Cuts the columns into tiles whose sums fit into registers.
#[inline(always)]
fn block_of_channels<S: Simd>(
    simd: S,
    grid: Grid,
    inside: Range<usize>,
    input: &[f32],
    weights: Weights<'_>,
    vectors: usize,
    output: &mut [f32],
) {
    let narrow = NarrowTile::<1, 1, 1, 1>::covers(grid, weights);
    let most = const { sums_in_registers::<S>() };
    let widest = match vectors {
        _ if narrow => most.min(NARROW),
        1 => most,
        _ => most / 2,
    };
    // Divisions are slow beside a small tile.
    let tiles = if grid.columns <= widest {
        1
    } else {
        grid.columns.div_ceil(widest)
    };
    for tile in 0..tiles {
        let (first, end) = match tiles {
            1 => (0, grid.columns),
            _ => (
                tile * grid.columns / tiles,
                (tile + 1) * grid.columns / tiles,
            ),
        };
        let tile = Tile {
            grid,
            inside: inside.clone(),
            input: &input[first * grid.column_len..],
            weights,
            output: &mut output[first * grid.stride..],
        };
        if narrow {
            tile.run_narrow(simd, vectors, end - first);
        } else if vectors == 1 {
            tile.run_single(simd, end - first);
        } else {
            tile.run_double(simd, end - first);
        }
    }
}

/// Some columns of one block of output channels.
pub(super) struct Tile<'a> {
    pub(super) grid: Grid,
    /// The rows of the input that are not all zeros.
    pub(super) inside: Range<usize>,
    pub(super) input: &'a [f32],
    pub(super) weights: Weights<'a>,
    pub(super) output: &'a mut [f32],
}

impl Tile<'_> {
    /// The rows of the kernel that lie on something else than zeros for an output row.
    #[inline(always)]
    pub(super) fn kernel_rows(&self, y: usize) -> Range<usize> {
        let Range { start, end } = self.inside;
        let kernel = self.weights.kernel;
        start.saturating_sub(y).min(kernel)..end.saturating_sub(y).min(kernel)
    }
}

struct SizedTile<'a, const P: usize, const V: usize>(Tile<'a>);

/// Calls the tile whose const width is `$p`, as far as this instruction set has registers for it.
macro_rules! dispatch {
    ($self:ident, $simd:ident, $p:ident, $v:literal, $max:expr, $($width:literal)*) => {
        match $p {
            $($width if $width <= $max => $simd.vectorize(SizedTile::<$width, $v>($self)),)*
            _ => unreachable!("tiles are cut to the register count"),
        }
    };
}

impl Tile<'_> {
    #[inline(always)]
    fn run_single<S: Simd>(self, simd: S, p: usize) {
        let max = const { sums_in_registers::<S>() };
        dispatch!(self, simd, p, 1, max, 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22)
    }

    #[inline(always)]
    fn run_double<S: Simd>(self, simd: S, p: usize) {
        let max = const { sums_in_registers::<S>() / 2 };
        dispatch!(self, simd, p, 2, max, 1 2 3 4 5 6 7 8 9 10 11)
    }
}

impl<const P: usize, const V: usize> WithSimd for SizedTile<'_, P, V> {
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
        let lanes = S::F32_LANES;
        let Weights { taps, step, .. } = weights;
        for y in 0..grid.rows {
            let mut sums = [[simd.splat_f32s(0.0); V]; P];
            for k in tile.kernel_rows(y) {
                let row = &input[(y + k) * grid.row_len..];
                let mut values = [&row[..0]; P];
                for p in 0..P {
                    values[p] = &row[p * grid.column_len..][..taps];
                }
                let weights = &weights.values[k * taps * step..];
                for tap in 0..taps {
                    let weights = S::as_simd_f32s(&weights[tap * step..][..V * lanes]).0;
                    for p in 0..P {
                        let value = simd.splat_f32s(values[p][tap]);
                        for v in 0..V {
                            sums[p][v] = simd.mul_add_e_f32s(value, weights[v], sums[p][v]);
                        }
                    }
                }
            }
            let output = &mut tile.output[y * grid.columns * grid.stride..];
            for p in 0..P {
                let output = &mut output[p * grid.stride..][..V * lanes];
                for v in 0..V {
                    store::<S>(&mut output[v * lanes..], sums[p][v]);
                }
            }
        }
    }
}
