//! The weight gradient of one image with products in bf16, where every position has a gradient.
//!
//! As [`add_dense`](crate::conv::tiles::add_dense), whose tiles these are, with pairs of columns in the place
//! of columns.

use std::arch::x86_64::*;

use pulp::bytemuck::cast;

use super::{LANES, product::SUMS};
use crate::conv::tiles::Grid;

/// Adds the gradient of one image to the sum `[kernel, taps, stride]`, given `grads` at every pair of
/// positions of the grid, whose columns are pairs. `input[i]` is a value and the one a column later.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) fn add_dense(
    grid: Grid,
    [kernel, taps]: [usize; 2],
    input: &[u32],
    grads: &[u32],
    sum: &mut [f32],
) {
    let stride = grid.stride;
    let mut first_channel = 0;
    while first_channel < stride {
        let vectors = 2.min((stride - first_channel) / LANES);
        // One input channel leaves so few taps in a row that all rows are taken together.
        let whole = taps == 3 && kernel == 3;
        let rows = if whole { kernel } else { 1 };
        let tiles = taps.div_ceil(if whole { taps } else { SUMS / vectors });
        for first_row in (0..kernel).step_by(rows) {
            for tile in 0..tiles {
                let (first_tap, end_tap) = (tile * taps / tiles, (tile + 1) * taps / tiles);
                let tile = Tile {
                    grid,
                    taps,
                    input: &input[first_row * grid.row_len + first_tap..],
                    grads: &grads[first_channel..],
                    sum: &mut sum[(first_row * taps + first_tap) * stride + first_channel..],
                };
                run(tile, vectors, rows, end_tap - first_tap);
            }
        }
        first_channel += vectors * LANES;
    }
}

struct Tile<'a> {
    grid: Grid,
    taps: usize,
    input: &'a [u32],
    grads: &'a [u32],
    sum: &'a mut [f32],
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn run(this: Tile<'_>, vectors: usize, rows: usize, taps: usize) {
    macro_rules! sizes {
        ($($v:literal $k:literal: $($p:literal)*;)*) => {
            match (vectors, rows, taps) {
                $($(($v, $k, $p) => tile::<$k, $p, $v>(this),)*)*
                _ => unreachable!("tiles are cut to the register count"),
            }
        };
    }
    sizes! {
        1 1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22;
        2 1: 1 2 3 4 5 6 7 8 9 10 11;
        1 3: 3;
        2 3: 3;
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn tile<const K: usize, const P: usize, const V: usize>(tile: Tile<'_>) {
    let Tile {
        grid,
        taps,
        input,
        grads,
        sum,
    } = tile;
    let (width, stride) = (grid.columns, grid.stride);
    let mut sums = [[[_mm512_setzero_ps(); V]; P]; K];
    for y in 0..grid.rows {
        let mut rows = [&input[..0]; K];
        for k in 0..K {
            let len = (width - 1) * grid.column_len + P;
            rows[k] = &input[(y + k) * grid.row_len..][..len];
        }
        for x in 0..width {
            let grad = &grads[(y * width + x) * stride..][..V * LANES];
            let (grad, _) = grad.as_chunks::<LANES>();
            for k in 0..K {
                let values = &rows[k][x * grid.column_len..][..P];
                for p in 0..P {
                    let value = _mm512_set1_epi32(values[p].cast_signed());
                    for v in 0..V {
                        let grad = cast(grad[v]);
                        sums[k][p][v] = _mm512_dpbf16_ps(sums[k][p][v], cast(value), grad);
                    }
                }
            }
        }
    }
    for k in 0..K {
        for p in 0..P {
            let sum = &mut sum[(k * taps + p) * stride..][..V * LANES];
            let (sum, _) = sum.as_chunks_mut::<LANES>();
            for v in 0..V {
                sum[v] = cast(_mm512_add_ps(cast(sum[v]), sums[k][p][v]));
            }
        }
    }
}
