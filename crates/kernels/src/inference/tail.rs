//! What becomes of sums in registers: the maximum of a window, the map, ReLU, and where they are written.

use pulp::Simd;

use crate::{
    norm::Affine,
    simd::{load, load_some, relu, store_some},
};

/// Where an image `[rows, columns, channels]` lies in memory, which may have a border around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Its first value.
    pub(super) start: usize,
    /// Values between two rows.
    pub(super) row_len: usize,
    pub(super) channels: usize,
}

impl Place {
    /// The image's values alone.
    pub(super) fn plain(columns: usize, channels: usize) -> Self {
        Self::bordered(columns, channels, 0)
    }

    /// In the middle of `border` values of each channel on each side.
    pub(super) fn bordered(columns: usize, channels: usize, border: usize) -> Self {
        let row_len = (columns + 2 * border) * channels;
        Self {
            start: border * (row_len + channels),
            row_len,
            channels,
        }
    }

    /// Up to one vector of channels of one position.
    #[inline(always)]
    pub(super) fn vector<'a>(
        &self,
        values: &'a mut [f32],
        [row, column]: [usize; 2],
        channel: usize,
        lanes: usize,
    ) -> &'a mut [f32] {
        let first = self.start + row * self.row_len + column * self.channels + channel;
        &mut values[first..][..lanes.min(self.channels - channel)]
    }
}

/// Scale and shift of one vector of channels.
#[inline(always)]
pub(super) fn map_at<S: Simd>(map: &Affine, channel: usize) -> [S::f32s; 2] {
    [&map.scale, &map.shift].map(|values| load::<S>(&values[channel..]))
}

/// The largest of four values; NaN if one of them is.
#[inline(always)]
pub(super) fn largest<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> S::f32s {
    let sum = simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
    let largest = simd.max_f32s(simd.max_f32s(a, b), simd.max_f32s(c, d));
    simd.select_f32s(simd.equal_f32s(sum, sum), largest, sum)
}

/// Applies a map to one vector and writes it.
#[inline(always)]
pub(super) fn finish<S: Simd>(
    simd: S,
    value: S::f32s,
    [scale, shift]: [S::f32s; 2],
    with_relu: bool,
    to: &mut [f32],
) {
    let value = simd.mul_add_e_f32s(value, scale, shift);
    let value = if with_relu { relu(simd, value) } else { value };
    store_some(simd, to, value);
}

/// The mean of each channel over the positions of an image, `[positions, channels]`.
#[inline(always)]
pub(super) fn means<S: Simd>(simd: S, image: &[f32], means: &mut [f32]) {
    let channels = means.len();
    let count = simd.splat_f32s((image.len() / channels) as f32);
    for (vector, means) in means.chunks_mut(S::F32_LANES).enumerate() {
        let first = vector * S::F32_LANES;
        let sum = image
            .chunks_exact(channels)
            .fold(simd.splat_f32s(0.0), |sum, position| {
                simd.add_f32s(sum, load_some(simd, &position[first..][..means.len()]))
            });
        store_some(simd, means, simd.div_f32s(sum, count));
    }
}
