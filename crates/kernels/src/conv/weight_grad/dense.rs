//! The weight gradient where every position has a gradient.

use pulp::{Simd, WithSimd};

use crate::{
    conv::forward::Grid,
    simd::{load, store, sums_in_registers},
};

/// Adds the gradient of one image, given `grads` at every position of the grid, to the sum
/// `[kernel, taps, stride]`.
#[inline(always)]
pub(crate) fn add_dense<S: Simd>(
    simd: S,
    grid: Grid,
    [kernel, taps]: [usize; 2],
    input: &[f32],
    grads: &[f32],
    sum: &mut [f32],
) {
    let row_len = grid.columns * grid.stride;
    add_dense_rows(simd, grid, [kernel, taps], input, (grads, row_len), sum);
}

/// [`add_dense`] for gradients whose rows lie `row_len` values apart.
#[inline(always)]
pub(crate) fn add_dense_rows<S: Simd>(
    simd: S,
    grid: Grid,
    [kernel, taps]: [usize; 2],
    input: &[f32],
    (grads, row_len): (&[f32], usize),
    sum: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let stride = grid.stride;
    let budget = const { sums_in_registers::<S>() };
    let mut first_channel = 0;
    while first_channel < stride {
        let vectors = 2.min((stride - first_channel) / lanes);
        let tiles = taps.div_ceil(budget / vectors);
        let mut first_row = 0;
        while first_row < kernel {
            // Few input channels leave so few taps in a row that several rows are taken together.
            let rows = match (taps, vectors) {
                (3, _) | (5, 1) if 3 * taps * vectors <= budget => 3,
                (5, _) | (9, 1) if 2 * taps * vectors <= budget => 2,
                _ => 1,
            };
            let rows = match kernel - first_row {
                left if left >= rows => rows,
                2 if taps == 5 && 2 * taps * vectors <= budget => 2,
                _ => 1,
            };
            for tile in 0..tiles {
                let (first_tap, end_tap) = (tile * taps / tiles, (tile + 1) * taps / tiles);
                let tile = DenseTile {
                    grid,
                    taps,
                    input: &input[first_row * grid.row_len + first_tap..],
                    grads: &grads[first_channel..],
                    grads_row: row_len,
                    sum: &mut sum[(first_row * taps + first_tap) * stride + first_channel..],
                };
                tile.run(simd, vectors, rows, end_tap - first_tap);
            }
            first_row += rows;
        }
        first_channel += vectors * lanes;
    }
}

struct DenseTile<'a> {
    grid: Grid,
    taps: usize,
    input: &'a [f32],
    grads: &'a [f32],
    grads_row: usize,
    sum: &'a mut [f32],
}

struct SizedDense<'a, const K: usize, const P: usize, const V: usize>(DenseTile<'a>);

impl DenseTile<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S, vectors: usize, rows: usize, taps: usize) {
        let budget = const { sums_in_registers::<S>() };
        macro_rules! sizes {
            ($($v:literal $k:literal $p:literal,)*) => {
                match (vectors, rows, taps) {
                    $(($v, $k, $p) if $v * $k * $p <= budget => {
                        simd.vectorize(SizedDense::<$k, $p, $v>(self));
                    })*
                    _ => unreachable!("tiles are cut to the register count"),
                }
            };
        }
        sizes! {
            1 1 1, 1 1 2, 1 1 3, 1 1 4, 1 1 5, 1 1 6, 1 1 7, 1 1 8, 1 1 9, 1 1 10,
            1 1 11, 1 1 12, 1 1 13, 1 1 14, 1 1 15, 1 1 16, 1 1 17, 1 1 18, 1 1 19, 1 1 20,
            1 1 21, 1 1 22, 2 1 1, 2 1 2,
            2 1 3, 2 1 4, 2 1 5, 2 1 6, 2 1 7, 2 1 8, 2 1 9, 2 1 10, 2 1 11,
            1 3 3, 2 3 3, 1 3 5, 1 2 5, 2 2 5, 1 2 9,
        }
    }
}

impl<const K: usize, const P: usize, const V: usize> WithSimd for SizedDense<'_, K, P, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let DenseTile {
            grid,
            taps,
            input,
            grads,
            grads_row,
            sum,
        } = self.0;
        let lanes = S::F32_LANES;
        let (width, stride) = (grid.columns, grid.stride);
        let mut sums = [[[simd.splat_f32s(0.0); V]; P]; K];
        for y in 0..grid.rows {
            let mut rows = [&input[..0]; K];
            for k in 0..K {
                let len = (width - 1) * grid.column_len + P;
                rows[k] = &input[(y + k) * grid.row_len..][..len];
            }
            for x in 0..width {
                let grad = &grads[y * grads_row + x * stride..][..V * lanes];
                let grad = S::as_simd_f32s(grad).0;
                for k in 0..K {
                    let values = &rows[k][x * grid.column_len..][..P];
                    for p in 0..P {
                        let value = simd.splat_f32s(values[p]);
                        for v in 0..V {
                            sums[k][p][v] = simd.mul_add_e_f32s(value, grad[v], sums[k][p][v]);
                        }
                    }
                }
            }
        }
        for k in 0..K {
            for p in 0..P {
                let sum = &mut sum[(k * taps + p) * stride..][..V * lanes];
                for v in 0..V {
                    let sum = &mut sum[v * lanes..];
                    store::<S>(sum, simd.add_f32s(load::<S>(sum), sums[k][p][v]));
                }
            }
        }
    }
}
