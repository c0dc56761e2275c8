//! The operations on backend tensors, dispatched by Burn.

#![allow(deprecated)] // Burn deprecates its ndarray backend, which people still train on.

use std::borrow::Cow;

use burn::backend::{Backend, TensorMetadata, backend_extension, tensor::FloatTensor};

use super::{
    super::{
        backend::{HostBackend, implement, like, values},
        sized,
    },
    Layer,
};
use crate::{Affine, Error, Moments, Normalization, recycle::Recycled};

/// A normalization without its parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Norm {
    /// Added to the variance.
    pub(crate) epsilon: f64,
    /// Whether a ReLU follows.
    pub(crate) relu: bool,
}

impl Norm {
    /// The normalization of the slice kernels.
    pub(super) fn with<'a>(self, gamma: &'a [f32], beta: &'a [f32]) -> Normalization<'a> {
        Normalization {
            gamma,
            beta,
            epsilon: self.epsilon,
            relu: self.relu,
        }
    }
}

/// Operations with a gradient.
#[backend_extension(
    NdArray: cfg(feature = "ndarray"),
    Flex: cfg(feature = "flex"),
    Remote: cfg(feature = "remote"),
    Autodiff: cfg(feature = "autodiff")
)]
pub(crate) trait FusedOps: Backend {
    /// Layer, bias, ReLU if asked for.
    fn shift<L: Layer>(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        layer: L,
        relu: bool,
    ) -> FloatTensor<Self>;

    /// Layer, batch normalization by the statistics of the batch, ReLU if asked for. Returns the output,
    /// and mean and biased variance of what was normalized.
    fn norm_train<L: Layer>(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        layer: L,
        norm: Norm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Operations without a gradient.
#[backend_extension(
    NdArray: cfg(feature = "ndarray"),
    Flex: cfg(feature = "flex"),
    Remote: cfg(feature = "remote")
)]
pub(crate) trait InferOps: Backend {
    /// Layer, batch normalization by given statistics, ReLU if asked for.
    #[allow(clippy::too_many_arguments)]
    fn norm_infer<L: Layer>(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        layer: L,
        norm: Norm,
    ) -> FloatTensor<Self>;
}

/// A forward pass that was run; tensors are in the kernels' order.
pub(in super::super) struct Pass<B: HostBackend, K> {
    pub(in super::super) input: FloatTensor<B>,
    pub(in super::super) output: FloatTensor<B>,
    pub(in super::super) kept: K,
}

/// Runs `forward` on the values of input, weight and output.
fn run<B: HostBackend, L: Layer, K>(
    input: FloatTensor<B>,
    weight: &FloatTensor<B>,
    layer: L,
    forward: impl FnOnce(&[f32], &[f32], &mut [f32]) -> Result<K, Error>,
) -> Pass<B, K> {
    let input = L::ordered::<B>(input);
    let shape = layer.output_shape(input.shape()[0]);
    let mut output = Recycled::new(shape.iter().product());
    let (inputs, weight) = (values::<B>(&input), values::<B>(weight));
    let kept = sized(forward(&inputs, &weight, &mut output));
    let output = like::<B>(&input, output.into_vec(), shape);
    drop(inputs);
    Pass {
        input,
        output,
        kept,
    }
}

/// Runs [`FusedOps::shift`]; keeps what was chosen if a backward pass will follow.
pub(in super::super) fn run_shift<B: HostBackend, L: Layer>(
    input: FloatTensor<B>,
    weight: &FloatTensor<B>,
    bias: &FloatTensor<B>,
    layer: L,
    relu: bool,
    keep: bool,
) -> Pass<B, Recycled<u8>> {
    let map = Affine {
        scale: vec![1.0; layer.outputs()],
        shift: values::<B>(bias).into_owned(),
        relu,
    };
    run::<B, L, _>(input, weight, layer, |input, weight, output| {
        let choices = if keep { layer.choices(output.len()) } else { 0 };
        let mut chosen = Recycled::new(choices);
        layer.forward(input, weight, &map, output, &mut chosen)?;
        Ok(chosen)
    })
}

/// Runs [`FusedOps::norm_train`].
pub(in super::super) fn run_norm_train<B: HostBackend, L: Layer>(
    input: FloatTensor<B>,
    weight: &FloatTensor<B>,
    [gamma, beta]: [&FloatTensor<B>; 2],
    layer: L,
    norm: Norm,
) -> Pass<B, L::Kept> {
    let (gamma, beta) = (values::<B>(gamma), values::<B>(beta));
    run::<B, L, _>(input, weight, layer, |input, weight, output| {
        layer.forward_train(input, weight, &norm.with(&gamma, &beta), output)
    })
}

/// Runs [`InferOps::norm_infer`].
fn run_norm_infer<B: HostBackend, L: Layer>(
    input: FloatTensor<B>,
    weight: &FloatTensor<B>,
    vectors: [&FloatTensor<B>; 5],
    layer: L,
    norm: Norm,
) -> FloatTensor<B> {
    let vectors = vectors.map(|vector| values::<B>(vector));
    let vectors = vectors.each_ref().map(|vector| &vector[..layer.outputs()]);
    let mut map = Affine::normalizing(vectors, norm.epsilon, norm.relu);
    let pass = run::<B, L, _>(input, weight, layer, |input, weight, output| {
        let mut weight = Cow::Borrowed(weight);
        layer.orient(&mut map, &mut weight);
        layer.forward(input, &weight, &map, output, &mut [])
    });
    L::restored::<B>(pass.output)
}

/// Mean and biased variance of what a layer normalizes. The kernels leave the layer's bias out, since the
/// normalization subtracts it again.
pub(in super::super) fn statistics<B: HostBackend>(
    moments: &Moments,
    bias: &FloatTensor<B>,
) -> [FloatTensor<B>; 2] {
    let channels = moments.mean.len();
    let means = moments
        .mean
        .iter()
        .zip(values::<B>(bias).iter())
        .map(|(mean, bias)| (mean + f64::from(*bias)) as f32)
        .collect();
    let variances = (0..channels).map(|c| moments.variance(c) as f32).collect();
    [means, variances].map(|vector| like::<B>(bias, vector, [channels]))
}

implement!(FusedOps {
    fn shift<L: Layer>(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        layer: L,
        relu: bool,
    ) -> FloatTensor<Self> {
        let pass = run_shift::<Self, L>(input, &weight, &bias, layer, relu, false);
        L::restored::<Self>(pass.output)
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
        let pass = run_norm_train::<Self, L>(input, &weight, [&gamma, &beta], layer, norm);
        let [mean, variance] = statistics::<Self>(L::moments(&pass.kept), &bias);
        (L::restored::<Self>(pass.output), mean, variance)
    }
});

implement!(InferOps {
    fn norm_infer<L: Layer>(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        layer: L,
        norm: Norm,
    ) -> FloatTensor<Self> {
        let vectors = [&bias, &gamma, &beta, &mean, &variance];
        run_norm_infer::<Self, L>(input, &weight, vectors, layer, norm)
    }
});
