//! The update of AdamW on slices.

use pulp::{Simd, WithSimd};

use crate::{chunks::run, simd::Isa};

/// Values that one thread updates at a time.
const CHUNK: usize = 8192;

/// The numbers of one AdamW step (Loshchilov and Hutter, 2019, arXiv 1711.05101, algorithm 2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamWStep {
    pub(crate) beta_1: f32,
    pub(crate) beta_2: f32,
    pub(crate) epsilon: f32,
    /// Learning rate divided by the bias correction of the first moment.
    pub(crate) rate: f32,
    /// What a value keeps after weight decay.
    pub(crate) keep: f32,
    /// One over the bias correction of the second moment.
    pub(crate) correction_2: f32,
}

#[cfg(feature = "remote")]
impl AdamWStep {
    /// The fields in their order.
    pub(crate) fn numbers(self) -> [f32; 6] {
        let Self {
            beta_1,
            beta_2,
            epsilon,
            rate,
            keep,
            correction_2,
        } = self;
        [beta_1, beta_2, epsilon, rate, keep, correction_2]
    }

    /// The inverse of [`numbers`](Self::numbers).
    pub(crate) fn of_numbers(
        [beta_1, beta_2, epsilon, rate, keep, correction_2]: [f32; 6],
    ) -> Self {
        Self {
            beta_1,
            beta_2,
            epsilon,
            rate,
            keep,
            correction_2,
        }
    }
}

/// Updates parameters and both moments in place. All slices have the same length.
pub(crate) fn adamw(
    step: AdamWStep,
    values: &mut [f32],
    grads: &[f32],
    moment_1: &mut [f32],
    moment_2: &mut [f32],
) {
    let jobs = values
        .chunks_mut(CHUNK)
        .zip(grads.chunks(CHUNK))
        .zip(moment_1.chunks_mut(CHUNK))
        .zip(moment_2.chunks_mut(CHUNK))
        .collect();
    let isa = Isa::best();
    run(jobs, |(((values, grads), moment_1), moment_2)| {
        isa.run(Chunk {
            step,
            values,
            grads,
            moment_1,
            moment_2,
        });
    });
}

struct Chunk<'a> {
    step: AdamWStep,
    values: &'a mut [f32],
    grads: &'a [f32],
    moment_1: &'a mut [f32],
    moment_2: &'a mut [f32],
}

impl WithSimd for Chunk<'_> {
    type Output = ();

    /// A plain loop: the compiler vectorizes it for the instruction set that it is compiled for here.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let AdamWStep {
            beta_1,
            beta_2,
            epsilon,
            rate,
            keep,
            correction_2,
        } = self.step;
        let moments = self.moment_1.iter_mut().zip(self.moment_2.iter_mut());
        let values = self.values.iter_mut().zip(self.grads);
        for ((value, grad), (moment_1, moment_2)) in values.zip(moments) {
            *moment_1 = beta_1 * *moment_1 + (1.0 - beta_1) * grad;
            *moment_2 = beta_2 * *moment_2 + (1.0 - beta_2) * (grad * grad);
            let deviation = (*moment_2 * correction_2).sqrt() + epsilon;
            *value = keep * *value - rate * *moment_1 / deviation;
        }
    }
}
