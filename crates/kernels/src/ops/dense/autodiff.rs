//! Gradients of dense layers.

use std::sync::Arc;

use burn::backend::{
    Autodiff,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use super::{
    super::{
        backend::{HostBackend, make_in_order, reuse, values},
        grads::{register, register_vectors},
        sized,
    },
    extension::{DenseNorm, DenseOps, layer, run_map, run_norm_train, shift_map},
};
use crate::{dense::Kept, recycle::Recycled};

impl<B: DenseOps + HostBackend, C: CheckpointStrategy> DenseOps for Autodiff<B, C> {
    fn dense_shift(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node(), bias.node()];
        let (input, weight) = (input.into_primitive(), weight.into_primitive());
        let map = shift_map::<B>(bias.primitive(), relu);
        let product = run_map::<B>(input, &weight, &map);
        match Shift.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = ShiftState {
                    input: product.input,
                    weight,
                    relu_output: relu.then(|| product.output.clone()),
                };
                prep.finish(state, product.output)
            }
            OpsKind::UnTracked(prep) => prep.finish(product.output),
        }
    }

    fn dense_norm_train(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        norm: DenseNorm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [&input, &weight, &bias, &gamma, &beta].map(|tensor| tensor.node());
        let [input, weight, bias, gamma, beta] =
            [input, weight, bias, gamma, beta].map(|tensor| tensor.into_primitive());
        let run = run_norm_train::<B>(input, &weight, &bias, [&gamma, &beta], norm);
        let output = match NormTrain.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = NormState {
                    norm,
                    input: run.product.input,
                    weight,
                    gamma,
                    beta,
                    kept: Arc::new(run.kept),
                };
                prep.finish(state, run.product.output)
            }
            OpsKind::UnTracked(prep) => prep.finish(run.product.output),
        };
        (
            output,
            FloatTensor::<Self>::new(run.mean),
            FloatTensor::<Self>::new(run.variance),
        )
    }
}

#[derive(Debug)]
struct Shift;

#[derive(Clone, Debug)]
struct ShiftState<T> {
    input: T,
    weight: T,
    /// The output, if a ReLU ended the layer.
    relu_output: Option<T>,
}

impl<B: HostBackend> Backward<B, 3> for Shift {
    type State = ShiftState<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let state = ops.state;
        let output_grad = make_in_order::<B>(grads.consume::<B>(&ops.node));
        let [input_node, weight_node, bias_node] = ops.parents.map(|node| node.map(|node| node.id));
        let relu_output = state.relu_output.as_ref().map(values::<B>);
        let input = values::<B>(&state.input);
        let mut input_grad = input_node.as_ref().map(|_| Recycled::new(input.len()));
        let gradients = sized(layer::<B>(&state.weight).backward(
            &input,
            &values::<B>(&state.weight),
            relu_output.as_deref(),
            &values::<B>(&output_grad),
            input_grad.as_deref_mut(),
        ));
        let input_grad = input_grad.map(Recycled::into_vec).unwrap_or_default();
        register::<B>(grads, input_node, &state.input, input_grad);
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
    norm: DenseNorm,
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
        let output_grad = make_in_order::<B>(grads.consume::<B>(&ops.node));
        let [input_node, weight_node, bias_node, gamma_node, beta_node] =
            ops.parents.map(|node| node.map(|node| node.id));
        let (gamma, beta) = (values::<B>(&state.gamma), values::<B>(&state.beta));
        let input = values::<B>(&state.input);
        let mut input_grad = input_node.as_ref().map(|_| Recycled::new(input.len()));
        let gradients = sized(layer::<B>(&state.weight).backward_train(
            &input,
            &values::<B>(&state.weight),
            &state.norm.with(&gamma, &beta),
            &state.kept,
            &values::<B>(&output_grad),
            input_grad.as_deref_mut(),
        ));
        let input_grad = input_grad.map(Recycled::into_vec).unwrap_or_default();
        register::<B>(grads, input_node, &state.input, input_grad);
        register::<B>(grads, weight_node, &state.weight, gradients.weight);
        let outputs = gradients.shift.len();
        // The normalization subtracts the bias again, so its gradient is zero.
        let vectors = [
            (bias_node, vec![0.0; outputs]),
            (gamma_node, gradients.scale),
            (beta_node, gradients.shift),
        ];
        register_vectors::<B, 3>(grads, &state.weight, vectors);
        drop((input, gamma, beta));
        reuse::<B>([output_grad, state.input]);
    }
}
