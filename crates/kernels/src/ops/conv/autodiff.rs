//! Gradients of the operations.
//!
//! A parent that is not tracked has no node: its gradient is not computed. That is what spares the
//! first block of a network its input gradient.

use std::sync::Arc;

use burn::backend::{
    Autodiff, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use super::{
    super::{
        backend::{HostBackend, channels_first, channels_last, in_order, reuse, values},
        grads::{register, register_image, register_vectors},
        sized,
    },
    extension::{ConvOps, Norm, run_flatten, run_norm_train, run_shift},
};
use crate::{
    conv::{ConvBlock, Geometry, Kept},
    layout::dims4,
    recycle::Recycled,
};

impl<B: ConvOps + HostBackend, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn conv_shift(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        relu: bool,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node(), bias.node()];
        let (weight, bias) = (weight.into_primitive(), bias.into_primitive());
        let input = input.into_primitive();
        match Shift.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let input = channels_last::<B>(input);
                let run = run_shift::<B>(input, &weight, &bias, geometry, relu, true);
                let state = ShiftState {
                    geometry,
                    input: run.input,
                    weight,
                    relu_output: relu.then(|| run.output.clone()),
                    chosen: Arc::new(run.chosen),
                };
                prep.finish(state, channels_first::<B>(run.output))
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::conv_shift(input, weight, bias, geometry, relu))
            }
        }
    }

    fn conv_norm_train(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        geometry: Geometry,
        norm: Norm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [&input, &weight, &bias, &gamma, &beta].map(|tensor| tensor.node());
        let [input, weight, bias, gamma, beta] =
            [input, weight, bias, gamma, beta].map(|tensor| tensor.into_primitive());
        let input = channels_last::<B>(input);
        let run = run_norm_train::<B>(input, &weight, &bias, [&gamma, &beta], geometry, norm);
        let output = channels_first::<B>(run.output);
        let output = match NormTrain.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = NormState {
                    geometry,
                    norm,
                    input: run.input,
                    weight,
                    gamma,
                    beta,
                    kept: Arc::new(run.kept),
                };
                prep.finish(state, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (
            output,
            FloatTensor::<Self>::new(run.mean),
            FloatTensor::<Self>::new(run.variance),
        )
    }

    fn flatten_channels_first(input: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [input.node()];
        let input = input.into_primitive();
        let shape = dims4(&input.shape());
        let output = run_flatten::<B>(channels_last::<B>(input));
        match Flatten.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(shape, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

#[derive(Debug)]
struct Shift;

#[derive(Clone, Debug)]
struct ShiftState<T> {
    geometry: Geometry,
    input: T,
    weight: T,
    /// The output, if a ReLU ended the block.
    relu_output: Option<T>,
    chosen: Arc<Recycled<u8>>,
}

impl<B: HostBackend> Backward<B, 3> for Shift {
    type State = ShiftState<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let state = ops.state;
        let output_grad = in_order::<B>(channels_last::<B>(grads.consume::<B>(&ops.node)));
        let [input_node, weight_node, bias_node] = ops.parents.map(|node| node.map(|node| node.id));
        let relu_output = state.relu_output.as_ref().map(values::<B>);
        let input = values::<B>(&state.input);
        let mut input_grad = input_node.as_ref().map(|_| Recycled::new(input.len()));
        let gradients = sized(ConvBlock::new(state.geometry).backward(
            &input,
            &values::<B>(&state.weight),
            relu_output.as_deref(),
            &state.chosen,
            &values::<B>(&output_grad),
            input_grad.as_deref_mut(),
        ));
        let input_grad = input_grad.map(Recycled::into_vec).unwrap_or_default();
        register_image::<B>(grads, input_node, &state.input, input_grad);
        register::<B>(grads, weight_node, &state.weight, gradients.weight);
        register_vectors::<B, 1>(grads, &state.weight, [(bias_node, gradients.shift)]);
        drop((input, relu_output));
        reuse::<B>(
            [output_grad, state.input]
                .into_iter()
                .chain(state.relu_output),
        );
    }
}

#[derive(Debug)]
struct NormTrain;

#[derive(Clone, Debug)]
struct NormState<T> {
    geometry: Geometry,
    norm: Norm,
    input: T,
    weight: T,
    gamma: T,
    beta: T,
    kept: Arc<Kept>,
}

impl<B: HostBackend> Backward<B, 5> for NormTrain {
    type State = NormState<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 5>, grads: &mut Gradients, _: &mut Checkpointer) {
        let state = ops.state;
        let output_grad = in_order::<B>(channels_last::<B>(grads.consume::<B>(&ops.node)));
        let [input_node, weight_node, bias_node, gamma_node, beta_node] =
            ops.parents.map(|node| node.map(|node| node.id));
        let (gamma, beta) = (values::<B>(&state.gamma), values::<B>(&state.beta));
        let input = values::<B>(&state.input);
        let mut input_grad = input_node.as_ref().map(|_| Recycled::new(input.len()));
        let gradients = sized(ConvBlock::new(state.geometry).backward_train(
            &input,
            &values::<B>(&state.weight),
            &state.norm.with(&gamma, &beta),
            &state.kept,
            &values::<B>(&output_grad),
            input_grad.as_deref_mut(),
        ));
        let input_grad = input_grad.map(Recycled::into_vec).unwrap_or_default();
        register_image::<B>(grads, input_node, &state.input, input_grad);
        register::<B>(grads, weight_node, &state.weight, gradients.weight);
        let channels = gradients.shift.len();
        // The normalization subtracts the bias again, so its gradient is zero.
        let vectors = [
            (bias_node, vec![0.0; channels]),
            (gamma_node, gradients.scale),
            (beta_node, gradients.shift),
        ];
        register_vectors::<B, 3>(grads, &state.weight, vectors);
        drop((input, gamma, beta));
        reuse::<B>([output_grad, state.input]);
    }
}

#[derive(Debug)]
struct Flatten;

impl<B: HostBackend> Backward<B, 1> for Flatten {
    /// Shape of the input, `[batch, channels, height, width]`.
    type State = [usize; 4];

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::float_reshape(grad, ops.state.into()));
        }
    }
}
