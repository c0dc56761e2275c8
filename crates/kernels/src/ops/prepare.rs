//! Burn's layers, as [`Layers`] of a forward pass.

use burn::{
    nn::{BatchNorm, Linear, conv::Conv2d},
    tensor::{DType, Tensor},
};

use super::{
    Order,
    conv::{common_padding, orient},
};
use crate::{Affine, inference::Layers};

impl Layers {
    /// Adds what [`conv_block`](crate::conv_block) computes with running statistics, if there is a kernel for it.
    pub fn conv_block(
        self,
        conv: &Conv2d,
        norm: Option<&BatchNorm>,
        order: Order,
        pool: bool,
    ) -> Option<Self> {
        let padding = common_padding(conv)?;
        let mut weight = values(conv.weight.val())?;
        let [channels, ..] = conv.weight.dims();
        let bias = conv.bias.as_ref().map(|bias| bias.val());
        let mut map = map(channels, bias, norm, true)?;
        if pool && norm.is_some() && order == Order::ConvNormReluPool {
            orient(&mut map, &mut weight);
        }
        let sizes = [conv.kernel_size[0], padding];
        self.conv(&weight, sizes, pool, map).ok()
    }

    /// Adds what [`dense_block`](crate::dense_block) computes with running statistics, if there is a kernel for it.
    pub fn dense_block(
        self,
        linear: &Linear,
        norm: Option<&BatchNorm>,
        with_relu: bool,
    ) -> Option<Self> {
        let [_, outputs] = linear.weight.dims();
        let bias = linear.bias.as_ref().map(|bias| bias.val());
        let map = map(outputs, bias, norm, with_relu)?;
        self.dense(&values(linear.weight.val())?, map).ok()
    }
}

/// The values of a tensor, if they are `f32`.
fn values<const D: usize>(tensor: Tensor<D>) -> Option<Vec<f32>> {
    (tensor.dtype() == DType::F32).then(|| tensor.into_data().iter::<f32>().collect())
}

/// Bias and normalization by running statistics as a map of `channels`.
fn map(
    channels: usize,
    bias: Option<Tensor<1>>,
    norm: Option<&BatchNorm>,
    relu: bool,
) -> Option<Affine> {
    let bias = match bias {
        Some(bias) => values(bias)?,
        None => vec![0.0; channels],
    };
    let Some(norm) = norm else {
        return Some(Affine {
            scale: vec![1.0; channels],
            shift: bias,
            relu,
        });
    };
    let [gamma, beta] = [norm.gamma.val(), norm.beta.val()].map(values);
    let [mean, variance] = [norm.running_mean.value(), norm.running_var.value()].map(values);
    let vectors = [bias, gamma?, beta?, mean?, variance?];
    let complete = vectors.iter().all(|vector| vector.len() == channels);
    complete.then(|| Affine::normalizing(vectors.each_ref().map(|v| &v[..]), norm.epsilon, relu))
}
