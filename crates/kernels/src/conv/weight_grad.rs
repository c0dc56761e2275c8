//! Weight gradient of one image.
//!
//! Both forms add to a partial sum that stays with a chunk of images. The dense form is a matrix
//! product over positions, with output channels as the vector. After a max-pool three of four
//! gradients are zero, so the sparse form visits only the winners: for one output channel the whole
//! filter stays in registers while each winner adds its gradient times the input under the kernel,
//! with the contiguous values of a kernel row as the vector.

use pulp::{Simd, WithSimd};

use super::{Geometry, forward::Grid};
use crate::simd::{load, padded, store, sums_in_registers};

/// How a partial weight gradient is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `[kernel_row][tap][out_channel]`, channels padded to whole vectors.
    Dense,
    /// `[out_channel][kernel_row][tap]`, taps padded to whole vectors.
    Sparse,
}

impl Form {
    /// The cheaper form: sparse vectors hold taps, so they must be filled well enough for a quarter of
    /// the positions to pay.
    pub(crate) fn of(geometry: &Geometry, dense_gradient: bool, lanes: usize) -> Self {
        let taps = geometry.tap_len();
        if geometry.pool && !dense_gradient && 3 * padded(taps, lanes) <= 8 * taps {
            Self::Sparse
        } else {
            Self::Dense
        }
    }

    /// Values of a partial sum.
    pub(crate) fn len(self, geometry: &Geometry, lanes: usize) -> usize {
        let (taps, channels) = (geometry.tap_len(), geometry.out_channels);
        geometry.kernel
            * match self {
                Self::Dense => taps * padded(channels, lanes),
                Self::Sparse => channels * padded(taps, lanes),
            }
    }

    /// Reorders a finished sum to `[out, in, k, k]`.
    pub(crate) fn unpack(self, geometry: &Geometry, lanes: usize, sum: &[f32]) -> Vec<f32> {
        let (cin, cout, k) = (geometry.in_channels, geometry.out_channels, geometry.kernel);
        let taps = geometry.tap_len();
        let mut weight = vec![0.0; geometry.weight_len()];
        for (out, filter) in weight.chunks_exact_mut(cin * k * k).enumerate() {
            for (i, value) in filter.iter_mut().enumerate() {
                let (channel, row, column) = (i / (k * k), i / k % k, i % k);
                let tap = column * cin + channel;
                *value = match self {
                    Self::Dense => sum[(row * taps + tap) * padded(cout, lanes) + out],
                    Self::Sparse => sum[(out * k + row) * padded(taps, lanes) + tap],
                };
            }
        }
        weight
    }
}

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
    let lanes = S::F32_LANES;
    let stride = grid.stride;
    let budget = const { sums_in_registers::<S>() };
    let mut first_channel = 0;
    while first_channel < stride {
        let vectors = 2.min((stride - first_channel) / lanes);
        // One input channel leaves so few taps in a row that all rows are taken together.
        let whole = taps == kernel && kernel == 3 && vectors * kernel * taps <= budget;
        let rows = if whole { kernel } else { 1 };
        let tiles = taps.div_ceil(if whole { taps } else { budget / vectors });
        for first_row in (0..kernel).step_by(rows) {
            for tile in 0..tiles {
                let (first_tap, end_tap) = (tile * taps / tiles, (tile + 1) * taps / tiles);
                let tile = DenseTile {
                    grid,
                    taps,
                    input: &input[first_row * grid.row_len + first_tap..],
                    grads: &grads[first_channel..],
                    sum: &mut sum[(first_row * taps + first_tap) * stride + first_channel..],
                };
                tile.run(simd, vectors, rows, end_tap - first_tap);
            }
        }
        first_channel += vectors * lanes;
    }
}

struct DenseTile<'a> {
    grid: Grid,
    taps: usize,
    input: &'a [f32],
    grads: &'a [f32],
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
            1 3 3, 2 3 3,
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
                let grad = &grads[(y * width + x) * stride..][..V * lanes];
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

/// The winners of one pooled image.
#[derive(Clone, Copy)]
pub(crate) struct Winners<'a> {
    /// Gradient of each pooled value, `[positions, stride]`.
    pub(crate) grads: &'a [f32],
    /// Channels of `grads`, padded to whole vectors.
    pub(crate) stride: usize,
    /// Window position `0..4` of each winner, `[positions, out_channels]`.
    pub(crate) chosen: &'a [u8],
}

/// Adds the gradient of one image, given the winners of its max-pool. `input` has one vector of slack.
#[inline(always)]
pub(crate) fn add_sparse<S: Simd>(
    simd: S,
    geometry: &Geometry,
    input: &[f32],
    winners: Winners<'_>,
    sum: &mut [f32],
) {
    for_row_blocks::<S>(geometry, |rows, vectors, first_row, first_tap| {
        let tile = SparseTile {
            geometry,
            input: &input[first_row * geometry.row_len() + first_tap..],
            winners,
            sum: &mut sum[first_row * padded(geometry.tap_len(), S::F32_LANES) + first_tap..],
        };
        tile.run(simd, rows, vectors);
    });
}

/// Cuts a filter `[kernel_row][tap]` into blocks `(rows, vectors)` that fit into registers, and calls
/// `f(rows, vectors, first_row, first_tap)` for each.
#[inline(always)]
pub(crate) fn for_row_blocks<S: Simd>(
    geometry: &Geometry,
    mut f: impl FnMut(usize, usize, usize, usize),
) {
    let budget = const { sums_in_registers::<S>() };
    let vectors = geometry.tap_len().div_ceil(S::F32_LANES);
    let mut row = 0;
    while row < geometry.kernel {
        let rows = match geometry.kernel - row {
            5.. => 5,
            3 | 4 => 3,
            _ => 1,
        };
        let blocks = vectors.div_ceil((budget / rows).min(8));
        for block in 0..blocks {
            let (first, end) = (block * vectors / blocks, (block + 1) * vectors / blocks);
            f(rows, end - first, row, first * S::F32_LANES);
        }
        row += rows;
    }
}

/// Runs `$sized::<K, N>` for run-time sizes that [`for_row_blocks`] can produce.
macro_rules! run_row_block {
    ($simd:ident, $rows:ident, $vectors:ident, $sized:ident, $op:expr) => {
        run_row_block!($simd, $rows, $vectors, $sized, $op;
            1 1, 1 2, 1 3, 1 4, 1 5, 1 6, 1 7, 1 8,
            3 1, 3 2, 3 3, 3 4, 3 5, 3 6, 3 7,
            5 1, 5 2, 5 3, 5 4)
    };
    ($simd:ident, $rows:ident, $vectors:ident, $sized:ident, $op:expr; $($k:literal $n:literal),*) => {{
        let budget = const { crate::simd::sums_in_registers::<S>() };
        match ($rows, $vectors) {
            $(($k, $n) if $k * $n <= budget => $simd.vectorize($sized::<$k, $n>($op)),)*
            _ => unreachable!("blocks are cut to the register count"),
        }
    }};
}
pub(crate) use run_row_block;

struct SparseTile<'a> {
    geometry: &'a Geometry,
    input: &'a [f32],
    winners: Winners<'a>,
    sum: &'a mut [f32],
}

struct SizedSparse<'a, const K: usize, const N: usize>(SparseTile<'a>);

impl SparseTile<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S, rows: usize, vectors: usize) {
        run_row_block!(simd, rows, vectors, SizedSparse, self);
    }
}

impl<const K: usize, const N: usize> WithSimd for SizedSparse<'_, K, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let SparseTile {
            geometry,
            input,
            winners,
            sum,
        } = self.0;
        let lanes = S::F32_LANES;
        let [_, width] = geometry.output_size();
        let channels = geometry.out_channels;
        let row_len = geometry.row_len();
        let offsets = geometry.window_offsets();
        let sum_row = padded(geometry.tap_len(), lanes);
        for channel in 0..channels {
            let mut sums = [[simd.splat_f32s(0.0); N]; K];
            let grads = winners.grads.chunks_exact(winners.stride * width);
            let chosen = winners.chosen.chunks_exact(channels * width);
            for (y, (grads, chosen)) in grads.zip(chosen).enumerate() {
                let input = &input[2 * y * row_len..];
                for x in 0..width {
                    let grad = simd.splat_f32s(grads[x * winners.stride + channel]);
                    let offset = offsets[usize::from(chosen[x * channels + channel] & 3)];
                    let input = &input[2 * x * geometry.in_channels + offset..];
                    for k in 0..K {
                        let values = S::as_simd_f32s(&input[k * row_len..][..N * lanes]).0;
                        for n in 0..N {
                            sums[k][n] = simd.mul_add_e_f32s(grad, values[n], sums[k][n]);
                        }
                    }
                }
            }
            let sum = &mut sum[channel * geometry.kernel * sum_row..];
            for k in 0..K {
                let sum = &mut sum[k * sum_row..][..N * lanes];
                for n in 0..N {
                    let sum = &mut sum[n * lanes..];
                    store::<S>(sum, simd.add_f32s(load::<S>(sum), sums[k][n]));
                }
            }
        }
    }
}
