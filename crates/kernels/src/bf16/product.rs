//! The convolution of one image with products in bf16.
//!
//! As [`convolve`](crate::conv::tiles::convolve), whose tiles these are, with pairs of values in the
//! place of values: each instruction adds two products to each sum.

use std::{arch::x86_64::*, ops::Range};

use pulp::bytemuck::cast;

use super::LANES;
use crate::conv::tiles::{BLOCK, Grid};

/// Vectors of sums in one tile, as in [`sums_in_registers`](crate::simd::sums_in_registers).
pub(crate) const SUMS: usize = 22;

/// The filters of one block of output channels, `[kernel, taps]` rows of one or two vectors of pairs.
#[derive(Clone, Copy)]
struct Block<'a> {
    values: &'a [u32],
    kernel: usize,
    taps: usize,
    /// The first row of the input that is not all zeros, and the first one after them that is.
    inside: [usize; 2],
}

/// Convolves one bordered image of pairs, whose sizes `grid` counts in pairs, and which is zero outside of the
/// rows `inside`, into `output`, `[rows, columns, stride]`. `weights` are `[block][kernel_row][tap pair][channel of the block]`.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) fn convolve(
    grid: Grid,
    inside: Range<usize>,
    input: &[u32],
    weights: &[u32],
    [kernel, taps]: [usize; 2],
    output: &mut [f32],
) {
    let blocks = weights.chunks(kernel * taps * BLOCK * LANES);
    for (block, values) in blocks.enumerate() {
        let vectors = values.len() / (kernel * taps * LANES);
        let widest = SUMS / vectors;
        let tiles = grid.columns.div_ceil(widest);
        let output = &mut output[block * BLOCK * LANES..];
        let block = Block {
            values,
            kernel,
            taps,
            inside: [inside.start, inside.end],
        };
        for tile in 0..tiles {
            let first = tile * grid.columns / tiles;
            let end = (tile + 1) * grid.columns / tiles;
            let input = &input[first * grid.column_len..];
            let output = &mut output[first * grid.stride..];
            run(vectors, end - first, grid, input, block, output);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn run(
    vectors: usize,
    columns: usize,
    grid: Grid,
    input: &[u32],
    block: Block<'_>,
    output: &mut [f32],
) {
    macro_rules! sizes {
        ($($v:literal: $($p:literal)*;)*) => {
            match (vectors, columns) {
                $($(($v, $p) => tile::<$p, $v>(grid, input, block, output),)*)*
                _ => unreachable!("tiles are cut to the register count"),
            }
        };
    }
    sizes! {
        1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22;
        2: 1 2 3 4 5 6 7 8 9 10 11;
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn tile<const P: usize, const V: usize>(
    grid: Grid,
    input: &[u32],
    block: Block<'_>,
    output: &mut [f32],
) {
    let taps = block.taps;
    let step = V * LANES;
    for y in 0..grid.rows {
        let mut sums = [[_mm512_setzero_ps(); V]; P];
        let first = block.inside[0].saturating_sub(y).min(block.kernel);
        let end = block.inside[1].saturating_sub(y).min(block.kernel);
        for k in first..end {
            let row = &input[(y + k) * grid.row_len..];
            let mut values = [&row[..0]; P];
            for p in 0..P {
                values[p] = &row[p * grid.column_len..][..taps];
            }
            let weights = &block.values[k * taps * step..][..taps * step];
            let (weights, _) = weights.as_chunks::<LANES>();
            for tap in 0..taps {
                let weights = &weights[tap * V..][..V];
                for p in 0..P {
                    let value = _mm512_set1_epi32(values[p][tap].cast_signed());
                    for v in 0..V {
                        let weight = cast(weights[v]);
                        sums[p][v] = _mm512_dpbf16_ps(sums[p][v], cast(value), weight);
                    }
                }
            }
        }
        let output = &mut output[y * grid.columns * grid.stride..];
        for p in 0..P {
            let (output, _) = output[p * grid.stride..][..step].as_chunks_mut::<LANES>();
            for v in 0..V {
                output[v] = cast(sums[p][v]);
            }
        }
    }
}
