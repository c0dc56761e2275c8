//! Gradients of the operations.
//!
//! A parent that is not tracked has no node: its gradient is not computed. That is what spares the
//! first block of a network its input gradient.

use std::marker::PhantomData;

use burn::{
    backend::{
        Autodiff, Backend, TensorMetadata,
        autodiff::{
            NodeId,
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        tensor::FloatTensor,
    },
    tensor::FloatDType,
};

use super::{
    Layer,
    extension::{FusedOps, Norm},
    passes::{Normalized, Passes, Shifted},
};

impl<B: FusedOps + Passes, C: CheckpointStrategy> FusedOps for Autodiff<B, C> {
    fn shift<L: Layer>(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        layer: L,
        relu: bool,
    ) -> FloatTensor<Self> {
        let nodes = [&input, &weight, &bias].map(|tensor| tensor.node());
        let [input, weight, bias] = [input, weight, bias].map(|tensor| tensor.into_primitive());
        let operation = Shift(PhantomData::<L>);
        match operation.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (output, passed) = B::shift_pass(input, weight, bias, layer, relu);
                prep.finish(passed, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::shift(input, weight, bias, layer, relu)),
        }
    }

    fn norm_train<L: Layer>(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        layer: L,
        norm: Norm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [&input, &weight, &bias, &gamma, &beta].map(|tensor| tensor.node());
        let [input, weight, bias, gamma, beta] =
            [input, weight, bias, gamma, beta].map(|tensor| tensor.into_primitive());
        let ([output, mean, variance], passed) =
            B::norm_pass(input, weight, [bias, gamma, beta], layer, norm);
        let [mean, variance] = [mean, variance].map(FloatTensor::<Self>::new);
        let operation = NormTrain(PhantomData::<L>);
        let output = match operation.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(passed, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (output, mean, variance)
    }
}

/// Registers a gradient by the parent that wants it.
fn register<B: Backend>(
    grads: &mut Gradients,
    node: Option<NodeId>,
    gradient: Option<FloatTensor<B>>,
) {
    if let Some((node, gradient)) = node.zip(gradient) {
        grads.register::<B>(node, gradient);
    }
}

#[derive(Debug)]
struct Shift<L>(PhantomData<L>);

impl<L: Layer, B: Passes> Backward<B, 3> for Shift<L> {
    type State = Shifted<B, L>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [input, weight, bias] = ops.parents.map(|node| node.map(|node| node.id));
        let output_grad = grads.consume::<B>(&ops.node);
        let gradients = B::shift_back(ops.state, output_grad, input.is_some());
        register::<B>(grads, input, gradients.input);
        register::<B>(grads, weight, Some(gradients.weight));
        register::<B>(grads, bias, Some(gradients.shift));
    }
}

#[derive(Debug)]
struct NormTrain<L>(PhantomData<L>);

impl<L: Layer, B: Passes> Backward<B, 5> for NormTrain<L> {
    type State = Normalized<B, L>;

    fn backward(self, ops: Ops<Self::State, 5>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [input, weight, bias, gamma, beta] = ops.parents.map(|node| node.map(|node| node.id));
        let output_grad = grads.consume::<B>(&ops.node);
        let (outputs, device) = (ops.state.layer.outputs(), ops.state.weight.device());
        let gradients = B::norm_back(ops.state, output_grad, input.is_some());
        register::<B>(grads, input, gradients.input);
        register::<B>(grads, weight, Some(gradients.weight));
        // The normalization subtracts the bias again, so its gradient is zero.
        let zeros = bias.map(|_| B::float_zeros([outputs].into(), &device, FloatDType::F32));
        register::<B>(grads, bias, zeros);
        register::<B>(grads, gamma, gradients.scale);
        register::<B>(grads, beta, Some(gradients.shift));
    }
}
