//! What a layer must be able to do to run as one operation.

use std::{borrow::Cow, fmt::Debug};

use burn::backend::tensor::FloatTensor;

use super::super::backend::{HostBackend, make_in_order};
use crate::{Affine, Error, Moments, Normalization, conv::Gradients};

/// What a forward pass kept, as buffers.
#[cfg(feature = "remote")]
#[derive(Debug, Default)]
pub(crate) struct Packed {
    pub(crate) values: [Vec<f32>; 2],
    pub(crate) bytes: Vec<u8>,
}

/// A linear layer of fixed sizes with what may follow it, on slices. The batch is the first axis of
/// input and output.
pub(crate) trait Layer: Copy + Debug + Send + Sync + 'static {
    /// What a forward pass with a normalization keeps for the backward pass.
    type Kept: Debug + Send + Sync + 'static;

    /// Channels of the output.
    fn outputs(&self) -> usize;

    /// Shape of the output in the kernels' order of axes.
    fn output_shape(&self, batch: usize) -> Vec<usize>;

    /// Shape of the output in Burn's order of axes.
    #[cfg(feature = "remote")]
    fn restored_shape(&self, batch: usize) -> Vec<usize> {
        self.output_shape(batch)
    }

    /// The layer as numbers, from which [`remote`](super::super::remote) makes it again.
    #[cfg(feature = "remote")]
    fn numbers(&self) -> Vec<u64>;

    /// What a forward pass kept, as buffers that can be tensors.
    #[cfg(feature = "remote")]
    fn pack(kept: Self::Kept) -> Packed;

    /// The inverse of [`pack`](Self::pack); none of buffers that it can't have made.
    #[cfg(feature = "remote")]
    fn unpack(packed: Packed) -> Option<Self::Kept>;

    /// The same tensor in the kernels' order of axes, its values lying in that order.
    fn ordered<B: HostBackend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
        make_in_order::<B>(tensor)
    }

    /// The same tensor in Burn's order of axes: the inverse of [`ordered`](Self::ordered), without a copy.
    fn restored<B: HostBackend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
        tensor
    }

    /// Places that a forward pass over a batch chooses from, to be kept for the backward pass.
    fn choices(&self, _outputs: usize) -> usize {
        0
    }

    /// Prepares a map of inference, whose factors may be negative, and the weight for
    /// [`forward`](Self::forward).
    fn orient(&self, _map: &mut Affine, _weight: &mut Cow<'_, [f32]>) {}

    /// The layer, then a map per channel. `chosen` has [`choices`](Self::choices) places, or none if no
    /// backward pass will follow.
    fn forward(
        &self,
        input: &[f32],
        weight: &[f32],
        map: &Affine,
        output: &mut [f32],
        chosen: &mut [u8],
    ) -> Result<(), Error>;

    /// The layer, then a normalization by the statistics of the batch.
    fn forward_train(
        &self,
        input: &[f32],
        weight: &[f32],
        norm: &Normalization<'_>,
        output: &mut [f32],
    ) -> Result<Self::Kept, Error>;

    /// Statistics of the batch, without the bias.
    fn moments(kept: &Self::Kept) -> &Moments;

    /// Gradients of [`forward`](Self::forward) with a scale of one. `relu_output` is what it returned if a
    /// ReLU ended it; `input_grad`, if given, is overwritten.
    fn backward(
        &self,
        input: &[f32],
        weight: &[f32],
        relu_output: Option<&[f32]>,
        chosen: &[u8],
        output_grad: &[f32],
        input_grad: Option<&mut [f32]>,
    ) -> Result<Gradients, Error>;

    /// Gradients of [`forward_train`](Self::forward_train); `input_grad`, if given, is overwritten.
    fn backward_train(
        &self,
        input: &[f32],
        weight: &[f32],
        norm: &Normalization<'_>,
        kept: &Self::Kept,
        output_grad: &[f32],
        input_grad: Option<&mut [f32]>,
    ) -> Result<Gradients, Error>;
}
