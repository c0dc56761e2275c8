//! AdamW as one pass over each parameter.

#![allow(deprecated)] // Burn deprecates its ndarray backend, which people still train on.

use burn::{
    backend::{Backend, Dispatch, TensorMetadata, backend_extension, tensor::FloatTensor},
    optim::{AdamWConfig, AdamWState, AdaptiveMomentumState, LearningRate, Optimizer},
    tensor::{Device, Tensor},
};

use super::{
    backend::{HostBackend, implement, like, reuse, values},
    fits, runs_kernels,
};
use crate::optim::{AdamWStep, adamw};

/// AdamW (Loshchilov and Hutter, 2019, arXiv 1711.05101), the same as Burn's `AdamW` with the same state
/// and records, but in one pass over memory and on all threads.
///
/// ```
/// use burn::optim::ModuleOptimizer;
/// use kernels::AdamW;
///
/// let optimizer = ModuleOptimizer::from(AdamW { weight_decay: 0.01, ..AdamW::default() });
/// # let _ = optimizer;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Share of each value that is taken away per step and unit of learning rate.
    pub weight_decay: f32,
}

impl Default for AdamW {
    /// Burn's default values.
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-5,
            weight_decay: 1e-4,
        }
    }
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let device = tensor.device();
        let covered = |other: &Tensor<D>| fits(other, &device) && other.dims() == tensor.dims();
        let continues = |momentum: &AdaptiveMomentumState<D>| {
            covered(&momentum.moment_1)
                && covered(&momentum.moment_2)
                && momentum.max_moment_2.is_none()
        };
        if !runs_kernels(&device)
            || device.is_autodiff()
            || !covered(&tensor)
            || !covered(&grad)
            || !state.iter().all(|state| continues(&state.momentum))
        {
            return self.stock().step(lr, tensor, grad, state);
        }
        let momentum = state.map_or_else(
            || {
                let zeros = Tensor::zeros(tensor.dims(), &device);
                AdaptiveMomentumState::new(0, zeros.clone(), zeros)
            },
            |state| state.momentum,
        );
        let time = momentum.time + 1;
        let correction = |beta: f32| 1.0 / (1.0 - f64::from(beta).powi(time as i32));
        let step = AdamWStep {
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            epsilon: self.epsilon,
            rate: (lr * correction(self.beta_1)) as f32,
            keep: (1.0 - lr * f64::from(self.weight_decay)) as f32,
            correction_2: correction(self.beta_2) as f32,
        };
        let (tensor, moment_1, moment_2) = <Dispatch as OptimOps>::adamw(
            tensor.into_dispatch(),
            grad.into_dispatch(),
            momentum.moment_1.into_dispatch(),
            momentum.moment_2.into_dispatch(),
            step,
        );
        let [moment_1, moment_2] = [moment_1, moment_2].map(Tensor::from_dispatch);
        let momentum = AdaptiveMomentumState::new(time, moment_1, moment_2);
        (
            Tensor::from_dispatch(tensor),
            Some(AdamWState::new(momentum)),
        )
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        <burn::optim::AdamW as Optimizer>::to_device(state, device)
    }
}

impl AdamW {
    /// Burn's own optimizer with the same numbers.
    fn stock(&self) -> burn::optim::AdamW {
        AdamWConfig::new()
            .with_beta_1(self.beta_1)
            .with_beta_2(self.beta_2)
            .with_epsilon(self.epsilon)
            .with_weight_decay(self.weight_decay)
            .build()
    }
}

/// The update of one parameter.
#[backend_extension(
    NdArray: cfg(feature = "ndarray"),
    Flex: cfg(feature = "flex"),
    Remote: cfg(feature = "remote")
)]
pub(crate) trait OptimOps: Backend {
    /// Returns the parameter and both moments after the step.
    fn adamw(
        tensor: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Updates parameter and moments in place, or copies of them where they don't lie in the order of their
/// shape.
fn run_adamw<B: HostBackend>(
    mut tensors: [FloatTensor<B>; 3],
    grad: FloatTensor<B>,
    step: AdamWStep,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let grads = values::<B>(&grad);
    match tensors.each_mut().map(B::as_slice_mut) {
        [Some(tensor), Some(moment_1), Some(moment_2)] => {
            adamw(step, tensor, &grads, moment_1, moment_2);
        }
        _ => {
            let mut copies = tensors.each_ref().map(B::gather);
            let [tensor, moment_1, moment_2] = &mut copies;
            adamw(step, tensor, &grads, moment_1, moment_2);
            for (tensor, copy) in tensors.iter_mut().zip(copies) {
                *tensor = like::<B>(tensor, copy, tensor.shape().to_vec());
            }
        }
    }
    drop(grads);
    reuse::<B>([grad]);
    tensors.into()
}

implement!(OptimOps {
    fn adamw(
        tensor: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        run_adamw::<Self>([tensor, moment_1, moment_2], grad, step)
    }
});
