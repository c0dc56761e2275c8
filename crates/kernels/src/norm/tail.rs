//! What follows a layer, backwards.

use pulp::Simd;

use super::{
    NormGrad,
    vector::{norm_grad, relu_grad},
};

/// What follows a layer, and what it kept for the backward pass.
#[derive(Clone, Copy)]
pub(crate) enum Tail<'a> {
    /// A shift per channel.
    Shift,
    /// A shift per channel, then ReLU; the outputs.
    Relu { outputs: &'a [f32] },
    /// Normalization by statistics of the batch; the values that went in.
    Norm {
        norm: &'a NormGrad,
        values: &'a [f32],
    },
}

impl<'a> Tail<'a> {
    /// The parts that belong to chunks of `len` values.
    pub(crate) fn chunks(self, len: usize) -> impl Iterator<Item = Self> {
        (0..).step_by(len).map(move |first| self.part(first, len))
    }

    /// The part that belongs to up to `len` values from `first` on.
    pub(crate) fn part(self, first: usize, len: usize) -> Self {
        let cut = |values: &'a [f32]| &values[first..values.len().min(first + len)];
        match self {
            Self::Shift => Self::Shift,
            Self::Relu { outputs } => Self::Relu {
                outputs: cut(outputs),
            },
            Self::Norm { norm, values } => Self::Norm {
                norm,
                values: cut(values),
            },
        }
    }

    /// Gradient by the values before the tail, into `to` of `stride`; with `complete` false without the
    /// part that the statistics of a normalization add, see [`norm_grad`].
    #[inline(always)]
    pub(crate) fn grad<S: Simd>(
        self,
        simd: S,
        complete: bool,
        output_grad: &[f32],
        channels: usize,
        to: (&mut [f32], usize),
    ) {
        match self {
            Self::Shift => relu_grad(simd, None, output_grad, channels, to),
            Self::Relu { outputs } => relu_grad(simd, Some(outputs), output_grad, channels, to),
            Self::Norm { norm, values } => {
                norm_grad(simd, norm, complete, values, output_grad, channels, to);
            }
        }
    }
}
