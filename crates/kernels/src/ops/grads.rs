//! Handing gradients to the parents of an operation.

use burn::backend::{
    TensorMetadata,
    autodiff::{NodeId, grads::Gradients},
    tensor::FloatTensor,
};

use super::backend::{HostBackend, channels_first, like};

/// Registers the gradient by a whole parent, unless nobody asks for it.
pub(super) fn register<B: HostBackend>(
    grads: &mut Gradients,
    node: Option<NodeId>,
    parent: &FloatTensor<B>,
    gradient: Vec<f32>,
) {
    if let Some(node) = node {
        let shape = parent.shape().to_vec();
        grads.register::<B>(node, like::<B>(parent, gradient, shape));
    }
}

/// Registers the gradient by an image, whose values lie as `[batch, height, width, channels]` as those of
/// `parent` do.
pub(super) fn register_image<B: HostBackend>(
    grads: &mut Gradients,
    node: Option<NodeId>,
    parent: &FloatTensor<B>,
    gradient: Vec<f32>,
) {
    if let Some(node) = node {
        let gradient = like::<B>(parent, gradient, parent.shape().to_vec());
        grads.register::<B>(node, channels_first::<B>(gradient));
    }
}

/// Registers the gradients by parents that hold one value per channel, on the device of `other`.
pub(super) fn register_vectors<B: HostBackend, const N: usize>(
    grads: &mut Gradients,
    other: &FloatTensor<B>,
    gradients: [(Option<NodeId>, Vec<f32>); N],
) {
    for (node, gradient) in gradients {
        if let Some(node) = node {
            let shape = [gradient.len()];
            grads.register::<B>(node, like::<B>(other, gradient, shape));
        }
    }
}
