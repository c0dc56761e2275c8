//! The operations for Burn tensors.
//!
//! Each function decides from the device kind, the element type and the shapes whether the kernels
//! cover the call; if not, it computes the same with Burn's own operations.

#[cfg(feature = "optim")]
mod adamw;
#[cfg(feature = "autodiff")]
mod autodiff;
mod backend;
mod dense;
#[cfg(feature = "autodiff")]
mod dense_grad;
mod extension;

#[cfg(feature = "optim")]
pub use adamw::AdamW;
use burn::{
    backend::{Dispatch, DispatchDevice},
    nn::{BatchNorm, Linear, PaddingConfig2d, conv::Conv2d},
    tensor::{
        DType, Device, Tensor,
        activation::relu,
        module,
        ops::{ConvOptions, MaxPoolOptions},
    },
};

use self::{
    dense::{DenseInferOps, DenseNorm, DenseOps},
    extension::{ConvOps, InferOps, Norm},
};
use crate::conv::{Geometry, Statistics};

/// What stands between convolution and ReLU, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Convolution, batch normalization, ReLU, max-pool.
    ConvNormReluPool,
    /// Convolution, max-pool, batch normalization, ReLU: a quarter of the values to normalize.
    ConvPoolNormRelu,
}

/// Convolution of stride 1.
///
/// `x` is `[batch, in_channels, height, width]`, `weight` is `[out_channels, in_channels, kernel, kernel]`,
/// `bias` is `[out_channels]`; `padding` zeros are added on each side. Returns
/// `[batch, out_channels, height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1]`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    padding: usize,
) -> Tensor<4> {
    match covered(&x, &weight, bias.as_ref().into_iter(), padding, false) {
        Some(geometry) => shift(x, weight, bias, geometry, false),
        None => module::conv2d(
            x,
            weight,
            bias,
            ConvOptions::new([1, 1], [padding, padding], [1, 1], 1),
        ),
    }
}

/// Convolution of stride 1 and ReLU, then a 2x2 max-pool of stride 2 if `pool` is set.
///
/// Shapes as for [`conv2d`]; the pool halves height and width, rounding down.
pub fn conv_relu(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    padding: usize,
    pool: bool,
) -> Tensor<4> {
    match covered(&x, &weight, bias.as_ref().into_iter(), padding, pool) {
        Some(geometry) => shift(x, weight, bias, geometry, true),
        None => {
            let options = ConvOptions::new([1, 1], [padding, padding], [1, 1], 1);
            max_pool_if(pool, relu(module::conv2d(x, weight, bias, options)))
        }
    }
}

/// One block of a convolutional network: `conv`, `norm` if given, ReLU, and a 2x2 max-pool of stride 2
/// if `pool` is set, in the given order.
///
/// `x` is `[batch, in_channels, height, width]`. As in Burn, a normalization uses and updates the
/// statistics of the batch if `x` is on an autodiff device and the layer is not frozen, else the running
/// statistics. Without a normalization both orders are the same.
pub fn conv_block(
    x: Tensor<4>,
    conv: &Conv2d,
    norm: Option<&BatchNorm>,
    order: Order,
    pool: bool,
) -> Tensor<4> {
    let weight = conv.weight.val();
    let bias = conv.bias.as_ref().map(|bias| bias.val());
    let parameters = norm.map(|norm| [norm.gamma.val(), norm.beta.val()]);
    let vectors = bias.iter().chain(parameters.iter().flatten());
    let geometry =
        common_padding(conv).and_then(|padding| covered(&x, &weight, vectors, padding, pool));
    let Some(geometry) = geometry else {
        return stock_block(x, conv, norm, order, pool);
    };
    let (Some(norm), Some([gamma, beta])) = (norm, parameters) else {
        return shift(x, weight, bias, geometry, true);
    };

    let options = Norm {
        statistics: match order {
            Order::ConvNormReluPool => Statistics::Conv,
            Order::ConvPoolNormRelu => Statistics::Pooled,
        },
        epsilon: norm.epsilon,
    };
    let device = x.device();
    let bias = bias.unwrap_or_else(|| Tensor::zeros([geometry.out_channels], &device));
    if device.is_autodiff() && norm.training.is_enabled() {
        let (output, mean, variance) = <Dispatch as ConvOps>::conv_norm_train(
            channels_last(x).into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
            gamma.into_dispatch(),
            beta.into_dispatch(),
            geometry,
            options,
        );
        update_running(
            norm,
            Tensor::from_dispatch(mean),
            Tensor::from_dispatch(variance),
        );
        return channels_first(output);
    }

    let tracked = weight.device().is_autodiff()
        || [&bias, &gamma, &beta]
            .iter()
            .any(|vector| vector.device().is_autodiff());
    let Some([mean, variance]) =
        running(norm, &device).filter(|_| !tracked && !device.is_autodiff())
    else {
        return stock_block(x, conv, Some(norm), order, pool);
    };
    channels_first(<Dispatch as InferOps>::conv_norm_infer(
        channels_last(x).into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        geometry,
        options,
    ))
}

/// One dense layer: `linear`, `norm` if given, ReLU if asked for.
///
/// `x` is `[batch, inputs]`; returns `[batch, outputs]`. The normalization behaves as in [`conv_block`].
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
    let covered = is_host(&device.clone().inner())
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
    let bias = bias.unwrap_or_else(|| Tensor::zeros([outputs], &device));
    let (Some(norm), Some([gamma, beta])) = (norm, parameters) else {
        return Tensor::from_dispatch(<Dispatch as DenseOps>::dense_shift(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
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
            bias.into_dispatch(),
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
        || [&bias, &gamma, &beta]
            .iter()
            .any(|vector| vector.device().is_autodiff());
    let Some([mean, variance]) =
        running(norm, &device).filter(|_| !tracked && !device.is_autodiff())
    else {
        return stock(x);
    };
    Tensor::from_dispatch(<Dispatch as DenseInferOps>::dense_norm_infer(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        options,
    ))
}

/// `[batch, channels, height, width]` to `[batch, channels * height * width]`.
///
/// The same as Burn's `flatten(1, 3)`, but fast for what the other functions return: their values lie in
/// memory with the channels last, which a plain reshape would have to bring into order one by one.
pub fn flatten(x: Tensor<4>) -> Tensor<2> {
    let [_, channels, height, width] = x.dims();
    if !has_kernels(&x) || x.dtype() != DType::F32 || channels == 1 || height * width == 1 {
        return x.flatten(1, 3);
    }
    let x = channels_last(x).into_dispatch();
    Tensor::from_dispatch(<Dispatch as ConvOps>::flatten_channels_first(x))
}

/// The geometry, if the kernels cover this call.
fn covered<'a>(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    mut vectors: impl Iterator<Item = &'a Tensor<1>>,
    padding: usize,
    pool: bool,
) -> Option<Geometry> {
    let [batch, channels, height, width] = x.dims();
    let [out_channels, in_channels, kernel, kernel_width] = weight.dims();
    let device = x.device();
    let fits = has_kernels(x)
        && batch > 0
        && channels == in_channels
        && kernel == kernel_width
        && x.dtype() == DType::F32
        && weight.dtype() == DType::F32
        && weight.device() == device
        && vectors.all(|vector| {
            vector.dims() == [out_channels]
                && vector.dtype() == DType::F32
                && vector.device() == device
        });
    if !fits {
        return None;
    }
    Geometry::new(
        [height, width, channels],
        out_channels,
        kernel,
        padding,
        pool,
    )
    .ok()
}

/// Whether the tensor is on a backend that has kernels.
fn has_kernels(x: &Tensor<4>) -> bool {
    is_host(&x.device().inner())
}

fn is_host(device: &Device) -> bool {
    match device.as_dispatch() {
        #[cfg(feature = "ndarray")]
        DispatchDevice::NdArray(_) => true,
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => true,
        _ => false,
    }
}

/// The padding of a convolution, if it is the same on all sides and nothing else is special.
fn common_padding(conv: &Conv2d) -> Option<usize> {
    let kernel = conv.kernel_size[0];
    let plain = conv.stride == [1, 1] && conv.dilation == [1, 1] && conv.groups == 1;
    if !plain || conv.kernel_size != [kernel, kernel] {
        return None;
    }
    match conv.padding {
        PaddingConfig2d::Valid => Some(0),
        PaddingConfig2d::Same if kernel % 2 == 1 => Some(kernel / 2),
        PaddingConfig2d::Explicit(top, left, bottom, right)
            if [left, bottom, right] == [top, top, top] =>
        {
            Some(top)
        }
        _ => None,
    }
}

fn shift(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    geometry: Geometry,
    relu: bool,
) -> Tensor<4> {
    let bias = bias.unwrap_or_else(|| Tensor::zeros([geometry.out_channels], &x.device()));
    channels_first(<Dispatch as ConvOps>::conv_shift(
        channels_last(x).into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        geometry,
        relu,
    ))
}

/// Views `[batch, channels, height, width]` as `[batch, height, width, channels]`.
fn channels_last(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    if channels == 1 {
        x.reshape([batch, height, width, 1])
    } else {
        x.permute([0, 2, 3, 1])
    }
}

/// Views `[batch, height, width, channels]` as `[batch, channels, height, width]`.
fn channels_first(x: burn::backend::DispatchTensor) -> Tensor<4> {
    Tensor::<4>::from_dispatch(x).permute([0, 3, 1, 2])
}

/// The running statistics on the given device, if they are `f32` there.
fn running(norm: &BatchNorm, device: &Device) -> Option<[Tensor<1>; 2]> {
    let statistics = [norm.running_mean.value(), norm.running_var.value()];
    let statistics = statistics.map(|tensor| tensor.to_device(device));
    statistics
        .iter()
        .all(|tensor| tensor.dtype() == DType::F32)
        .then_some(statistics)
}

/// Whether a tensor is of the kernels' element type, on the device that the call runs on.
fn fits<const D: usize>(tensor: &Tensor<D>, device: &Device) -> bool {
    tensor.dtype() == DType::F32 && tensor.device() == *device
}

/// Burn's update of the running statistics, see `BatchNorm::forward`.
fn update_running(norm: &BatchNorm, mean: Tensor<1>, variance: Tensor<1>) {
    let updated = |running: Tensor<1>, batch: Tensor<1>| {
        let running = running.to_device(&batch.device());
        let batch = batch.detach().mul_scalar(norm.momentum);
        running.mul_scalar(1.0 - norm.momentum).add(batch).detach()
    };
    norm.running_mean
        .update(updated(norm.running_mean.value_sync(), mean));
    norm.running_var
        .update(updated(norm.running_var.value_sync(), variance));
}

/// The block in Burn's own operations.
fn stock_block(
    x: Tensor<4>,
    conv: &Conv2d,
    norm: Option<&BatchNorm>,
    order: Order,
    pool: bool,
) -> Tensor<4> {
    let x = conv.forward(x);
    let normalize = |x: Tensor<4>| match norm {
        Some(norm) => norm.forward(x),
        None => x,
    };
    match order {
        Order::ConvNormReluPool => max_pool_if(pool, relu(normalize(x))),
        Order::ConvPoolNormRelu => relu(normalize(max_pool_if(pool, x))),
    }
}

fn max_pool_if(pool: bool, x: Tensor<4>) -> Tensor<4> {
    if pool {
        module::max_pool2d(x, MaxPoolOptions::new([2, 2]))
    } else {
        x
    }
}
