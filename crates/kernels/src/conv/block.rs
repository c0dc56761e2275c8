//! The convolution block over a batch: cuts the work into chunks and puts the results together.

use super::{Geometry, backward::Tail, chunk::Map};
use crate::{
    error::{Error, check_len},
    norm::{Affine, Moments, NormGrad, pad},
    recycle::Recycled,
    simd::Isa,
};

/// Which values the batch statistics of a normalization describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// All outputs of the convolution: convolution, normalization, ReLU, max-pool.
    Conv,
    /// The values after the max-pool: convolution, max-pool, normalization, ReLU.
    Pooled,
}

/// Parameters of a batch normalization followed by an optional ReLU.
#[derive(Clone, Copy, Debug)]
pub struct Normalization<'a> {
    /// Factor of each channel.
    pub gamma: &'a [f32],
    /// Summand of each channel.
    pub beta: &'a [f32],
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether a ReLU follows.
    pub relu: bool,
    /// Where the normalization stands.
    pub statistics: Statistics,
}

/// What a forward pass keeps for the backward pass. Buffers are `[batch, height, width, channels]`.
#[derive(Debug, Default)]
pub struct Kept {
    /// Values before the normalization, after the pool.
    pooled: Recycled<f32>,
    /// Values before the pool, only for [`Statistics::Conv`] with a pool.
    conv: Recycled<f32>,
    /// Window position of each pooled value.
    chosen: Recycled<u8>,
    /// Batch statistics of the values in `pooled` or `conv`.
    moments: Moments,
}

impl Kept {
    /// Statistics of the batch, without the convolution's bias.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }
}

/// Gradients of the parameters of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// By the weight, `[out_channels, in_channels, kernel, kernel]`.
    pub weight: Vec<f32>,
    /// By the bias, or by `beta`.
    pub shift: Vec<f32>,
    /// By `gamma`; empty without a normalization.
    pub scale: Vec<f32>,
}

/// One convolution block of a fixed geometry.
#[derive(Clone, Copy, Debug)]
pub struct ConvBlock {
    pub(super) geometry: Geometry,
    pub(super) isa: Isa,
}

impl ConvBlock {
    /// A block that runs on the best instruction set of this processor.
    pub fn new(geometry: Geometry) -> Self {
        Self::on(geometry, Isa::best())
    }

    /// A block that runs on a given instruction set.
    pub fn on(geometry: Geometry, isa: Isa) -> Self {
        Self { geometry, isa }
    }

    /// Convolution, max-pool if the geometry has one, then a map per channel.
    ///
    /// `input` is `[batch, height, width, in_channels]`, `output` the same of the block's output; `chosen`,
    /// if given, receives the window position of each pooled value for [`backward`](Self::backward).
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if a slice does not fit the geometry and the batch.
    pub fn forward(
        &self,
        input: &[f32],
        weight: &[f32],
        map: &Affine,
        output: &mut [f32],
        chosen: Option<&mut [u8]>,
    ) -> Result<(), Error> {
        let batch = self.check(input, weight)?;
        let lanes = self.isa.lanes();
        check_len("output", output.len(), batch * self.geometry.output_len())?;
        check_len("scale", map.scale.len(), self.geometry.out_channels)?;
        check_len("shift", map.shift.len(), self.geometry.out_channels)?;
        let chosen = chosen.unwrap_or_default();
        if !chosen.is_empty() {
            check_len("chosen", chosen.len(), batch * self.geometry.output_len())?;
        }
        let (scale, shift) = (pad(&map.scale, lanes), pad(&map.shift, lanes));
        let map = Map {
            scale: &scale,
            shift: &shift,
            relu: map.relu,
        };
        self.run_forward(input, weight, Some(map), output, chosen, &mut [], None);
        Ok(())
    }

    /// Convolution, max-pool and batch normalization in train mode, in the order that
    /// [`Normalization::statistics`] says. Returns what the backward pass needs.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if a slice does not fit the geometry and the batch.
    pub fn forward_train(
        &self,
        input: &[f32],
        weight: &[f32],
        norm: &Normalization<'_>,
        output: &mut [f32],
    ) -> Result<Kept, Error> {
        let batch = self.check(input, weight)?;
        self.check_norm(norm)?;
        let geometry = &self.geometry;
        check_len("output", output.len(), batch * geometry.output_len())?;
        let weight = self.orient(weight, norm);
        let conv_len = if self.statistics(norm) == Statistics::Conv {
            geometry.conv_len()
        } else {
            0
        };
        let chosen_len = if geometry.pool {
            geometry.output_len()
        } else {
            0
        };
        let mut kept = Kept {
            pooled: Recycled::new(batch * geometry.output_len()),
            conv: Recycled::new(batch * conv_len),
            chosen: Recycled::new(batch * chosen_len),
            moments: Moments::default(),
        };
        kept.moments = self.run_forward(
            input,
            &weight,
            None,
            &mut kept.pooled,
            &mut kept.chosen,
            &mut kept.conv,
            Some(self.statistics(norm)),
        );

        let [scale, shift] = self.scale_and_shift(norm, &kept.moments);
        let map = Map {
            scale: &scale,
            shift: &shift,
            relu: norm.relu,
        };
        self.run_map(map, &kept.pooled, output);
        // Statistics of the convolution itself, not of the oriented one.
        if self.statistics(norm) == Statistics::Conv {
            flip_where_negative(norm.gamma, &mut kept.moments.mean);
        }
        Ok(kept)
    }

    /// Gradients of [`forward`](Self::forward) with a scale of one. `output` is what it returned if a
    /// ReLU ended it; `input_grad`, if given, is overwritten.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if a slice does not fit the geometry and the batch.
    pub fn backward(
        &self,
        input: &[f32],
        weight: &[f32],
        relu_output: Option<&[f32]>,
        chosen: &[u8],
        output_grad: &[f32],
        input_grad: Option<&mut [f32]>,
    ) -> Result<Gradients, Error> {
        let batch = self.check(input, weight)?;
        let outputs = batch * self.geometry.output_len();
        let tail = match relu_output {
            Some(outputs) => Tail::Relu { outputs },
            None => Tail::Shift,
        };
        check_len(
            "relu_output",
            relu_output.map_or(outputs, <[f32]>::len),
            outputs,
        )?;
        self.run_backward(input, weight, chosen, tail, output_grad, input_grad)
    }

    /// Gradients of [`forward_train`](Self::forward_train); `input_grad`, if given, is overwritten.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if a slice does not fit the geometry and the batch.
    pub fn backward_train(
        &self,
        input: &[f32],
        weight: &[f32],
        norm: &Normalization<'_>,
        kept: &Kept,
        output_grad: &[f32],
        input_grad: Option<&mut [f32]>,
    ) -> Result<Gradients, Error> {
        let batch = self.check(input, weight)?;
        self.check_norm(norm)?;
        let geometry = &self.geometry;
        let statistics = self.statistics(norm);
        let outputs = batch * geometry.output_len();
        let convs = if statistics == Statistics::Conv {
            batch * geometry.conv_len()
        } else {
            0
        };
        check_len("kept.pooled", kept.pooled.len(), outputs)?;
        check_len("kept.conv", kept.conv.len(), convs)?;
        check_len("output_grad", output_grad.len(), outputs)?;

        let lanes = self.isa.lanes();
        let mut moments = kept.moments.clone();
        if statistics == Statistics::Conv {
            flip_where_negative(norm.gamma, &mut moments.mean);
        }
        let [scale, shift] = self.scale_and_shift(norm, &moments);
        let mean: Vec<f32> = moments.mean.iter().map(|mean| *mean as f32).collect();
        let mut grad = NormGrad {
            scale,
            shift,
            mean: pad(&mean, lanes),
            linear: Vec::new(),
            constant: Vec::new(),
            relu: norm.relu,
        };
        let sums = self.run_grad_sums(&grad, &kept.pooled, output_grad);
        let inverse_deviation = |c: usize| 1.0 / (moments.variance(c) + norm.epsilon).sqrt();
        let channels = 0..geometry.out_channels;
        let linear: Vec<f32> = channels
            .clone()
            .map(|c| {
                let factor = f64::from(grad.scale[c]) * inverse_deviation(c).powi(2);
                (-factor * sums.centred[c] / moments.count) as f32
            })
            .collect();
        let constant: Vec<f32> = channels
            .clone()
            .map(|c| (-f64::from(grad.scale[c]) * sums.plain[c] / moments.count) as f32)
            .collect();
        grad.linear = pad(&linear, lanes);
        grad.constant = pad(&constant, lanes);

        let tail = match statistics {
            Statistics::Conv => Tail::NormAll {
                norm: &grad,
                pooled: &kept.pooled,
                conv: &kept.conv,
            },
            Statistics::Pooled => Tail::Norm {
                norm: &grad,
                pooled: &kept.pooled,
            },
        };
        let oriented = self.orient(weight, norm);
        let mut gradients = self.run_backward(
            input,
            &oriented,
            &kept.chosen,
            tail,
            output_grad,
            input_grad,
        )?;
        gradients.shift = sums.plain.iter().map(|sum| *sum as f32).collect();
        gradients.scale = channels
            .map(|c| (sums.centred[c] * inverse_deviation(c)) as f32)
            .collect();
        if statistics == Statistics::Conv {
            flip_where_negative(norm.gamma, &mut gradients.scale);
            self.flip_filters(norm, &mut gradients.weight);
        }
        Ok(gradients)
    }
}

/// Changes the sign of the values of all channels with a negative `gamma`.
fn flip_where_negative<T: Copy + std::ops::Neg<Output = T>>(gamma: &[f32], values: &mut [T]) {
    for (value, gamma) in values.iter_mut().zip(gamma) {
        if *gamma < 0.0 {
            *value = -*value;
        }
    }
}
