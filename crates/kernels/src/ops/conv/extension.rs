//! The operations on backend tensors, dispatched by Burn. Images are `[batch, channels, height, width]`, and
//! those that come out lie in memory as `[batch, height, width, channels]`, the order of the kernels.

#![allow(deprecated)] // Burn deprecates its ndarray backend, which people still train on.

use burn::backend::{Backend, backend_extension, tensor::FloatTensor};

use super::super::{
    backend::{HostBackend, channels_first, channels_last, in_order, like, statistics, values},
    sized,
};
use crate::{
    Affine, Normalization,
    conv::{ConvBlock, Geometry, Kept, Statistics},
    layout::{channels_last_to_first, dims4},
    recycle::Recycled,
};

/// Where a normalization stands, and what it adds to the variance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Norm {
    pub(crate) statistics: Statistics,
    pub(crate) epsilon: f64,
}

/// Operations with a gradient.
#[backend_extension(
    NdArray: cfg(feature = "ndarray"),
    Flex: cfg(feature = "flex"),
    Autodiff: cfg(feature = "autodiff")
)]
pub(crate) trait ConvOps: Backend {
    /// Convolution, bias, ReLU if asked for, max-pool if the geometry has one.
    fn conv_shift(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        relu: bool,
    ) -> FloatTensor<Self>;

    /// Convolution, batch normalization by the statistics of the batch, ReLU, max-pool. Returns the
    /// output, and mean and biased variance of what was normalized.
    fn conv_norm_train(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        geometry: Geometry,
        norm: Norm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// The same values, lying in the order `[batch, channels * height * width]`.
    fn flatten_channels_first(input: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Operations without a gradient.
#[backend_extension(NdArray: cfg(feature = "ndarray"), Flex: cfg(feature = "flex"))]
pub(crate) trait InferOps: Backend {
    /// Convolution, batch normalization by given statistics, ReLU, max-pool. `bias` is not read unless
    /// `biased`.
    #[allow(clippy::too_many_arguments)]
    fn conv_norm_infer(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        geometry: Geometry,
        norm: Norm,
        biased: bool,
    ) -> FloatTensor<Self>;
}

/// What a forward pass with a bias returns and keeps.
pub(crate) struct Shifted<B: HostBackend> {
    pub(crate) input: FloatTensor<B>,
    pub(crate) output: FloatTensor<B>,
    pub(crate) chosen: Recycled<u8>,
}

/// Runs [`ConvOps::conv_shift`]; `keep` says whether a backward pass will follow.
pub(crate) fn run_shift<B: HostBackend>(
    input: FloatTensor<B>,
    weight: &FloatTensor<B>,
    bias: &FloatTensor<B>,
    geometry: Geometry,
    relu: bool,
    keep: bool,
) -> Shifted<B> {
    let input = in_order::<B>(input);
    let input_values = values::<B>(&input);
    let batch = input_values.len() / geometry.input_len();
    let map = Affine {
        scale: vec![1.0; geometry.out_channels],
        shift: values::<B>(bias).into_owned(),
        relu,
    };
    let mut output = Recycled::new(batch * geometry.output_len());
    let kept = if keep && geometry.pool {
        output.len()
    } else {
        0
    };
    let mut chosen = Recycled::new(kept);
    sized(ConvBlock::new(geometry).forward(
        &input_values,
        &values::<B>(weight),
        &map,
        &mut output,
        Some(&mut chosen),
    ));
    let output = like::<B>(&input, output.into_vec(), output_shape(batch, &geometry));
    drop(input_values);
    Shifted {
        input,
        output,
        chosen,
    }
}

/// What a forward pass with a normalization returns and keeps.
pub(crate) struct Normalized<B: HostBackend> {
    pub(crate) input: FloatTensor<B>,
    pub(crate) output: FloatTensor<B>,
    pub(crate) mean: FloatTensor<B>,
    pub(crate) variance: FloatTensor<B>,
    pub(crate) kept: Kept,
}

/// Runs [`ConvOps::conv_norm_train`].
pub(crate) fn run_norm_train<B: HostBackend>(
    input: FloatTensor<B>,
    weight: &FloatTensor<B>,
    bias: &FloatTensor<B>,
    [gamma, beta]: [&FloatTensor<B>; 2],
    geometry: Geometry,
    norm: Norm,
) -> Normalized<B> {
    let input = in_order::<B>(input);
    let input_values = values::<B>(&input);
    let batch = input_values.len() / geometry.input_len();
    let mut output = Recycled::new(batch * geometry.output_len());
    let (gamma, beta) = (values::<B>(gamma), values::<B>(beta));
    let kept = sized(ConvBlock::new(geometry).forward_train(
        &input_values,
        &values::<B>(weight),
        &norm.with(&gamma, &beta),
        norm.statistics,
        &mut output,
    ));
    let [mean, variance] = statistics::<B>(kept.moments(), bias);
    let output = like::<B>(&input, output.into_vec(), output_shape(batch, &geometry));
    drop(input_values);
    Normalized {
        input,
        output,
        mean,
        variance,
        kept,
    }
}

fn run_norm_infer<B: HostBackend>(
    input: FloatTensor<B>,
    [weight, bias, gamma, beta, mean, variance]: [FloatTensor<B>; 6],
    geometry: Geometry,
    norm: Norm,
    biased: bool,
) -> FloatTensor<B> {
    let input = in_order::<B>(input);
    let input_values = values::<B>(&input);
    let batch = input_values.len() / geometry.input_len();
    let mut weight = values::<B>(&weight);
    let [bias, gamma, beta, mean, variance] =
        [&bias, &gamma, &beta, &mean, &variance].map(|tensor| values::<B>(tensor));
    let filter_len = geometry.weight_len() / geometry.out_channels;
    let mut map = Affine {
        scale: Vec::new(),
        shift: Vec::new(),
        relu: true,
    };
    for c in 0..geometry.out_channels {
        let scale = f64::from(gamma[c]) / (f64::from(variance[c]) + norm.epsilon).sqrt();
        let bias = if biased { bias[c] } else { 0.0 };
        let centre = f64::from(bias) - f64::from(mean[c]);
        map.shift.push((f64::from(beta[c]) + scale * centre) as f32);
        if geometry.pool && norm.statistics == Statistics::Conv && scale < 0.0 {
            // The pool takes the maximum after this factor, so the filter takes its sign.
            let filter = &mut weight.to_mut()[c * filter_len..][..filter_len];
            filter.iter_mut().for_each(|value| *value = -*value);
            map.scale.push(-scale as f32);
        } else {
            map.scale.push(scale as f32);
        }
    }
    let mut output = Recycled::new(batch * geometry.output_len());
    sized(ConvBlock::new(geometry).forward(&input_values, &weight, &map, &mut output, None));
    like::<B>(&input, output.into_vec(), output_shape(batch, &geometry))
}

/// Runs [`ConvOps::flatten_channels_first`].
pub(crate) fn run_flatten<B: HostBackend>(input: FloatTensor<B>) -> FloatTensor<B> {
    let shape = dims4(&burn::backend::TensorMetadata::shape(&input));
    let [batch, height, width, channels] = shape;
    let flat = channels_last_to_first(&values::<B>(&input), shape);
    like::<B>(&input, flat, [batch, channels * height * width])
}

impl Norm {
    /// The normalization of the slice kernels; a ReLU always follows here.
    pub(crate) fn with<'a>(self, gamma: &'a [f32], beta: &'a [f32]) -> Normalization<'a> {
        Normalization {
            gamma,
            beta,
            epsilon: self.epsilon,
            relu: true,
        }
    }
}

fn output_shape(batch: usize, geometry: &Geometry) -> [usize; 4] {
    let [height, width] = geometry.output_size();
    [batch, height, width, geometry.out_channels]
}

/// Implements the operations for a backend in main memory.
macro_rules! implement {
    ($backend:ident) => {
        impl ConvOps for burn::backend::$backend {
            fn conv_shift(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                geometry: Geometry,
                relu: bool,
            ) -> FloatTensor<Self> {
                let input = channels_last::<Self>(input);
                let run = run_shift::<Self>(input, &weight, &bias, geometry, relu, false);
                channels_first::<Self>(run.output)
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
                let (input, parameters) = (channels_last::<Self>(input), [&gamma, &beta]);
                let run = run_norm_train::<Self>(input, &weight, &bias, parameters, geometry, norm);
                let output = channels_first::<Self>(run.output);
                (output, run.mean, run.variance)
            }

            fn flatten_channels_first(input: FloatTensor<Self>) -> FloatTensor<Self> {
                run_flatten::<Self>(channels_last::<Self>(input))
            }
        }

        impl InferOps for burn::backend::$backend {
            fn conv_norm_infer(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                beta: FloatTensor<Self>,
                mean: FloatTensor<Self>,
                variance: FloatTensor<Self>,
                geometry: Geometry,
                norm: Norm,
                biased: bool,
            ) -> FloatTensor<Self> {
                let input = channels_last::<Self>(input);
                let parameters = [weight, bias, gamma, beta, mean, variance];
                let output = run_norm_infer::<Self>(input, parameters, geometry, norm, biased);
                channels_first::<Self>(output)
            }
        }
    };
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)]
mod ndarray {
    use super::*;
    implement!(NdArray);
}

#[cfg(feature = "flex")]
mod flex {
    use super::*;
    implement!(Flex);
}
