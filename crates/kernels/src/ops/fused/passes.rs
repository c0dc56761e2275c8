//! The passes of a layer, forward and back, wherever a backend has its tensors: what the gradients are made of.

use std::{fmt::Debug, sync::Arc};

use burn::backend::{Backend, TensorMetadata, tensor::FloatTensor};

use super::{
    super::{
        backend::{HostBackend, like, reuse, values},
        sized,
    },
    Layer,
    extension::{Norm, run_norm_train, run_shift, statistics},
};
use crate::{Error, conv, recycle::Recycled};

/// A backend that can run a layer and go back through it.
pub(crate) trait Passes: Backend {
    /// What [`Layer::forward`] keeps.
    type Chosen: Clone + Debug + Send + Sync + 'static;
    /// What [`Layer::forward_train`] keeps.
    type Kept<L: Layer>: Clone + Debug + Send + Sync + 'static;

    /// [`FusedOps::shift`](super::extension::FusedOps::shift), and what its gradients need.
    fn shift_pass<L: Layer>(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        layer: L,
        relu: bool,
    ) -> (FloatTensor<Self>, Shifted<Self, L>);

    /// Its gradients; that by the input only if somebody wants it.
    fn shift_back<L: Layer>(
        passed: Shifted<Self, L>,
        output_grad: FloatTensor<Self>,
        wants_input: bool,
    ) -> BlockGradients<Self>;

    /// [`FusedOps::norm_train`](super::extension::FusedOps::norm_train), and what its gradients need.
    fn norm_pass<L: Layer>(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        vectors: [FloatTensor<Self>; 3],
        layer: L,
        norm: Norm,
    ) -> ([FloatTensor<Self>; 3], Normalized<Self, L>);

    /// Its gradients; that by the input only if somebody wants it.
    fn norm_back<L: Layer>(
        passed: Normalized<Self, L>,
        output_grad: FloatTensor<Self>,
        wants_input: bool,
    ) -> BlockGradients<Self>;
}

/// What a pass without a normalization leaves.
#[derive(Clone, Debug)]
pub(crate) struct Shifted<B: Passes, L> {
    pub(crate) layer: L,
    /// As the layer has had it.
    pub(crate) input: FloatTensor<B>,
    pub(crate) weight: FloatTensor<B>,
    /// The output, if a ReLU ended the block.
    pub(crate) relu_output: Option<FloatTensor<B>>,
    pub(crate) chosen: B::Chosen,
}

/// What a pass with a normalization leaves.
#[derive(Clone, Debug)]
pub(crate) struct Normalized<B: Passes, L: Layer> {
    pub(crate) layer: L,
    pub(crate) norm: Norm,
    /// As the layer has had it.
    pub(crate) input: FloatTensor<B>,
    pub(crate) weight: FloatTensor<B>,
    pub(crate) gamma: FloatTensor<B>,
    pub(crate) beta: FloatTensor<B>,
    pub(crate) kept: B::Kept<L>,
}

/// The gradients of a block.
#[derive(Clone, Debug)]
pub(crate) struct BlockGradients<B: Backend> {
    pub(crate) input: Option<FloatTensor<B>>,
    pub(crate) weight: FloatTensor<B>,
    /// By the bias, or by `beta`.
    pub(crate) shift: FloatTensor<B>,
    /// By `gamma`, if there is one.
    pub(crate) scale: Option<FloatTensor<B>>,
}

/// In main memory.
impl<B: HostBackend> Passes for B {
    type Chosen = Arc<Recycled<u8>>;
    type Kept<L: Layer> = Arc<L::Kept>;

    fn shift_pass<L: Layer>(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        layer: L,
        relu: bool,
    ) -> (FloatTensor<Self>, Shifted<Self, L>) {
        let pass = run_shift::<Self, L>(input, &weight, &bias, layer, relu, true);
        let passed = Shifted {
            layer,
            input: pass.input,
            weight,
            relu_output: relu.then(|| pass.output.clone()),
            chosen: Arc::new(pass.kept),
        };
        (L::restored::<Self>(pass.output), passed)
    }

    fn shift_back<L: Layer>(
        passed: Shifted<Self, L>,
        output_grad: FloatTensor<Self>,
        wants_input: bool,
    ) -> BlockGradients<Self> {
        let Shifted {
            layer,
            input,
            weight,
            relu_output,
            chosen,
        } = passed;
        let relu_values = relu_output.as_ref().map(values::<Self>);
        let gradients = back::<Self, L>(
            input,
            &weight,
            output_grad,
            wants_input,
            |input, weight, output_grad, input_grad| {
                let output = relu_values.as_deref();
                layer.backward(input, weight, output, &chosen, output_grad, input_grad)
            },
        );
        drop(relu_values);
        reuse::<Self>(relu_output);
        gradients
    }

    fn norm_pass<L: Layer>(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        [bias, gamma, beta]: [FloatTensor<Self>; 3],
        layer: L,
        norm: Norm,
    ) -> ([FloatTensor<Self>; 3], Normalized<Self, L>) {
        let pass = run_norm_train::<Self, L>(input, &weight, [&gamma, &beta], layer, norm);
        let [mean, variance] = statistics::<Self>(L::moments(&pass.kept), &bias);
        let passed = Normalized {
            layer,
            norm,
            input: pass.input,
            weight,
            gamma,
            beta,
            kept: Arc::new(pass.kept),
        };
        ([L::restored::<Self>(pass.output), mean, variance], passed)
    }

    fn norm_back<L: Layer>(
        passed: Normalized<Self, L>,
        output_grad: FloatTensor<Self>,
        wants_input: bool,
    ) -> BlockGradients<Self> {
        let Normalized {
            layer,
            norm,
            input,
            weight,
            gamma,
            beta,
            kept,
        } = passed;
        let (gamma, beta) = (values::<Self>(&gamma), values::<Self>(&beta));
        let norm = norm.with(&gamma, &beta);
        back::<Self, L>(
            input,
            &weight,
            output_grad,
            wants_input,
            |input, weight, output_grad, input_grad| {
                layer.backward_train(input, weight, &norm, &kept, output_grad, input_grad)
            },
        )
    }
}

/// Runs `backward` on the values of input, weight, output gradient and input gradient.
fn back<B: HostBackend, L: Layer>(
    input: FloatTensor<B>,
    weight: &FloatTensor<B>,
    output_grad: FloatTensor<B>,
    wants_input: bool,
    backward: impl FnOnce(&[f32], &[f32], &[f32], Option<&mut [f32]>) -> Result<conv::Gradients, Error>,
) -> BlockGradients<B> {
    let output_grad = L::ordered::<B>(output_grad);
    let inputs = values::<B>(&input);
    let mut input_grad = wants_input.then(|| Recycled::new(inputs.len()));
    let gradients = sized(backward(
        &inputs,
        &values::<B>(weight),
        &values::<B>(&output_grad),
        input_grad.as_deref_mut(),
    ));
    drop(inputs);
    let input_grad = input_grad.map(|gradient| {
        let gradient = like::<B>(&input, gradient.into_vec(), input.shape().to_vec());
        L::restored::<B>(gradient)
    });
    let vector = |values: Vec<f32>| {
        let shape = vec![values.len()];
        like::<B>(weight, values, shape)
    };
    reuse::<B>([output_grad, input]);
    BlockGradients {
        input: input_grad,
        weight: like::<B>(weight, gradients.weight, weight.shape().to_vec()),
        shift: vector(gradients.shift),
        // Empty without a normalization.
        scale: (!gradients.scale.is_empty()).then(|| vector(gradients.scale)),
    }
}
