//! A dense layer on slices: matrix product, normalization or bias, ReLU, and their gradients.
//!
//! Values are `[batch, inputs]` and `[batch, outputs]`; the weight is in Burn's order, `[inputs, outputs]`.
//! The matrix products run on the tiles of the convolution.

mod chunk;

use crate::{
    chunks::run,
    conv::Gradients,
    error::{Error, check_len},
    norm::{Affine, GradSums, Moments, NormGrad, Normalization},
    recycle::Recycled,
    scratch::with_scratch,
    simd::{Isa, padded},
};
use chunk::{
    GradChunk, InputGradChunk, MapChunk, MomentsChunk, ProductChunk, SumsChunk, Tail,
    WeightGradChunk, pack_matrix, pack_transposed,
};

/// Rows of the batch that one thread multiplies at a time: two full tiles of the widest vectors.
const ROWS: usize = 22;

/// Inputs for which one thread computes weight gradients at a time.
const INPUTS: usize = 55;

/// One dense layer of a fixed size.
#[derive(Clone, Copy, Debug)]
pub struct Dense {
    inputs: usize,
    pub(crate) outputs: usize,
    isa: Isa,
}

/// What a forward pass with a normalization keeps for the backward pass.
#[derive(Debug, Default)]
pub struct Kept {
    /// Values before the normalization, `[batch, outputs]`.
    values: Recycled<f32>,
    moments: Moments,
}

impl Kept {
    /// Statistics of the batch, without the layer's bias.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }
}

impl Dense {
    /// A layer that runs on the best instruction set of this processor.
    ///
    /// # Errors
    ///
    /// [`Error::Dense`] if a size is zero.
    pub fn new(inputs: usize, outputs: usize) -> Result<Self, Error> {
        Self::on(inputs, outputs, Isa::best())
    }

    /// A layer that runs on a given instruction set.
    ///
    /// # Errors
    ///
    /// [`Error::Dense`] if a size is zero.
    pub fn on(inputs: usize, outputs: usize, isa: Isa) -> Result<Self, Error> {
        if inputs == 0 || outputs == 0 {
            return Err(Error::Dense { inputs, outputs });
        }
        Ok(Self {
            inputs,
            outputs,
            isa,
        })
    }

    /// Matrix product, then a map per output.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if a slice does not fit the layer and the batch.
    pub fn forward(
        &self,
        input: &[f32],
        weight: &[f32],
        map: &Affine,
        output: &mut [f32],
    ) -> Result<(), Error> {
        let batch = self.check(input, weight)?;
        check_len("output", output.len(), batch * self.outputs)?;
        check_len("scale", map.scale.len(), self.outputs)?;
        check_len("shift", map.shift.len(), self.outputs)?;
        let map = map.padded(self.isa.lanes());
        self.multiply(input, weight, Some(&map), output);
        Ok(())
    }

    /// Matrix product and batch normalization by the statistics of the batch. Returns what the backward
    /// pass needs.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if a slice does not fit the layer and the batch.
    pub fn forward_train(
        &self,
        input: &[f32],
        weight: &[f32],
        norm: &Normalization<'_>,
        output: &mut [f32],
    ) -> Result<Kept, Error> {
        let batch = self.check(input, weight)?;
        self.check_norm(norm)?;
        check_len("output", output.len(), batch * self.outputs)?;
        let mut values = Recycled::new(batch * self.outputs);
        self.multiply(input, weight, None, &mut values);

        let channels = self.outputs;
        let rows = ROWS * channels;
        let jobs = values.chunks(rows).collect();
        let parts = run(jobs, |values| {
            self.isa.run(MomentsChunk { values, channels })
        });
        let mut moments = Moments::default();
        parts.iter().for_each(|part| moments.merge(part));

        let map = norm.map(&moments, self.isa.lanes());
        let jobs = values.chunks(rows).zip(output.chunks_mut(rows)).collect();
        run(jobs, |(from, to)| {
            self.isa.run(MapChunk {
                map: &map,
                channels,
                from,
                to,
            });
        });
        Ok(Kept { values, moments })
    }

    /// Gradients of [`forward`](Self::forward) with a scale of one. `relu_output` is what it returned if
    /// a ReLU ended it; `input_grad`, if given, is overwritten.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if a slice does not fit the layer and the batch.
    pub fn backward(
        &self,
        input: &[f32],
        weight: &[f32],
        relu_output: Option<&[f32]>,
        output_grad: &[f32],
        input_grad: Option<&mut [f32]>,
    ) -> Result<Gradients, Error> {
        let batch = self.check(input, weight)?;
        let outputs = batch * self.outputs;
        check_len("output_grad", output_grad.len(), outputs)?;
        let tail = match relu_output {
            Some(output) => {
                check_len("relu_output", output.len(), outputs)?;
                Tail::Relu { outputs: output }
            }
            None => Tail::Shift,
        };
        self.gradients(input, weight, tail, output_grad, input_grad)
    }

    /// Gradients of [`forward_train`](Self::forward_train); `input_grad`, if given, is overwritten.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if a slice does not fit the layer and the batch.
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
        check_len("kept.values", kept.values.len(), batch * self.outputs)?;
        check_len("output_grad", output_grad.len(), batch * self.outputs)?;

        let mut grad = NormGrad::new(norm, &kept.moments, self.isa.lanes());
        let channels = self.outputs;
        let rows = ROWS * channels;
        let jobs = kept
            .values
            .chunks(rows)
            .zip(output_grad.chunks(rows))
            .collect();
        let parts = run(jobs, |(values, grads)| {
            self.isa.run(SumsChunk {
                norm: &grad,
                values,
                grads,
                channels,
            })
        });
        let mut sums = GradSums::zeros(channels);
        parts.iter().for_each(|part| sums.merge(part));
        let [scale, shift] = grad.complete(&sums, norm, &kept.moments);

        let tail = Tail::Norm {
            norm: &grad,
            values: &kept.values,
        };
        let gradients = self.gradients(input, weight, tail, output_grad, input_grad)?;
        Ok(Gradients {
            scale,
            shift,
            ..gradients
        })
    }

    /// The number of rows, if `input` and `weight` fit the layer.
    fn check(&self, input: &[f32], weight: &[f32]) -> Result<usize, Error> {
        let batch = input.len() / self.inputs;
        check_len("input", input.len(), batch * self.inputs)?;
        check_len("weight", weight.len(), self.inputs * self.outputs)?;
        Ok(batch)
    }

    fn check_norm(&self, norm: &Normalization<'_>) -> Result<(), Error> {
        check_len("gamma", norm.gamma.len(), self.outputs)?;
        check_len("beta", norm.beta.len(), self.outputs)
    }

    fn multiply(&self, input: &[f32], weight: &[f32], map: Option<&Affine>, output: &mut [f32]) {
        let matrix = pack_matrix(weight, self.outputs, self.isa.lanes());
        let jobs = input
            .chunks(ROWS * self.inputs)
            .zip(output.chunks_mut(ROWS * self.outputs))
            .collect();
        run(jobs, |(input, output)| {
            with_scratch(|scratch| {
                self.isa.run(ProductChunk {
                    sizes: [self.inputs, self.outputs],
                    input,
                    matrix: &matrix,
                    map,
                    output,
                    scratch,
                });
            });
        });
    }

    fn gradients(
        &self,
        input: &[f32],
        weight: &[f32],
        tail: Tail<'_>,
        output_grad: &[f32],
        input_grad: Option<&mut [f32]>,
    ) -> Result<Gradients, Error> {
        let (batch, channels) = (input.len() / self.inputs, self.outputs);
        let stride = padded(channels, self.isa.lanes());

        let mut grads = Recycled::new(batch * stride);
        let jobs: Vec<_> = grads
            .chunks_mut(ROWS * stride)
            .zip(output_grad.chunks(ROWS * channels))
            .zip(tail.chunks(ROWS * channels))
            .collect();
        let mut shift_sums = vec![0.0; jobs.len() * stride];
        let jobs = jobs
            .into_iter()
            .zip(shift_sums.chunks_exact_mut(stride))
            .collect();
        run(jobs, |(((grads, output_grad), tail), shift_sum)| {
            self.isa.run(GradChunk {
                channels,
                tail,
                output_grad,
                grads,
                shift_sum,
            });
        });
        let mut shift = vec![0.0; channels];
        for part in shift_sums.chunks_exact(stride) {
            shift
                .iter_mut()
                .zip(part)
                .for_each(|(sum, part)| *sum += part);
        }

        let mut weight_grad = Recycled::new(self.inputs * stride);
        let jobs = weight_grad
            .chunks_mut(INPUTS * stride)
            .enumerate()
            .collect();
        run(jobs, |(i, sum)| {
            self.isa.run(WeightGradChunk {
                inputs: self.inputs,
                first: i * INPUTS,
                input,
                grads: &grads,
                stride,
                sum,
            });
        });
        let weight_grad = if stride == channels {
            weight_grad.into_vec()
        } else {
            let rows = weight_grad.chunks_exact(stride);
            rows.flat_map(|row| &row[..channels]).copied().collect()
        };

        if let Some(input_grad) = input_grad {
            check_len("input_grad", input_grad.len(), input.len())?;
            let packed = pack_transposed(self.isa, weight, [self.inputs, channels]);
            let jobs = grads
                .chunks(ROWS * stride)
                .zip(input_grad.chunks_mut(ROWS * self.inputs))
                .collect();
            run(jobs, |(grads, input_grad)| {
                with_scratch(|scratch| {
                    self.isa.run(InputGradChunk {
                        inputs: self.inputs,
                        stride,
                        packed: &packed,
                        grads,
                        input_grad,
                        scratch,
                    });
                });
            });
        }
        Ok(Gradients {
            weight: weight_grad,
            shift,
            scale: Vec::new(),
        })
    }
}
