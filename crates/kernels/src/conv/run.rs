//! How a [`ConvBlock`] spreads its work over chunks of images.

use super::{
    ConvBlock, Gradients, Statistics,
    backward::{BackwardChunk, InputFilters},
    band::Outputs,
    chunk::ForwardChunk,
    pack::{Filters, pack_rows},
    weight_grad::Form,
};
use crate::{
    chunks::{cut, cut_mut, images_per_chunk, run},
    error::{Error, check_len},
    norm::{Affine, GradSums, MapChunk, Moments, NormGrad, Normalization, SumsChunk, Tail},
    recycle::Recycled,
    scratch::with_scratch,
    simd::padded,
};

impl ConvBlock {
    /// The number of images, if `input` and `weight` fit the geometry.
    pub(super) fn check(&self, input: &[f32], weight: &[f32]) -> Result<usize, Error> {
        let batch = input.len() / self.geometry.input_len();
        check_len("input", input.len(), batch * self.geometry.input_len())?;
        check_len("weight", weight.len(), self.geometry.weight_len())?;
        Ok(batch)
    }

    pub(super) fn check_norm(&self, norm: &Normalization<'_>) -> Result<(), Error> {
        check_len("gamma", norm.gamma.len(), self.geometry.out_channels)?;
        check_len("beta", norm.beta.len(), self.geometry.out_channels)
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn run_forward(
        &self,
        input: &[f32],
        weight: &[f32],
        map: Option<&Affine>,
        output: &mut [f32],
        chosen: &mut [u8],
        conv: &mut [f32],
        statistics: Option<Statistics>,
    ) -> Moments {
        let geometry = &self.geometry;
        let batch = input.len() / geometry.input_len();
        let filters = Filters::forward(geometry, weight, self.isa);
        let jobs = cut(input, geometry.input_len(), batch)
            .zip(cut_mut(output, geometry.output_len(), batch))
            .zip(cut_mut(chosen, geometry.output_len(), batch))
            .zip(cut_mut(conv, geometry.conv_len(), batch))
            .collect();
        let parts = run(jobs, |(((input, output), chosen), conv)| {
            with_scratch(|scratch| {
                self.isa.run(ForwardChunk {
                    geometry,
                    filters: &filters,
                    input,
                    map,
                    output,
                    chosen,
                    conv,
                    statistics,
                    scratch,
                })
            })
        });
        let mut moments = Moments::default();
        if statistics.is_some() {
            parts.iter().for_each(|part| moments.merge(part));
        }
        moments
    }

    /// Applies a map per channel to the values of a whole batch.
    pub(super) fn run_map(&self, map: &Affine, values: &[f32], output: &mut [f32]) {
        let image = self.geometry.output_len();
        let batch = values.len() / image;
        let jobs = cut(values, image, batch)
            .zip(cut_mut(output, image, batch))
            .collect();
        run(jobs, |(from, to)| {
            self.isa.run(MapChunk {
                map,
                channels: self.geometry.out_channels,
                from,
                to,
            });
        });
    }

    pub(super) fn run_grad_sums(&self, norm: &NormGrad, values: &[f32], grads: &[f32]) -> GradSums {
        let image = self.geometry.output_len();
        let batch = values.len() / image;
        let jobs = cut(values, image, batch)
            .zip(cut(grads, image, batch))
            .collect();
        let parts = run(jobs, |(values, grads)| {
            self.isa.run(SumsChunk {
                norm,
                channels: self.geometry.out_channels,
                image,
                values,
                grads,
            })
        });
        let mut sums = GradSums::zeros(self.geometry.out_channels);
        parts.iter().for_each(|part| sums.merge(part));
        sums
    }

    /// Gradients of a batch. `before_pool` are the values that a normalization before the pool describes.
    pub(super) fn run_backward(
        &self,
        input: &[f32],
        weight: &[f32],
        chosen: &[u8],
        (tail, before_pool): (Tail<'_>, Outputs<'_>),
        output_grad: &[f32],
        input_grad: Option<&mut [f32]>,
    ) -> Result<Gradients, Error> {
        let geometry = &self.geometry;
        let lanes = self.isa.lanes();
        let batch = input.len() / geometry.input_len();
        let outputs = batch * geometry.output_len();
        check_len("output_grad", output_grad.len(), outputs)?;
        check_len(
            "chosen",
            chosen.len(),
            if geometry.pool { outputs } else { 0 },
        )?;
        let dense = !matches!(before_pool, Outputs::Unneeded);
        let form = Form::of(geometry, dense, lanes);
        let filters = match &input_grad {
            None => InputFilters::None,
            Some(_) if form == Form::Sparse => InputFilters::Sparse(pack_rows(
                geometry,
                weight,
                padded(geometry.tap_len(), lanes),
            )),
            Some(_) => InputFilters::Dense(Filters::input_grad(geometry, weight, self.isa)),
        };
        let input_grad = input_grad.unwrap_or_default();
        if !matches!(filters, InputFilters::None) {
            check_len("input_grad", input_grad.len(), input.len())?;
        }

        let jobs: Vec<_> = cut(input, geometry.input_len(), batch)
            .zip(cut(output_grad, geometry.output_len(), batch))
            .zip(cut(chosen, geometry.output_len(), batch))
            .zip(cut_mut(input_grad, geometry.input_len(), batch))
            .zip((0..).map(|chunk| {
                let len = images_per_chunk(batch) * geometry.conv_len();
                before_pool.part(chunk * len, len)
            }))
            .zip(tail.chunks(images_per_chunk(batch) * geometry.output_len()))
            .collect();
        let weight_len = form.len(geometry, lanes);
        let shift_len = padded(geometry.out_channels, lanes);
        let mut weight_sums = Recycled::new(jobs.len() * weight_len);
        let mut shift_sums = vec![0.0; jobs.len() * shift_len];
        let sums = weight_sums
            .chunks_exact_mut(weight_len)
            .zip(shift_sums.chunks_exact_mut(shift_len));
        let jobs = jobs.into_iter().zip(sums).collect();
        run(
            jobs,
            |((((((input, output_grad), chosen), input_grad), before_pool), tail), sums)| {
                sums.0.fill(0.0);
                with_scratch(|scratch| {
                    self.isa.run(BackwardChunk {
                        geometry,
                        form,
                        bf16: self.isa.bf16(),
                        filters: &filters,
                        input,
                        output_grad,
                        chosen,
                        tail,
                        before_pool,
                        input_grad,
                        weight_sum: sums.0,
                        shift_sum: sums.1,
                        scratch,
                    });
                });
            },
        );
        let mut shift = add_up(&shift_sums, shift_len);
        shift.truncate(geometry.out_channels);
        Ok(Gradients {
            weight: form.unpack(geometry, lanes, &add_up(&weight_sums, weight_len)),
            shift,
            scale: Vec::new(),
        })
    }
}

/// Values of a sum that one thread adds up at a time.
const SLICE: usize = 8192;

/// Adds the partial sums of all chunks, in their order.
fn add_up(parts: &[f32], len: usize) -> Vec<f32> {
    let mut sum = vec![0.0; len];
    let jobs = sum.chunks_mut(SLICE).enumerate().collect();
    run(jobs, |(i, sum): (usize, &mut [f32])| {
        for part in parts.chunks_exact(len) {
            let part = &part[i * SLICE..];
            sum.iter_mut()
                .zip(part)
                .for_each(|(sum, part)| *sum += part);
        }
    });
    sum
}
