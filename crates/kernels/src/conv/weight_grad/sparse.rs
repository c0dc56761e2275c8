//! The weight gradient after a max-pool.

use pulp::{Simd, WithSimd};

use crate::{
    conv::{
        Geometry,
        row_blocks::{for_row_blocks, run_row_block},
    },
    simd::{load, padded, store},
};

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
