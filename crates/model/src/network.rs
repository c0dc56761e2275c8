//! The network: blocks of convolution, batch normalization, ReLU and max-pool, then a dense head.

use burn::{
    module::{Module, ModuleVisitor, Param},
    nn::{BatchNorm, Dropout, DropoutConfig, Linear, conv::Conv2d},
    tensor::{Device, Tensor, TensorData},
};
use data::{ImageShape, Normalization};
use kernels::{Precision, conv2d, flatten, inference::Layers, linear};

use crate::config::{BlockConfig, ConfigError, NetworkConfig, Order};
use crate::init::Initializer;
use crate::shapes::Shapes;

impl NetworkConfig {
    /// Builds the network with random weights that depend on the seed alone: the same seed gives
    /// the same weights on every backend.
    ///
    /// # Errors
    /// See [`NetworkConfig::shapes`].
    pub fn init(
        &self,
        seed: u64,
        input: ImageShape,
        classes: usize,
        device: &Device,
    ) -> Result<Network, ConfigError> {
        let shapes = self.shapes(input, classes)?;
        let mut init = Initializer::new(seed, device);
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for (config, shape) in self.blocks.iter().zip(&shapes.blocks) {
            let BlockConfig {
                channels,
                kernel,
                padding,
                pool,
            } = *config;
            blocks.push(Block {
                conv: init.conv2d(shape.input[0], channels, kernel, padding, !self.norm),
                norm: self.norm.then(|| init.batch_norm(channels)),
                order: self.order,
                pool,
            });
        }
        let Shapes { dense: widths, .. } = shapes;
        let mut dense = Vec::with_capacity(self.dense.len());
        for ends in widths.windows(2) {
            dense.push(Dense {
                linear: init.linear(ends[0], ends[1], !self.norm),
                norm: self.norm.then(|| init.batch_norm(ends[1])),
            });
        }
        let features = widths.last().copied().unwrap_or_default();
        Ok(Network {
            blocks,
            dense,
            dropout: DropoutConfig::new(self.dropout).init(),
            output: init.linear(features, classes, true),
            precision: Precision::F32,
        })
    }
}

/// The network: `[batch, channels, height, width]` normalized images in, `[batch, classes]` logits out.
#[derive(Module, Debug)]
pub struct Network {
    /// The convolution blocks, first to last.
    pub blocks: Vec<Block>,
    /// The hidden dense layers, first to last.
    pub dense: Vec<Dense>,
    /// Dropout before each dense layer; acts during training only.
    pub dropout: Dropout,
    /// The last layer, from features to logits.
    pub output: Linear,
    #[module(skip)]
    precision: Precision,
}

/// Convolution, batch normalization, ReLU and max-pool.
#[derive(Module, Debug)]
pub struct Block {
    /// The convolution; it has no bias where a normalization follows.
    pub conv: Conv2d,
    /// The batch normalization, if the network has any.
    pub norm: Option<BatchNorm>,
    #[module(skip)]
    order: Order,
    pool: bool,
}

/// A hidden dense layer with its batch normalization; ReLU follows.
#[derive(Module, Debug)]
pub struct Dense {
    /// The weights; without bias where a normalization follows.
    pub linear: Linear,
    /// The batch normalization, if the network has any.
    pub norm: Option<BatchNorm>,
}

impl Network {
    /// The same network with blocks and hidden layers whose products are computed so. Those of a new or a
    /// loaded network are `f32`; those of the last layer, which says how sure the network is, stay so.
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Computes the logits: the network's scores for the classes, before softmax.
    ///
    /// Batch normalization uses the statistics of the batch on a device with automatic
    /// differentiation, and the running ones elsewhere.
    ///
    /// # Shapes
    /// - images: `[batch, channels, height, width]`, normalized
    /// - output: `[batch, classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.head(flatten(self.convolve(images)))
    }

    /// Computes the logits and, on the way, what the filters of the last block found: the square root
    /// of each channel's mean over the image, which spreads alike for rare and for common findings.
    ///
    /// # Shapes
    /// - images: `[batch, channels, height, width]`, normalized
    /// - output: `[batch, classes]` and `[batch, channels of the last block]`
    pub fn forward_with_features(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let x = self.convolve(images);
        let [batch, channels, height, width] = x.dims();
        let flat = flatten(x);
        let features = flat
            .clone()
            .reshape([batch, channels, height * width])
            .mean_dim(2)
            .reshape([batch, channels])
            // Without a block these are pixels, which may lie below 0.
            .clamp_min(0.0)
            .sqrt();
        (self.head(flat), features)
    }

    /// The network in evaluation mode on raw bytes; none where its device or a layer has no kernel.
    pub(crate) fn layers(
        &self,
        input: ImageShape,
        normalization: &Normalization,
        device: &Device,
    ) -> Option<Layers> {
        if !kernels::has_kernels(device) {
            return None;
        }
        let ImageShape { height, width, .. } = input;
        let mut layers = Layers::new(height, width, normalization.tables());
        for Block {
            conv,
            norm,
            order,
            pool,
        } in &self.blocks
        {
            let order = match order {
                Order::ConvNormReluPool => kernels::Order::ConvNormReluPool,
                Order::ConvPoolNormRelu => kernels::Order::ConvPoolNormRelu,
            };
            layers = layers.conv_block(conv, norm.as_ref(), order, *pool)?;
        }
        for Dense { linear, norm } in &self.dense {
            layers = layers.dense_block(linear, norm.as_ref(), true)?;
        }
        layers.dense_block(&self.output, None, false)
    }

    /// Whether the network, in evaluation mode, computes finite numbers: all weights and running
    /// statistics are finite, and so are the logits of a black and a white image. Finite weights can
    /// still overflow on the way: a negative variance, a huge scale.
    pub fn is_finite(&self, input: ImageShape, normalization: &Normalization) -> bool {
        let mut finite = Finite(true);
        self.visit(&mut finite);
        finite.0
            && [0, 255].iter().all(|&byte| {
                let mut pixels = Vec::new();
                normalization.apply(input, &vec![byte; input.len()], &mut pixels);
                let dims = [1, input.channels, input.height, input.width];
                let data = TensorData::new(pixels, dims);
                let image = Tensor::from_data(data, &self.output.weight.device());
                let logits = self.forward(image).into_data();
                logits.iter::<f32>().all(f32::is_finite)
            })
    }

    /// # Shapes
    /// - images: `[batch, channels, height, width]`
    /// - output: `[batch, channels', height', width']`
    fn convolve(&self, images: Tensor<4>) -> Tensor<4> {
        self.blocks
            .iter()
            .fold(images, |x, block| block.forward(x, self.precision))
    }

    /// # Shapes
    /// - x: `[batch, features]`
    /// - output: `[batch, classes]`
    fn head(&self, mut x: Tensor<2>) -> Tensor<2> {
        for dense in &self.dense {
            x = dense.forward(self.dropout.forward(x), self.precision);
        }
        linear(self.dropout.forward(x), &self.output).tensor()
    }
}

/// Whether all visited values are finite.
struct Finite(bool);

impl ModuleVisitor for Finite {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data();
        self.0 &= data.iter::<f32>().all(f32::is_finite);
    }
}

impl Block {
    /// # Shapes
    /// - x: `[batch, channels_in, height, width]`
    /// - output: `[batch, channels_out, height', width']`
    fn forward(&self, x: Tensor<4>, precision: Precision) -> Tensor<4> {
        let x = conv2d(x, &self.conv).precision(precision);
        let norm = self.norm.as_ref();
        match self.order {
            Order::ConvNormReluPool => x.norm(norm).relu().max_pool(self.pool).tensor(),
            Order::ConvPoolNormRelu => x.max_pool(self.pool).norm(norm).relu().tensor(),
        }
    }
}

impl Dense {
    /// # Shapes
    /// - x: `[batch, features]`
    /// - output: `[batch, width]`
    fn forward(&self, x: Tensor<2>, precision: Precision) -> Tensor<2> {
        linear(x, &self.linear)
            .precision(precision)
            .norm(self.norm.as_ref())
            .relu()
            .tensor()
    }
}
