//! From images to rows.

#![allow(deprecated)] // Burn deprecates its ndarray backend, which people still train on.

use burn::{
    backend::{Backend, Dispatch, TensorMetadata, backend_extension, tensor::FloatTensor},
    tensor::Tensor,
};

use super::{
    backend::{HostBackend, channels_last, implement, like, values},
    fits, runs_kernels,
};
use crate::layout::{channels_last_to_first, dims4};

/// `[batch, channels, height, width]` to `[batch, channels * height * width]`.
///
/// The same as Burn's `flatten(1, 3)`, but fast for what a block returns: its values lie in memory with
/// the channels last, which a plain reshape would have to bring into order one by one.
pub fn flatten(x: Tensor<4>) -> Tensor<2> {
    let [_, channels, height, width] = x.dims();
    let device = x.device();
    if !runs_kernels(&device) || !fits(&x, &device) || channels == 1 || height * width == 1 {
        return x.flatten(1, 3);
    }
    Tensor::from_dispatch(<Dispatch as FlattenOps>::flatten_channels_first(
        x.into_dispatch(),
    ))
}

/// The operation, with a gradient.
#[backend_extension(
    NdArray: cfg(feature = "ndarray"),
    Flex: cfg(feature = "flex"),
    Remote: cfg(feature = "remote"),
    Autodiff: cfg(feature = "autodiff")
)]
pub(crate) trait FlattenOps: Backend {
    /// The values of `[batch, channels, height, width]`, lying in the order
    /// `[batch, channels * height * width]`.
    fn flatten_channels_first(input: FloatTensor<Self>) -> FloatTensor<Self>;
}

fn run<B: HostBackend>(input: FloatTensor<B>) -> FloatTensor<B> {
    let input = channels_last::<B>(input);
    let shape = dims4(&input.shape());
    let [batch, height, width, channels] = shape;
    let flat = channels_last_to_first(&values::<B>(&input), shape);
    like::<B>(&input, flat, [batch, channels * height * width])
}

implement!(FlattenOps {
    fn flatten_channels_first(input: FloatTensor<Self>) -> FloatTensor<Self> {
        run::<Self>(input)
    }
});

#[cfg(feature = "autodiff")]
mod autodiff {
    use burn::backend::{
        Autodiff, Backend, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        tensor::FloatTensor,
    };

    use super::FlattenOps;
    use crate::layout::dims4;

    impl<B: FlattenOps, C: CheckpointStrategy> FlattenOps for Autodiff<B, C> {
        fn flatten_channels_first(input: FloatTensor<Self>) -> FloatTensor<Self> {
            let nodes = [input.node()];
            let input = input.into_primitive();
            let shape = dims4(&input.shape());
            let output = B::flatten_channels_first(input);
            match Flatten.prepare::<C>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish(shape, output),
                OpsKind::UnTracked(prep) => prep.finish(output),
            }
        }
    }

    #[derive(Debug)]
    struct Flatten;

    impl<B: Backend> Backward<B, 1> for Flatten {
        /// Shape of the input, `[batch, channels, height, width]`.
        type State = [usize; 4];

        fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
            let grad = grads.consume::<B>(&ops.node);
            if let [Some(node)] = ops.parents {
                grads.register::<B>(node.id, B::float_reshape(grad, ops.state.into()));
            }
        }
    }
}
