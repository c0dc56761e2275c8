//! A linear layer, a bias or a normalization, and ReLU as one operation.
//!
//! Written once for every [`Layer`]: a further kind of layer needs its kernels on slices and an
//! implementation of that trait.

#[cfg(feature = "autodiff")]
mod autodiff;
pub(super) mod extension;
mod layer;
#[cfg(feature = "autodiff")]
pub(super) mod passes;

use burn::{backend::Dispatch, nn::BatchNorm, tensor::Tensor};

use self::extension::{FusedOps, InferOps, Norm};
pub(super) use self::layer::Layer;
#[cfg(feature = "remote")]
pub(super) use self::layer::Packed;
use super::{fits, running, runs_kernels, update_running};

/// What a block computes with.
pub(super) struct Block<'a, const D: usize> {
    pub(super) weight: Tensor<D>,
    pub(super) bias: Option<Tensor<1>>,
    pub(super) norm: Option<&'a BatchNorm>,
    pub(super) relu: bool,
}

impl<const D: usize> Block<'_, D> {
    /// Runs the block on the kernels of `layer`, or `stock` where they don't cover the call.
    ///
    /// As in Burn, a normalization uses and updates the statistics of the batch if `x` is on an autodiff
    /// device and the normalization is not frozen, else the running statistics.
    pub(super) fn run<L: Layer>(
        self,
        x: Tensor<D>,
        layer: Option<L>,
        stock: impl FnOnce(Tensor<D>) -> Tensor<D>,
    ) -> Tensor<D> {
        let device = x.device();
        let affine = self.norm.map(|norm| [norm.gamma.val(), norm.beta.val()]);
        let covered = |layer: &L| {
            let mut vectors = self.bias.iter().chain(affine.iter().flatten());
            runs_kernels(&device)
                && x.dims()[0] > 0
                && fits(&x, &device)
                && fits(&self.weight, &device)
                && vectors.all(|vector| vector.dims() == [layer.outputs()] && fits(vector, &device))
        };
        let Some(layer) = layer.filter(covered) else {
            return stock(x);
        };
        let Self { weight, relu, .. } = self;
        let bias = self
            .bias
            .unwrap_or_else(|| Tensor::zeros([layer.outputs()], &device));
        let Some((norm, [gamma, beta])) = self.norm.zip(affine) else {
            return Tensor::from_dispatch(<Dispatch as FusedOps>::shift(
                x.into_dispatch(),
                weight.into_dispatch(),
                bias.into_dispatch(),
                layer,
                relu,
            ));
        };

        let epsilon = norm.epsilon;
        if device.is_autodiff() && norm.training.is_enabled() {
            let (output, mean, variance) = <Dispatch as FusedOps>::norm_train(
                x.into_dispatch(),
                weight.into_dispatch(),
                bias.into_dispatch(),
                gamma.into_dispatch(),
                beta.into_dispatch(),
                layer,
                Norm { epsilon, relu },
            );
            let [mean, variance] = [mean, variance].map(Tensor::from_dispatch);
            update_running(norm, mean, variance);
            return Tensor::from_dispatch(output);
        }

        let tracked = device.is_autodiff()
            || weight.device().is_autodiff()
            || [&bias, &gamma, &beta]
                .iter()
                .any(|vector| vector.device().is_autodiff());
        let Some([mean, variance]) = running(norm, &device).filter(|_| !tracked) else {
            return stock(x);
        };
        Tensor::from_dispatch(<Dispatch as InferOps>::norm_infer(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
            gamma.into_dispatch(),
            beta.into_dispatch(),
            mean.into_dispatch(),
            variance.into_dispatch(),
            layer,
            Norm { epsilon, relu },
        ))
    }
}
