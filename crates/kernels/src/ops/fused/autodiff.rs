//! Gradients of the operations.
//!
//! A parent that is not tracked has no node: its gradient is not computed. That is what spares the
//! first block of a network its input gradient.

use std::{marker::PhantomData, sync::Arc};

use burn::backend::{
    Autodiff, Backend, TensorMetadata,
    autodiff::{
        NodeId,
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::{Device, FloatTensor},
};

use super::{
    super::{
        backend::{HostBackend, like, reuse, values},
        sized,
    },
    Layer,
    extension::{FusedOps, Norm, run_norm_train, run_shift, statistics},
};
use crate::{Error, conv, recycle::Recycled};

impl<B: FusedOps + HostBackend, C: CheckpointStrategy> FusedOps for Autodiff<B, C> {
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
                let pass = run_shift::<B, L>(input, &weight, &bias, layer, relu, true);
                let state = ShiftState {
                    linear: Linear {
                        layer,
                        input: pass.input,
                        weight,
                    },
                    relu_output: relu.then(|| pass.output.clone()),
                    chosen: Arc::new(pass.kept),
                };
                prep.finish(state, L::restored::<B>(pass.output))
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
        let pass = run_norm_train::<B, L>(input, &weight, [&gamma, &beta], layer, norm);
        let [mean, variance] = statistics::<B>(L::moments(&pass.kept), &bias)
            .map(|vector| FloatTensor::<Self>::new(vector));
        let output = L::restored::<B>(pass.output);
        let operation = NormTrain(PhantomData::<L>);
        let output = match operation.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = NormState {
                    linear: Linear {
                        layer,
                        input: pass.input,
                        weight,
                    },
                    norm,
                    gamma,
                    beta,
                    kept: Arc::new(pass.kept),
                };
                prep.finish(state, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (output, mean, variance)
    }
}

/// What the gradient of every layer needs.
#[derive(Clone, Debug)]
struct Linear<L, B: Backend> {
    layer: L,
    /// In the kernels' order.
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
}

impl<L: Layer, B: HostBackend> Linear<L, B> {
    /// Runs `backward` on the values of input, weight, output gradient and input gradient. Registers the
    /// gradients by input and weight.
    fn backward(
        self,
        grads: &mut Gradients,
        output_grad: FloatTensor<B>,
        [input_node, weight_node]: [Option<NodeId>; 2],
        backward: impl FnOnce(
            &[f32],
            &[f32],
            &[f32],
            Option<&mut [f32]>,
        ) -> Result<conv::Gradients, Error>,
    ) -> conv::Gradients {
        let Self { input, weight, .. } = self;
        let output_grad = L::ordered::<B>(output_grad);
        let inputs = values::<B>(&input);
        let mut input_grad = input_node.map(|_| Recycled::new(inputs.len()));
        let mut gradients = sized(backward(
            &inputs,
            &values::<B>(&weight),
            &values::<B>(&output_grad),
            input_grad.as_deref_mut(),
        ));
        drop(inputs);
        if let Some((node, gradient)) = input_node.zip(input_grad) {
            let gradient = like::<B>(&input, gradient.into_vec(), input.shape().to_vec());
            grads.register::<B>(node, L::restored::<B>(gradient));
        }
        if let Some(node) = weight_node {
            let gradient = std::mem::take(&mut gradients.weight);
            grads.register::<B>(node, like::<B>(&weight, gradient, weight.shape().to_vec()));
        }
        reuse::<B>([output_grad, input]);
        gradients
    }
}

/// Registers the gradients by parents that hold one value per channel.
fn register_vectors<B: HostBackend, const N: usize>(
    grads: &mut Gradients,
    device: &Device<B>,
    gradients: [(Option<NodeId>, Vec<f32>); N],
) {
    for (node, gradient) in gradients {
        if let Some(node) = node {
            let shape = vec![gradient.len()];
            grads.register::<B>(node, B::from_vec(gradient, shape, device));
        }
    }
}

#[derive(Debug)]
struct Shift<L>(PhantomData<L>);

#[derive(Clone, Debug)]
struct ShiftState<L, B: Backend> {
    linear: Linear<L, B>,
    /// The output, if a ReLU ended the block.
    relu_output: Option<FloatTensor<B>>,
    chosen: Arc<Recycled<u8>>,
}

impl<L: Layer, B: HostBackend> Backward<B, 3> for Shift<L> {
    type State = ShiftState<L, B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ShiftState {
            linear,
            relu_output,
            chosen,
        } = ops.state;
        let (layer, device) = (linear.layer, linear.weight.device());
        let [input, weight, bias] = ops.parents.map(|node| node.map(|node| node.id));
        let output_grad = grads.consume::<B>(&ops.node);
        let relu_values = relu_output.as_ref().map(values::<B>);
        let gradients = linear.backward(
            grads,
            output_grad,
            [input, weight],
            |input, weight, output_grad, input_grad| {
                let output = relu_values.as_deref();
                layer.backward(input, weight, output, &chosen, output_grad, input_grad)
            },
        );
        register_vectors::<B, 1>(grads, &device, [(bias, gradients.shift)]);
        drop(relu_values);
        reuse::<B>(relu_output);
    }
}

#[derive(Debug)]
struct NormTrain<L>(PhantomData<L>);

#[derive(Clone, Debug)]
struct NormState<L, B: Backend, K> {
    linear: Linear<L, B>,
    norm: Norm,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    kept: K,
}

impl<L: Layer, B: HostBackend> Backward<B, 5> for NormTrain<L> {
    type State = NormState<L, B, Arc<L::Kept>>;

    fn backward(self, ops: Ops<Self::State, 5>, grads: &mut Gradients, _: &mut Checkpointer) {
        let NormState {
            linear,
            norm,
            gamma,
            beta,
            kept,
        } = ops.state;
        let (layer, device) = (linear.layer, linear.weight.device());
        let [input, weight, bias, by_gamma, by_beta] =
            ops.parents.map(|node| node.map(|node| node.id));
        let output_grad = grads.consume::<B>(&ops.node);
        let (gamma, beta) = (values::<B>(&gamma), values::<B>(&beta));
        let norm = norm.with(&gamma, &beta);
        let gradients = linear.backward(
            grads,
            output_grad,
            [input, weight],
            |input, weight, output_grad, input_grad| {
                layer.backward_train(input, weight, &norm, &kept, output_grad, input_grad)
            },
        );
        // The normalization subtracts the bias again, so its gradient is zero.
        let vectors = [
            (bias, vec![0.0; layer.outputs()]),
            (by_gamma, gradients.scale),
            (by_beta, gradients.shift),
        ];
        register_vectors::<B, 3>(grads, &device, vectors);
    }
}
