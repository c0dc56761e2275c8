//! Convolution blocks.

use std::borrow::Cow;

use burn::{
    backend::tensor::FloatTensor,
    nn::{BatchNorm, PaddingConfig2d, conv::Conv2d},
    tensor::{Tensor, activation::relu, module, ops::MaxPoolOptions},
};

use super::{
    backend::{HostBackend, channels_first, channels_last, in_order},
    fused::{Block, Layer},
};
#[cfg(feature = "remote")]
use super::{fused::Packed, remote};
use crate::{
    Affine, Error, Isa, Moments, Normalization, Precision,
    conv::{ConvBlock, Geometry, Gradients, Kept, Statistics, flip_filters},
};

/// What stands between convolution and ReLU, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Convolution, batch normalization, ReLU, max-pool.
    ConvNormReluPool,
    /// Convolution, max-pool, batch normalization, ReLU: a quarter of the values to normalize.
    ConvPoolNormRelu,
}

/// One block of a convolutional network: `conv`, `norm` if given, ReLU, and a 2x2 max-pool of stride 2
/// if `pool` is set, in the given order.
///
/// `x` is `[batch, in_channels, height, width]`; returns `[batch, out_channels, height', width']`. As in Burn, a normalization uses and updates the
/// statistics of the batch if `x` is on an autodiff device and the layer is not frozen, else the running
/// statistics. Without a normalization both orders are the same.
pub fn conv_block(
    x: Tensor<4>,
    conv: &Conv2d,
    norm: Option<&BatchNorm>,
    order: Order,
    pool: bool,
) -> Tensor<4> {
    conv_block_in(x, conv, norm, order, pool, Precision::F32)
}

/// [`conv_block`] with products of a precision.
pub(crate) fn conv_block_in(
    x: Tensor<4>,
    conv: &Conv2d,
    norm: Option<&BatchNorm>,
    order: Order,
    pool: bool,
    precision: Precision,
) -> Tensor<4> {
    let block = Block {
        weight: conv.weight.val(),
        bias: conv.bias.as_ref().map(|bias| bias.val()),
        norm,
        relu: true,
    };
    let layer = common_padding(conv).and_then(|padding| {
        let geometry = geometry(x.dims(), block.weight.dims(), padding, pool)?;
        Some(ConvLayer {
            geometry,
            block: ConvBlock::on(geometry, Isa::best_for(precision)),
            statistics: match order {
                Order::ConvNormReluPool => Statistics::Conv,
                Order::ConvPoolNormRelu => Statistics::Pooled,
            },
        })
    });
    block.run(x, layer, |x| {
        let x = conv.forward(x);
        let normalize = |x: Tensor<4>| match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        match order {
            Order::ConvNormReluPool => max_pool_if(pool, relu(normalize(x))),
            Order::ConvPoolNormRelu => relu(normalize(max_pool_if(pool, x))),
        }
    })
}

/// The geometry for an input and a weight in Burn's order, if the kernels have it.
fn geometry(
    [_, channels, height, width]: [usize; 4],
    [out_channels, in_channels, kernel, kernel_width]: [usize; 4],
    padding: usize,
    pool: bool,
) -> Option<Geometry> {
    if channels != in_channels || kernel != kernel_width {
        return None;
    }
    let size = [height, width, channels];
    Geometry::new(size, out_channels, kernel, padding, pool).ok()
}

/// The padding of a convolution, if it is the same on all sides and nothing else is special.
pub(super) fn common_padding(conv: &Conv2d) -> Option<usize> {
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

fn max_pool_if(pool: bool, x: Tensor<4>) -> Tensor<4> {
    if pool {
        module::max_pool2d(x, MaxPoolOptions::new([2, 2]))
    } else {
        x
    }
}

/// Prepares a map before a max-pool: the pool takes the maximum after its factors, so the filters take their
/// signs.
pub(super) fn orient(map: &mut Affine, weight: &mut [f32]) {
    flip_filters(&map.scale, weight);
    map.scale.iter_mut().for_each(|scale| *scale = scale.abs());
}

/// A convolution, and a max-pool if the geometry has one.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvLayer {
    geometry: Geometry,
    block: ConvBlock,
    /// What a normalization describes.
    statistics: Statistics,
}

#[cfg(feature = "remote")]
impl ConvLayer {
    /// The inverse of [`numbers`](Layer::numbers), without what tells it from other layers.
    pub(super) fn of_numbers(numbers: &[u64]) -> Option<Self> {
        let [
            height,
            width,
            in_channels,
            out_channels,
            kernel,
            padding,
            pool,
            before_pool,
        ] = *numbers
        else {
            return None;
        };
        let [height, width, in_channels, out_channels, kernel, padding] =
            [height, width, in_channels, out_channels, kernel, padding]
                .map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let size = [height, width, in_channels];
        let geometry = Geometry::new(size, out_channels, kernel, padding, pool != 0).ok()?;
        Some(ConvLayer {
            geometry,
            block: ConvBlock::new(geometry),
            statistics: match before_pool {
                0 => Statistics::Pooled,
                _ => Statistics::Conv,
            },
        })
    }
}

impl Layer for ConvLayer {
    type Kept = Kept;

    fn outputs(&self) -> usize {
        self.geometry.out_channels
    }

    fn output_shape(&self, batch: usize) -> Vec<usize> {
        let [height, width] = self.geometry.output_size();
        vec![batch, height, width, self.geometry.out_channels]
    }

    fn ordered<B: HostBackend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
        in_order::<B>(channels_last::<B>(tensor))
    }

    fn restored<B: HostBackend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
        channels_first::<B>(tensor)
    }

    #[cfg(feature = "remote")]
    fn restored_shape(&self, batch: usize) -> Vec<usize> {
        let [height, width] = self.geometry.output_size();
        vec![batch, self.geometry.out_channels, height, width]
    }

    #[cfg(feature = "remote")]
    fn numbers(&self) -> Vec<u64> {
        let Geometry {
            height,
            width,
            in_channels,
            out_channels,
            kernel,
            padding,
            pool,
            bf16: _,
        } = self.geometry;
        let sizes = [height, width, in_channels, out_channels, kernel, padding];
        let before_pool = self.statistics == Statistics::Conv;
        [remote::CONV]
            .into_iter()
            .chain(sizes.map(|size| size as u64))
            .chain([u64::from(pool), u64::from(before_pool)])
            .collect()
    }

    #[cfg(feature = "remote")]
    fn pack(kept: Kept) -> Packed {
        let (values, bytes) = kept.into_buffers();
        Packed { values, bytes }
    }

    #[cfg(feature = "remote")]
    fn unpack(packed: Packed) -> Option<Kept> {
        Kept::from_buffers(packed.values, &packed.bytes)
    }

    fn choices(&self, outputs: usize) -> usize {
        if self.geometry.pool { outputs } else { 0 }
    }

    fn orient(&self, map: &mut Affine, weight: &mut Cow<'_, [f32]>) {
        if !self.geometry.pool || self.statistics != Statistics::Conv {
            return;
        }
        if map.scale.iter().any(|scale| *scale < 0.0) {
            orient(map, weight.to_mut());
        }
    }

    fn forward(
        &self,
        input: &[f32],
        weight: &[f32],
        map: &Affine,
        output: &mut [f32],
        chosen: &mut [u8],
    ) -> Result<(), Error> {
        let chosen = Some(chosen);
        self.block.forward(input, weight, map, output, chosen)
    }

    fn forward_train(
        &self,
        input: &[f32],
        weight: &[f32],
        norm: &Normalization<'_>,
        output: &mut [f32],
    ) -> Result<Kept, Error> {
        self.block
            .forward_train(input, weight, norm, self.statistics, output)
    }

    fn moments(kept: &Kept) -> &Moments {
        kept.moments()
    }

    fn backward(
        &self,
        input: &[f32],
        weight: &[f32],
        relu_output: Option<&[f32]>,
        chosen: &[u8],
        output_grad: &[f32],
        input_grad: Option<&mut [f32]>,
    ) -> Result<Gradients, Error> {
        self.block
            .backward(input, weight, relu_output, chosen, output_grad, input_grad)
    }

    fn backward_train(
        &self,
        input: &[f32],
        weight: &[f32],
        norm: &Normalization<'_>,
        kept: &Kept,
        output_grad: &[f32],
        input_grad: Option<&mut [f32]>,
    ) -> Result<Gradients, Error> {
        self.block
            .backward_train(input, weight, norm, kept, output_grad, input_grad)
    }
}
