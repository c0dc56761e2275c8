//! Gradients by the outputs of a convolution, some rows of an image at a time.

use pulp::Simd;

use super::{
    Geometry,
    forward::{Grid, convolve_within},
    pack::Packed,
};
use crate::{
    norm::{NormRest, Tail, add_sums},
    pool::{Windows, unpool},
    scratch::{Buffer, grow},
};

/// The outputs of the convolution, where a normalization before the pool needs them.
#[derive(Clone, Copy)]
pub(crate) enum Outputs<'a> {
    /// Nothing needs them.
    Unneeded,
    /// They were kept, `[images, height, width, out_channels]`.
    Kept(&'a [f32]),
    /// They are computed again with the same weights: with few taps that takes no longer than writing them to
    /// memory and reading them again.
    Again(&'a Packed),
}

impl Outputs<'_> {
    /// The part of `len` values from `first` on, as far as there are so many.
    pub(crate) fn part(self, first: usize, len: usize) -> Self {
        match self {
            Self::Kept(values) => Self::Kept(&values[first..values.len().min(first + len)]),
            other => other,
        }
    }
}

/// Some rows of the gradient of one image before its pool.
pub(super) struct Band<'a> {
    pub(super) geometry: &'a Geometry,
    pub(super) first: usize,
    pub(super) rows: usize,
    pub(super) stride: usize,
    /// Of the image, like all that follows.
    pub(super) tail: Tail<'a>,
    pub(super) before_pool: Outputs<'a>,
    /// With its border.
    pub(super) input: &'a [f32],
    pub(super) output_grad: &'a [f32],
    pub(super) chosen: &'a [u8],
}

impl Band<'_> {
    /// Computes the gradient by every output of the convolution, `[rows, width, stride]` with rows of
    /// `row_len` values, and adds to the sums of the shift.
    #[inline(always)]
    pub(super) fn grads<S: Simd>(
        &self,
        simd: S,
        [pooled, again]: [&mut Buffer; 2],
        positions: &mut Vec<u32>,
        shift_sum: &mut [f32],
        (to, row_len): (&mut [f32], usize),
    ) {
        let Self {
            geometry,
            first,
            rows,
            stride,
            tail,
            ..
        } = *self;
        let channels = geometry.out_channels;
        let width = geometry.conv_size()[1];
        let shifts = matches!(tail, Tail::Shift | Tail::Relu { .. });
        if !geometry.pool {
            for (y, to) in to.chunks_mut(row_len).enumerate() {
                let (at, len) = ((first + y) * width * channels, width * channels);
                let to = &mut to[..width * stride];
                let grads = &self.output_grad[at..at + len];
                tail.part(at, len)
                    .grad(simd, true, grads, channels, (&mut *to, stride));
                if shifts {
                    add_sums(simd, to, stride, shift_sum);
                }
            }
            return;
        }
        let winners = self.winners(simd, pooled, positions, shift_sum);
        let windows = Windows {
            height: rows,
            width,
            stride,
        };
        let Tail::Norm { norm, .. } = tail else {
            unpool::<S, false>(simd, windows, winners, None, (to, row_len));
            return;
        };
        let (values, channels) = match self.before_pool {
            Outputs::Unneeded => {
                unpool::<S, false>(simd, windows, winners, None, (to, row_len));
                return;
            }
            Outputs::Kept(values) => {
                let values = &values[first * width * channels..][..rows * width * channels];
                (values, channels)
            }
            Outputs::Again(packed) => {
                let grid = Grid {
                    rows,
                    ..geometry.grid(stride)
                };
                let input = &self.input[first * geometry.row_len()..];
                let values = again.slice(rows * width * stride);
                convolve_within(simd, grid, geometry.inside(first), input, packed, values);
                (&*values, stride)
            }
        };
        let rest = NormRest {
            norm,
            values,
            channels,
        };
        unpool::<S, true>(simd, windows, winners, Some(rest), (to, row_len));
    }

    /// The gradients of the pool's outputs and the places that they belong to, both `[rows, width, stride]` of
    /// the pool's; adds to the sums of the shift.
    #[inline(always)]
    pub(super) fn winners<'s, S: Simd>(
        &self,
        simd: S,
        pooled: &'s mut Buffer,
        positions: &'s mut Vec<u32>,
        shift_sum: &mut [f32],
    ) -> (&'s [f32], &'s [u32]) {
        let (geometry, stride, tail) = (self.geometry, self.stride, self.tail);
        let channels = geometry.out_channels;
        let [out_height, out_width] = geometry.output_size();
        let out_row = out_width * channels;
        let end = ((self.first + self.rows) / 2).min(out_height);
        let (at, len) = (self.first / 2 * out_row, (end - self.first / 2) * out_row);
        let grads = pooled.slice(len / channels * stride);
        let output_grad = &self.output_grad[at..at + len];
        let complete = matches!(self.before_pool, Outputs::Unneeded);
        tail.part(at, len)
            .grad(simd, complete, output_grad, channels, (&mut *grads, stride));
        if matches!(tail, Tail::Shift | Tail::Relu { .. }) {
            add_sums(simd, grads, stride, shift_sum);
        }
        let positions = grow(positions, grads.len());
        widen(&self.chosen[at..at + len], channels, positions, stride);
        (grads, positions)
    }
}

/// The inverse of storing window positions as bytes without the padding of the channels.
#[inline(always)]
fn widen(from: &[u8], channels: usize, to: &mut [u32], stride: usize) {
    if stride == channels {
        to.iter_mut()
            .zip(from)
            .for_each(|(to, from)| *to = u32::from(*from));
        return;
    }
    for (to, from) in to.chunks_exact_mut(stride).zip(from.chunks_exact(channels)) {
        to.iter_mut()
            .zip(from)
            .for_each(|(to, from)| *to = u32::from(*from));
    }
}
