//! The convolution block over a batch: cuts the work into chunks and puts the results together.

use super::{
    Geometry,
    band::Outputs,
    orient::{Oriented, flip_filters},
    pack::pack_forward,
};
use crate::{
    error::{Error, check_len},
    norm::{Affine, Moments, NormGrad, Normalization, Tail},
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

/// What a forward pass keeps for the backward pass. Buffers are `[batch, height, width, channels]`.
#[derive(Debug, Default)]
pub struct Kept {
    /// Values before the normalization, after the pool.
    pooled: Recycled<f32>,
    /// Values before the pool, only for [`Statistics::Conv`] with a pool, where they aren't computed again.
    conv: Recycled<f32>,
    /// Window position of each pooled value.
    chosen: Recycled<u8>,
    /// Batch statistics of the convolution with the given weight; where `gamma` is negative and the pool
    /// comes last, `pooled` and `conv` hold the negatives of what they describe.
    moments: Moments,
    /// Whether `moments` describes the values before the pool.
    before_pool: bool,
}

impl Kept {
    /// Statistics of the batch, without the convolution's bias.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }
}

#[cfg(feature = "remote")]
impl Kept {
    /// As buffers that can be tensors.
    pub(crate) fn into_buffers(self) -> ([Vec<f32>; 2], Vec<u8>) {
        let mut bytes = self.moments.to_bytes();
        bytes.push(u8::from(self.before_pool));
        bytes.extend_from_slice(&self.chosen);
        ([self.pooled.into_vec(), self.conv.into_vec()], bytes)
    }

    /// The inverse of [`into_buffers`](Self::into_buffers); none if bytes are missing.
    pub(crate) fn from_buffers([pooled, conv]: [Vec<f32>; 2], bytes: &[u8]) -> Option<Self> {
        let (moments, bytes) = Moments::from_bytes(bytes)?;
        let (before_pool, chosen) = bytes.split_first()?;
        Some(Kept {
            pooled: pooled.into(),
            conv: conv.into(),
            chosen: chosen.to_vec().into(),
            moments,
            before_pool: *before_pool != 0,
        })
    }
}

/// Gradients of the parameters of a block or of a dense layer, summed over the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// By the weight, in its order: `[out_channels, in_channels, kernel, kernel]`, or `[inputs, outputs]` of a
    /// dense layer.
    pub weight: Vec<f32>,
    /// By the bias, or by `beta`: one per output channel.
    pub shift: Vec<f32>,
    /// By `gamma`, one per output channel; empty without a normalization.
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
    pub fn on(mut geometry: Geometry, isa: Isa) -> Self {
        geometry.bf16 = isa.bf16().is_some();
        Self { geometry, isa }
    }

    /// Convolution, max-pool if the geometry has one, then a map per channel: a bias where its scale is one, or a
    /// normalization by running statistics.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, height, width, in_channels]`; its length says what the batch is
    /// - `weight`: `[out_channels, in_channels, kernel, kernel]`
    /// - `map`: `[out_channels]` each
    /// - `output`: `[batch, height', width', out_channels]`, of the geometry's [`output_size`](Geometry::output_size);
    ///   overwritten
    /// - `chosen`, if given: that of `output`; receives the window position of each pooled value, 0 to 3 row by row,
    ///   for [`backward`](Self::backward)
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
        check_len("output", output.len(), batch * self.geometry.output_len())?;
        check_len("scale", map.scale.len(), self.geometry.out_channels)?;
        check_len("shift", map.shift.len(), self.geometry.out_channels)?;
        let chosen = chosen.unwrap_or_default();
        if !chosen.is_empty() {
            check_len("chosen", chosen.len(), batch * self.geometry.output_len())?;
        }
        let map = map.padded(self.isa.lanes());
        self.run_forward(input, weight, Some(&map), output, chosen, &mut [], None);
        Ok(())
    }

    /// Convolution, max-pool and batch normalization by the statistics of the batch, in the order that
    /// `statistics` says. Returns what the backward pass needs.
    ///
    /// The shapes are those of [`forward`](Self::forward); `gamma` and `beta` are `[out_channels]`. A bias of the
    /// convolution changes nothing here, as the normalization subtracts the mean.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if a slice does not fit the geometry and the batch.
    pub fn forward_train(
        &self,
        input: &[f32],
        weight: &[f32],
        norm: &Normalization<'_>,
        statistics: Statistics,
        output: &mut [f32],
    ) -> Result<Kept, Error> {
        let geometry = &self.geometry;
        let batch = self.check(input, weight)?;
        self.check_norm(norm)?;
        check_len("output", output.len(), batch * geometry.output_len())?;
        let before_pool = geometry.pool && statistics == Statistics::Conv;
        let oriented = Oriented::new(weight, norm, before_pool);
        let conv_len = if before_pool && !geometry.is_cheap() {
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
            before_pool,
        };
        kept.moments = self.run_forward(
            input,
            &oriented.weight,
            None,
            &mut kept.pooled,
            &mut kept.chosen,
            &mut kept.conv,
            Some(if before_pool {
                Statistics::Conv
            } else {
                Statistics::Pooled
            }),
        );
        let map = oriented.norm(norm).map(&kept.moments, self.isa.lanes());
        self.run_map(&map, &kept.pooled, output);
        oriented.flip(norm, &mut kept.moments.mean);
        Ok(kept)
    }

    /// Gradients of [`forward`](Self::forward) with a scale of one. `relu_output` is what it returned if
    /// a ReLU ended it, `chosen` what it noted, empty without a pool.
    ///
    /// # Shapes
    ///
    /// - `input`, `weight`, `relu_output`, `chosen`: as in the forward pass
    /// - `output_grad`: that of the output
    /// - `input_grad`, if given: that of the input; overwritten
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
        self.run_backward(
            input,
            weight,
            chosen,
            (tail, Outputs::Unneeded),
            output_grad,
            input_grad,
        )
    }

    /// Gradients of [`forward_train`](Self::forward_train), of which `kept` is the result for the same `input`,
    /// `weight` and `norm`; `output_grad` has the shape of the output, and `input_grad`, if given, that of the input,
    /// and is overwritten.
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
        let geometry = &self.geometry;
        let batch = self.check(input, weight)?;
        self.check_norm(norm)?;
        let outputs = batch * geometry.output_len();
        let again = kept.before_pool && geometry.is_cheap();
        let convs = if kept.before_pool && !again {
            batch * geometry.conv_len()
        } else {
            0
        };
        check_len("kept.pooled", kept.pooled.len(), outputs)?;
        check_len("kept.conv", kept.conv.len(), convs)?;
        check_len("output_grad", output_grad.len(), outputs)?;

        let oriented = Oriented::new(weight, norm, kept.before_pool);
        let mut moments = kept.moments.clone();
        oriented.flip(norm, &mut moments.mean);
        let oriented_norm = oriented.norm(norm);
        let mut grad = NormGrad::new(&oriented_norm, &moments, self.isa.lanes());
        let sums = self.run_grad_sums(&grad, &kept.pooled, output_grad);
        let [mut scale, shift] = grad.complete(&sums, &oriented_norm, &moments);

        let tail = Tail::Norm {
            norm: &grad,
            values: &kept.pooled,
        };
        let packed = again.then(|| pack_forward(geometry, &oriented.weight, self.isa.lanes()));
        let outputs = match &packed {
            Some(packed) => Outputs::Again(packed),
            None if kept.before_pool => Outputs::Kept(&kept.conv),
            None => Outputs::Unneeded,
        };
        let mut gradients = self.run_backward(
            input,
            &oriented.weight,
            &kept.chosen,
            (tail, outputs),
            output_grad,
            input_grad,
        )?;
        if oriented.flipped {
            flip_filters(norm.gamma, &mut gradients.weight);
        }
        oriented.flip(norm, &mut scale);
        Ok(Gradients {
            scale,
            shift,
            ..gradients
        })
    }
}
