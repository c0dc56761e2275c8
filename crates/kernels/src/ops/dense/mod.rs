//! Dense layers.

#[cfg(feature = "autodiff")]
mod autodiff;
mod extension;

use burn::{
    backend::Dispatch,
    nn::{BatchNorm, Linear},
    tensor::{Tensor, activation::relu},
};

use self::extension::{DenseInferOps, DenseNorm, DenseOps};
use super::{fits, has_kernels, running, update_running};

/// One dense layer: `linear`, `norm` if given, ReLU if asked for.
///
/// `x` is `[batch, inputs]`; returns `[batch, outputs]`. The normalization behaves as in
/// [`conv_block`](crate::conv_block).
pub fn dense_block(
    x: Tensor<2>,
    linear: &Linear,
    norm: Option<&BatchNorm>,
    with_relu: bool,
) -> Tensor<2> {
    let weight = linear.weight.val();
    let bias = linear.bias.as_ref().map(|bias| bias.val());
    let parameters = norm.map(|norm| [norm.gamma.val(), norm.beta.val()]);
    let device = x.device();
    let [inputs, outputs] = weight.dims();
    let covered = has_kernels(&device)
        && x.dims()[0] > 0
        && x.dims()[1] == inputs
        && inputs > 0
        && outputs > 0
        && fits(&x, &device)
        && fits(&weight, &device)
        && bias
            .iter()
            .chain(parameters.iter().flatten())
            .all(|vector| vector.dims() == [outputs] && fits(vector, &device));
    let stock = |x: Tensor<2>| {
        let x = linear.forward(x);
        let x = match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        if with_relu { relu(x) } else { x }
    };
    if !covered {
        return stock(x);
    }
    let zeros = || Tensor::zeros([outputs], &device);
    let (Some(norm), Some([gamma, beta])) = (norm, parameters) else {
        return Tensor::from_dispatch(<Dispatch as DenseOps>::dense_shift(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.unwrap_or_else(zeros).into_dispatch(),
            with_relu,
        ));
    };
    let options = DenseNorm {
        epsilon: norm.epsilon,
        relu: with_relu,
    };
    if device.is_autodiff() && norm.training.is_enabled() {
        let (output, mean, variance) = <Dispatch as DenseOps>::dense_norm_train(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.unwrap_or_else(zeros).into_dispatch(),
            gamma.into_dispatch(),
            beta.into_dispatch(),
            options,
        );
        update_running(
            norm,
            Tensor::from_dispatch(mean),
            Tensor::from_dispatch(variance),
        );
        return Tensor::from_dispatch(output);
    }
    let tracked = weight.device().is_autodiff()
        || bias
            .iter()
            .chain([&gamma, &beta])
            .any(|vector| vector.device().is_autodiff());
    let Some([mean, variance]) =
        running(norm, &device).filter(|_| !tracked && !device.is_autodiff())
    else {
        return stock(x);
    };
    let biased = bias.is_some();
    let bias = bias.unwrap_or_else(|| beta.clone());
    Tensor::from_dispatch(<Dispatch as DenseInferOps>::dense_norm_infer(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        options,
        biased,
    ))
}
