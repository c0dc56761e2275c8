//! Input gradient of one image after a max-pool.
//!
//! Without a pool the input gradient is a convolution with the flipped kernel, see
//! [`convolve`](super::forward::convolve). After a pool each window has one winner, which adds its
//! gradient times its filter to the input under the kernel. The winners of one window are sorted by
//! their position first, so that the input values under the kernel stay in registers while the filters
//! of all channels that share the position are added.

use pulp::{Simd, WithSimd};

use super::{
    Geometry,
    row_blocks::{for_row_blocks, run_row_block},
    weight_grad::Winners,
};
use crate::{
    scratch::grow,
    simd::{load, padded, store},
};

/// Channels with a gradient, by window and winning position: `[windows][4][out_channels]`, and how many
/// of each list are used, `[windows][4]`.
struct Lists<'a> {
    channels: &'a [u16],
    counts: &'a [u16],
}

/// Adds the gradient of one image to the bordered `input_grad`, which has one vector of slack.
/// `filters` come from [`pack_rows`](super::pack::pack_rows).
#[inline(always)]
pub(crate) fn scatter<S: Simd>(
    simd: S,
    geometry: &Geometry,
    filters: &[f32],
    winners: Winners<'_>,
    lists: &mut Vec<u16>,
    input_grad: &mut [f32],
) {
    let windows = geometry.output_len() / geometry.out_channels;
    let lists = grow(lists, 4 * windows * (geometry.out_channels + 1));
    let (counts, channels) = lists.split_at_mut(4 * windows);
    sort(geometry, winners, counts, channels);
    let lists = Lists { channels, counts };
    for_row_blocks::<S>(geometry, |rows, vectors, first_row, first_tap| {
        let tile = ScatterTile {
            geometry,
            filters: &filters[first_row * padded(geometry.tap_len(), S::F32_LANES) + first_tap..],
            winners,
            lists: &lists,
            input_grad: &mut input_grad[first_row * geometry.row_len() + first_tap..],
        };
        tile.run(simd, rows, vectors);
    });
}

/// Fills the lists; channels whose gradient is zero, where ReLU was closed, are left out.
#[inline(always)]
fn sort(geometry: &Geometry, winners: Winners<'_>, counts: &mut [u16], channels: &mut [u16]) {
    let count = geometry.out_channels;
    counts.fill(0);
    let grads = winners.grads.chunks_exact(winners.stride);
    let chosen = winners.chosen.chunks_exact(count);
    let lists = counts
        .chunks_exact_mut(4)
        .zip(channels.chunks_exact_mut(4 * count));
    for ((grads, chosen), (used, lists)) in grads.zip(chosen).zip(lists) {
        for (channel, (grad, position)) in grads.iter().zip(chosen).enumerate() {
            let position = usize::from(position & 3);
            lists[position * count + usize::from(used[position])] = channel as u16;
            used[position] += u16::from(*grad != 0.0);
        }
    }
}

struct ScatterTile<'a> {
    geometry: &'a Geometry,
    filters: &'a [f32],
    winners: Winners<'a>,
    lists: &'a Lists<'a>,
    input_grad: &'a mut [f32],
}

struct SizedScatter<'a, const K: usize, const N: usize>(ScatterTile<'a>);

impl ScatterTile<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S, rows: usize, vectors: usize) {
        run_row_block!(simd, rows, vectors, SizedScatter, self);
    }
}

impl<const K: usize, const N: usize> WithSimd for SizedScatter<'_, K, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ScatterTile {
            geometry,
            filters,
            winners,
            lists,
            input_grad,
        } = self.0;
        let lanes = S::F32_LANES;
        let [_, width] = geometry.output_size();
        let row_len = geometry.row_len();
        let filter_row = padded(geometry.tap_len(), lanes);
        let filter_len = geometry.kernel * filter_row;
        let offsets = geometry.window_offsets();
        let windows = lists
            .counts
            .chunks_exact(4)
            .zip(lists.channels.chunks_exact(4 * geometry.out_channels))
            .zip(winners.grads.chunks_exact(winners.stride));
        for (window, ((counts, lists), grads)) in windows.enumerate() {
            let (y, x) = (window / width, window % width);
            let corner = 2 * y * row_len + 2 * x * geometry.in_channels;
            let lists = lists.chunks_exact(geometry.out_channels);
            for ((count, list), offset) in counts.iter().zip(lists).zip(offsets) {
                if *count == 0 {
                    continue;
                }
                let input_grad = &mut input_grad[corner + offset..];
                let mut sums = [[simd.splat_f32s(0.0); N]; K];
                for k in 0..K {
                    let values = &input_grad[k * row_len..][..N * lanes];
                    for n in 0..N {
                        sums[k][n] = load::<S>(&values[n * lanes..]);
                    }
                }
                for channel in &list[..usize::from(*count)] {
                    let channel = usize::from(*channel);
                    let grad = simd.splat_f32s(grads[channel]);
                    let filter = &filters[channel * filter_len..];
                    for k in 0..K {
                        let filter = S::as_simd_f32s(&filter[k * filter_row..][..N * lanes]).0;
                        for n in 0..N {
                            sums[k][n] = simd.mul_add_e_f32s(grad, filter[n], sums[k][n]);
                        }
                    }
                }
                for k in 0..K {
                    let values = &mut input_grad[k * row_len..][..N * lanes];
                    for n in 0..N {
                        store::<S>(&mut values[n * lanes..], sums[k][n]);
                    }
                }
            }
        }
    }
}
