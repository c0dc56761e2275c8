//! Weight gradient of one image.
//!
//! Both forms add to a partial sum that stays with a chunk of images. The dense form is a matrix
//! product over positions, with output channels as the vector. After a max-pool three of four
//! gradients are zero, so the sparse form visits only the winners: for one output channel the whole
//! filter stays in registers while each winner adds its gradient times the input under the kernel,
//! with the contiguous values of a kernel row as the vector.

mod dense;
mod sparse;

pub(crate) use dense::{add_dense, add_dense_rows};
pub(crate) use sparse::{Winners, add_sparse};

use super::{
    Geometry,
    winograd::{PLACES, untransform_gradient},
};
use crate::simd::padded;

/// How a partial weight gradient is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `[kernel_row][tap][out_channel]`, channels padded to whole vectors.
    Dense,
    /// `[out_channel][kernel_row][tap]`, taps padded to whole vectors.
    Sparse,
    /// By transformed filters, `[place][in_channel][out_channel]`, see [`winograd`](super::winograd).
    Tiles,
}

impl Form {
    /// The cheaper form: sparse vectors hold taps, so they must be filled well enough for a quarter of
    /// the positions to pay.
    pub(crate) fn of(geometry: &Geometry, dense_gradient: bool, lanes: usize) -> Self {
        let taps = geometry.tap_len();
        if geometry.pool && !dense_gradient && 3 * padded(taps, lanes) <= 8 * taps {
            Self::Sparse
        } else if geometry.has_tiles() {
            Self::Tiles
        } else {
            Self::Dense
        }
    }

    /// Values of a partial sum.
    pub(crate) fn len(self, geometry: &Geometry, lanes: usize) -> usize {
        let (taps, channels) = (geometry.tap_len(), geometry.out_channels);
        match self {
            Self::Dense => geometry.kernel * taps * padded(channels, lanes),
            Self::Sparse => geometry.kernel * channels * padded(taps, lanes),
            Self::Tiles => PLACES * geometry.in_channels * channels,
        }
    }

    /// Reorders a finished sum to `[out, in, k, k]`.
    pub(crate) fn unpack(self, geometry: &Geometry, lanes: usize, sum: &[f32]) -> Vec<f32> {
        let (cin, cout, k) = (geometry.in_channels, geometry.out_channels, geometry.kernel);
        let taps = geometry.tap_len();
        let mut weight = vec![0.0; geometry.weight_len()];
        if self == Self::Tiles {
            for (i, filter) in weight.chunks_exact_mut(9).enumerate() {
                let (out, channel) = (i / cin, i % cin);
                let places = std::array::from_fn(|place| sum[(place * cin + channel) * cout + out]);
                filter.copy_from_slice(untransform_gradient(places).as_flattened());
            }
            return weight;
        }
        for (out, filter) in weight.chunks_exact_mut(cin * k * k).enumerate() {
            for (i, value) in filter.iter_mut().enumerate() {
                let (channel, row, column) = (i / (k * k), i / k % k, i % k);
                let tap = column * cin + channel;
                *value = match self {
                    Self::Sparse => sum[(out * k + row) * padded(taps, lanes) + tap],
                    _ => sum[(row * taps + tap) * padded(cout, lanes) + out],
                };
            }
        }
        weight
    }
}
