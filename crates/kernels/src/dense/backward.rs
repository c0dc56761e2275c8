//! Gradients of a dense layer.

use super::{
    Dense, Kept, ROWS,
    chunk::{GradChunk, InputGradChunk, WeightGradChunk, pack_transposed},
    pairs,
};
use crate::{
    chunks::run,
    conv::Gradients,
    error::{Error, check_len},
    norm::{GradSums, NormGrad, Normalization, SumsChunk, Tail},
    recycle::Recycled,
    scratch::with_scratch,
    simd::padded,
};

/// Inputs for which one thread computes weight gradients at a time.
pub(super) const INPUTS: usize = 55;

impl Dense {
    /// Gradients of [`forward`](Self::forward) with a scale of one. `relu_output` is what it returned if
    /// a ReLU ended it; `output_grad` is `[batch, outputs]`; `input_grad`, if given, is `[batch, inputs]` and
    /// overwritten.
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

    /// Gradients of [`forward_train`](Self::forward_train), of which `kept` is the result for the same `input`,
    /// `weight` and `norm`. The shapes are those of [`backward`](Self::backward).
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
                channels,
                image: values.len(),
                values,
                grads,
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
        if let Some(bf16) = self.isa.bf16() {
            pairs::weight_grad(bf16, self.inputs, stride, input, &grads, &mut weight_grad);
        } else {
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
        }
        let weight_grad = if stride == channels {
            weight_grad.into_vec()
        } else {
            let rows = weight_grad.chunks_exact(stride);
            rows.flat_map(|row| &row[..channels]).copied().collect()
        };

        if let Some(input_grad) = input_grad {
            check_len("input_grad", input_grad.len(), input.len())?;
            let filters = pack_transposed(self.isa, weight, [self.inputs, channels]);
            let jobs = grads
                .chunks(ROWS * stride)
                .zip(input_grad.chunks_mut(ROWS * self.inputs))
                .collect();
            run(jobs, |(grads, input_grad)| {
                with_scratch(|scratch| {
                    self.isa.run(InputGradChunk {
                        inputs: self.inputs,
                        stride,
                        filters: &filters,
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
