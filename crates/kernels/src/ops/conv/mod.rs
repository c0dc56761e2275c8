//! Convolution blocks.

#[cfg(feature = "autodiff")]
mod autodiff;
mod extension;

use burn::{
    backend::Dispatch,
    nn::{BatchNorm, PaddingConfig2d, conv::Conv2d},
    tensor::{
        Tensor,
        activation::relu,
        module,
        ops::{ConvOptions, MaxPoolOptions},
    },
};

use self::extension::{ConvOps, InferOps, Norm};
use super::{fits, has_kernels, running, update_running};
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
    if device.is_autodiff() && norm.training.is_enabled() {
        let bias = bias.unwrap_or_else(|| Tensor::zeros([geometry.out_channels], &device));
        let (output, mean, variance) = <Dispatch as ConvOps>::conv_norm_train(
            x.into_dispatch(),
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
        return stock_block(x, conv, Some(norm), order, pool);
    };
    let biased = bias.is_some();
    let bias = bias.unwrap_or_else(|| beta.clone());
    Tensor::from_dispatch(<Dispatch as InferOps>::conv_norm_infer(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        geometry,
        options,
        biased,
    ))
}

/// `[batch, channels, height, width]` to `[batch, channels * height * width]`.
///
/// The same as Burn's `flatten(1, 3)`, but fast for what the other functions return: their values lie in
/// memory with the channels last, which a plain reshape would have to bring into order one by one.
pub fn flatten(x: Tensor<4>) -> Tensor<2> {
    let [_, channels, height, width] = x.dims();
    let device = x.device();
    if !has_kernels(&device) || !fits(&x, &device) || channels == 1 || height * width == 1 {
        return x.flatten(1, 3);
    }
    Tensor::from_dispatch(<Dispatch as ConvOps>::flatten_channels_first(
        x.into_dispatch(),
    ))
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
    let covered = has_kernels(&device)
        && batch > 0
        && channels == in_channels
        && kernel == kernel_width
        && fits(x, &device)
        && fits(weight, &device)
        && vectors.all(|vector| vector.dims() == [out_channels] && fits(vector, &device));
    if !covered {
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
    Tensor::from_dispatch(<Dispatch as ConvOps>::conv_shift(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        geometry,
        relu,
    ))
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
