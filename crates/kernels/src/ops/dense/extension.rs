//! The operations on backend tensors, dispatched by Burn.

#![allow(deprecated)] // Burn deprecates its ndarray backend, which people still train on.

use burn::backend::{Backend, TensorMetadata, backend_extension, tensor::FloatTensor};

use super::super::{
    backend::{HostBackend, like, make_in_order, statistics, values},
    sized,
};
use crate::{
    Affine, Normalization,
    dense::{Dense, Kept},
    recycle::Recycled,
};

/// What follows the matrix product of a dense layer with a normalization.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DenseNorm {
    pub(crate) epsilon: f64,
    pub(crate) relu: bool,
}

impl DenseNorm {
    pub(crate) fn with<'a>(self, gamma: &'a [f32], beta: &'a [f32]) -> Normalization<'a> {
        Normalization {
            gamma,
            beta,
            epsilon: self.epsilon,
            relu: self.relu,
        }
    }
}

/// Operations with a gradient. `input` is `[batch, inputs]`, `weight` is `[inputs, outputs]`.
#[backend_extension(
    NdArray: cfg(feature = "ndarray"),
    Flex: cfg(feature = "flex"),
    Autodiff: cfg(feature = "autodiff")
)]
pub(crate) trait DenseOps: Backend {
    /// Matrix product, bias, ReLU if asked for.
    fn dense_shift(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self>;

    /// Matrix product, batch normalization by the statistics of the batch, ReLU if asked for. Returns the
    /// output, and mean and biased variance of what was normalized.
    fn dense_norm_train(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        norm: DenseNorm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Operations without a gradient.
#[backend_extension(NdArray: cfg(feature = "ndarray"), Flex: cfg(feature = "flex"))]
pub(crate) trait DenseInferOps: Backend {
    /// Matrix product, batch normalization by given statistics, ReLU if asked for. `bias` is not read unless
    /// `biased`.
    #[allow(clippy::too_many_arguments)]
    fn dense_norm_infer(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        norm: DenseNorm,
        biased: bool,
    ) -> FloatTensor<Self>;
}

/// The layer for a weight `[inputs, outputs]`.
pub(crate) fn layer<B: HostBackend>(weight: &FloatTensor<B>) -> Dense {
    let shape = weight.shape();
    sized(Dense::new(shape[0], shape[1]))
}

/// A matrix product that was run: its input in the order of its shape, and the layer's output.
pub(crate) struct Product<B: HostBackend> {
    pub(crate) input: FloatTensor<B>,
    pub(crate) output: FloatTensor<B>,
}

/// Runs a layer with a given map after the product.
pub(crate) fn run_map<B: HostBackend>(
    input: FloatTensor<B>,
    weight: &FloatTensor<B>,
    map: &Affine,
) -> Product<B> {
    let input = make_in_order::<B>(input);
    let (rows, outputs) = (input.shape()[0], weight.shape()[1]);
    let mut output = Recycled::new(rows * outputs);
    sized(layer::<B>(weight).forward(&values::<B>(&input), &values::<B>(weight), map, &mut output));
    let output = like::<B>(&input, output.into_vec(), [rows, outputs]);
    Product { input, output }
}

/// The map of a layer without normalization.
pub(crate) fn shift_map<B: HostBackend>(bias: &FloatTensor<B>, relu: bool) -> Affine {
    let shift = values::<B>(bias).into_owned();
    Affine {
        scale: vec![1.0; shift.len()],
        shift,
        relu,
    }
}

/// What a layer with a normalization in train mode returns and keeps.
pub(crate) struct Normalized<B: HostBackend> {
    pub(crate) product: Product<B>,
    pub(crate) mean: FloatTensor<B>,
    pub(crate) variance: FloatTensor<B>,
    pub(crate) kept: Kept,
}

/// Runs [`DenseOps::dense_norm_train`].
pub(crate) fn run_norm_train<B: HostBackend>(
    input: FloatTensor<B>,
    weight: &FloatTensor<B>,
    bias: &FloatTensor<B>,
    [gamma, beta]: [&FloatTensor<B>; 2],
    norm: DenseNorm,
) -> Normalized<B> {
    let input = make_in_order::<B>(input);
    let (rows, outputs) = (input.shape()[0], weight.shape()[1]);
    let mut output = Recycled::new(rows * outputs);
    let kept = sized(layer::<B>(weight).forward_train(
        &values::<B>(&input),
        &values::<B>(weight),
        &norm.with(&values::<B>(gamma), &values::<B>(beta)),
        &mut output,
    ));
    let [mean, variance] = statistics::<B>(kept.moments(), bias);
    let output = like::<B>(&input, output.into_vec(), [rows, outputs]);
    Normalized {
        product: Product { input, output },
        mean,
        variance,
        kept,
    }
}

fn run_norm_infer<B: HostBackend>(
    input: FloatTensor<B>,
    weight: &FloatTensor<B>,
    vectors: [&FloatTensor<B>; 5],
    norm: DenseNorm,
    biased: bool,
) -> FloatTensor<B> {
    let [bias, gamma, beta, mean, variance] = vectors.map(|tensor| values::<B>(tensor));
    let mut map = Affine {
        scale: Vec::new(),
        shift: Vec::new(),
        relu: norm.relu,
    };
    for c in 0..beta.len() {
        let scale = f64::from(gamma[c]) / (f64::from(variance[c]) + norm.epsilon).sqrt();
        let bias = if biased { bias[c] } else { 0.0 };
        let centre = f64::from(bias) - f64::from(mean[c]);
        map.scale.push(scale as f32);
        map.shift.push((f64::from(beta[c]) + scale * centre) as f32);
    }
    run_map::<B>(input, weight, &map).output
}

/// Implements the operations for a backend in main memory.
macro_rules! implement {
    ($backend:ident) => {
        impl DenseOps for burn::backend::$backend {
            fn dense_shift(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                relu: bool,
            ) -> FloatTensor<Self> {
                run_map::<Self>(input, &weight, &shift_map::<Self>(&bias, relu)).output
            }

            fn dense_norm_train(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                beta: FloatTensor<Self>,
                norm: DenseNorm,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let run = run_norm_train::<Self>(input, &weight, &bias, [&gamma, &beta], norm);
                (run.product.output, run.mean, run.variance)
            }
        }

        impl DenseInferOps for burn::backend::$backend {
            fn dense_norm_infer(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                beta: FloatTensor<Self>,
                mean: FloatTensor<Self>,
                variance: FloatTensor<Self>,
                norm: DenseNorm,
                biased: bool,
            ) -> FloatTensor<Self> {
                let vectors = [&bias, &gamma, &beta, &mean, &variance];
                run_norm_infer::<Self>(input, &weight, vectors, norm, biased)
            }
        }
    };
}

#[cfg(feature = "ndarray")]
implement!(NdArray);
#[cfg(feature = "flex")]
implement!(Flex);
