//! The network: blocks of convolution, batch normalization, ReLU and max-pool, then a dense head.

use burn::{
    module::{Module, ModuleVisitor, Param},
    nn::{BatchNorm, Dropout, DropoutConfig, Linear, conv::Conv2d},
    tensor::{Device, Tensor, TensorData},
};
use data::{CLASSES, HEIGHT, Normalization, PIXELS, WIDTH};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::init::Initializer;

/// The architecture of a [`Network`], as it stands in a recipe and in a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// The convolution blocks, first to last.
    pub blocks: Vec<BlockConfig>,
    /// The widths of the hidden dense layers between the last block and the logits.
    pub dense: Vec<usize>,
    /// Batch normalization after every convolution and every hidden dense layer.
    pub norm: bool,
    /// In which order a block applies its parts.
    pub order: Order,
    /// The probability with which a feature entering a dense layer is zeroed during training.
    pub dropout: f64,
}

/// One convolution block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockConfig {
    /// Output channels.
    pub channels: usize,
    /// Height and width of the filters.
    pub kernel: usize,
    /// Zero rows and columns added on each side before the convolution.
    #[serde(default)]
    pub padding: usize,
    /// Whether the block ends with a 2×2 max-pool of stride 2.
    #[serde(default = "yes")]
    pub pool: bool,
}

fn yes() -> bool {
    true
}

/// In which order a block applies its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Convolution, normalization, ReLU, pool: the textbook order.
    ConvNormReluPool,
    /// Convolution, pool, normalization, ReLU: a quarter of the normalization work, since ReLU
    /// commutes with the pool and only pooled values are normalized.
    ConvPoolNormRelu,
}

/// An architecture that can't be built.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("network.{key}: {problem}")]
pub struct ConfigError {
    /// The offending key, such as `blocks[1].kernel`.
    pub key: String,
    /// What is wrong with its value and what would be right.
    pub problem: String,
}

const LIMIT: usize = 4096;
/// Values that a layer may compute for one image: memory for hundreds of images stays in gigabytes.
const MAX_FEATURES: usize = 1 << 20;
/// Weights of a whole network: with the two moments of each, a checkpoint stays below a gigabyte.
const MAX_WEIGHTS: usize = 1 << 26;

impl NetworkConfig {
    /// Whether a layer of batch normalization sees a single value of each feature of an image: of a
    /// batch of one image it makes zeros, from which nothing is learned.
    pub fn normalizes_single_values(&self) -> bool {
        let (mut height, mut width) = (HEIGHT, WIDTH);
        let blocks = self.blocks.iter().any(|block| {
            let convolved = block.convolved(height).zip(block.convolved(width));
            let output = block.output_size(height, width);
            (height, width) = output.unwrap_or((height, width));
            let normalized = match self.order {
                Order::ConvNormReluPool => convolved,
                Order::ConvPoolNormRelu => output,
            };
            normalized == Some((1, 1))
        });
        self.norm && (blocks || !self.dense.is_empty())
    }

    /// Checks that every layer has something to compute on.
    ///
    /// # Errors
    /// Names the first key whose value doesn't fit.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |key: String, problem: String| Err(ConfigError { key, problem });
        let within = |value: usize| (1..=LIMIT).contains(&value);
        if self.blocks.len() > 16 || self.dense.len() > 16 {
            return wrong(
                "blocks".into(),
                "at most 16 blocks and 16 dense layers".into(),
            );
        }
        let (mut height, mut width) = (HEIGHT, WIDTH);
        for (index, block) in self.blocks.iter().enumerate() {
            let key = |name: &str| format!("blocks[{index}].{name}");
            if !within(block.channels) {
                return wrong(
                    key("channels"),
                    format!("must be 1 to {LIMIT}, is {}", block.channels),
                );
            }
            if block.kernel > HEIGHT {
                return wrong(
                    key("kernel"),
                    format!("must be at most {HEIGHT}, is {}", block.kernel),
                );
            }
            if block.padding >= block.kernel.max(1) {
                return wrong(key("padding"), "must be smaller than the kernel".into());
            }
            let sides = block.convolved(height).zip(block.convolved(width));
            if sides.is_some_and(|(h, w)| block.channels * h * w > MAX_FEATURES) {
                return wrong(
                    key("channels"),
                    "more than a million values for one image; use fewer channels".into(),
                );
            }
            match block.output_size(height, width) {
                Some((h, w)) => (height, width) = (h, w),
                None => {
                    return wrong(
                        key("kernel"),
                        format!(
                            "a {k}×{k} filter{pool} leaves nothing of a {height}×{width} input",
                            k = block.kernel,
                            pool = if block.pool { " and a pool" } else { "" },
                        ),
                    );
                }
            }
        }
        if let Some(index) = self.dense.iter().position(|&width| !within(width)) {
            return wrong(format!("dense[{index}]"), format!("must be 1 to {LIMIT}"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return wrong("dropout".into(), "must be at least 0 and below 1".into());
        }
        let weights = self.summary().parameters();
        if weights > MAX_WEIGHTS {
            return wrong(
                "blocks".into(),
                format!("{weights} weights in all, at most {MAX_WEIGHTS}; use fewer channels"),
            );
        }
        Ok(())
    }

    /// The number of features that reach the dense head: channels × height × width.
    pub fn features(&self) -> usize {
        let size = self
            .blocks
            .iter()
            .try_fold((HEIGHT, WIDTH), |(h, w), block| block.output_size(h, w));
        let channels = self.blocks.last().map_or(1, |block| block.channels);
        size.map_or(0, |(height, width)| channels * height * width)
    }

    /// Builds the network with random weights that depend on the seed alone: the same seed gives
    /// the same weights on every backend.
    ///
    /// # Errors
    /// See [`NetworkConfig::validate`].
    pub fn init(&self, seed: u64, device: &Device) -> Result<Network, ConfigError> {
        self.validate()?;
        let mut init = Initializer::new(seed, device);
        let mut channels = 1;
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for config in &self.blocks {
            blocks.push(Block {
                conv: init.conv2d(
                    channels,
                    config.channels,
                    config.kernel,
                    config.padding,
                    !self.norm,
                ),
                norm: self.norm.then(|| init.batch_norm(config.channels)),
                order: self.order,
                pool: config.pool,
            });
            channels = config.channels;
        }
        let mut features = self.features();
        let mut dense = Vec::with_capacity(self.dense.len());
        for &width in &self.dense {
            dense.push(Dense {
                linear: init.linear(features, width, !self.norm),
                norm: self.norm.then(|| init.batch_norm(width)),
            });
            features = width;
        }
        Ok(Network {
            blocks,
            dense,
            dropout: DropoutConfig::new(self.dropout).init(),
            output: init.linear(features, CLASSES, true),
        })
    }
}

impl BlockConfig {
    /// Height and width of the block's output for an input of the given size, or `None` if nothing
    /// would be left.
    pub(crate) fn output_size(&self, height: usize, width: usize) -> Option<(usize, usize)> {
        let size = |length: usize| {
            let convolved = self.convolved(length)?;
            let pooled = if self.pool { convolved / 2 } else { convolved };
            (pooled > 0).then_some(pooled)
        };
        Some((size(height)?, size(width)?))
    }

    /// Length of one side after the convolution alone.
    pub(crate) fn convolved(&self, length: usize) -> Option<usize> {
        if self.kernel == 0 {
            return None;
        }
        (length + 2 * self.padding + 1)
            .checked_sub(self.kernel)
            .filter(|&n| n > 0)
    }
}

/// The network: `[batch, 28, 28]` normalized images in, `[batch, 10]` logits out.
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
    /// Computes the logits: the network's scores for the ten digits, before softmax.
    ///
    /// Batch normalization uses the statistics of the batch on a device with automatic
    /// differentiation, and the running ones elsewhere.
    ///
    /// # Shapes
    /// - images: `[batch, 28, 28]`, normalized
    /// - output: `[batch, 10]`
    pub fn forward(&self, images: Tensor<3>) -> Tensor<2> {
        self.head(kernels::flatten(self.convolve(images)))
    }

    /// Computes the logits and, on the way, what the filters of the last block found: the square root
    /// of each channel's mean over the image, which spreads alike for rare and for common findings.
    ///
    /// # Shapes
    /// - images: `[batch, 28, 28]`, normalized
    /// - output: `[batch, 10]` and `[batch, channels]`
    pub fn forward_with_features(&self, images: Tensor<3>) -> (Tensor<2>, Tensor<2>) {
        let x = self.convolve(images);
        let [batch, channels, height, width] = x.dims();
        let flat = kernels::flatten(x);
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

    /// Whether the network, in evaluation mode, computes finite numbers: all weights and running
    /// statistics are finite, and so are the logits of a black and a white image. Finite weights can
    /// still overflow on the way: a negative variance, a huge scale.
    pub fn is_finite(&self, normalization: Normalization) -> bool {
        let mut finite = Finite(true);
        self.visit(&mut finite);
        finite.0
            && [0, 255].iter().all(|&byte| {
                let mut pixels = Vec::new();
                normalization.apply(&[byte; PIXELS], &mut pixels);
                let data = TensorData::new(pixels, [1, HEIGHT, WIDTH]);
                let image = Tensor::from_data(data, &self.output.weight.device());
                let logits = self.forward(image).into_data();
                logits.iter::<f32>().all(f32::is_finite)
            })
    }

    /// # Shapes
    /// - images: `[batch, 28, 28]`
    /// - output: `[batch, channels, height, width]`
    fn convolve(&self, images: Tensor<3>) -> Tensor<4> {
        let [batch, height, width] = images.dims();
        let mut x = images.reshape([batch, 1, height, width]);
        for block in &self.blocks {
            x = block.forward(x);
        }
        x
    }

    /// # Shapes
    /// - x: `[batch, features]`
    /// - output: `[batch, 10]`
    fn head(&self, mut x: Tensor<2>) -> Tensor<2> {
        for dense in &self.dense {
            x = dense.forward(self.dropout.forward(x));
        }
        kernels::dense_block(self.dropout.forward(x), &self.output, None, false)
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
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let order = match self.order {
            Order::ConvNormReluPool => kernels::Order::ConvNormReluPool,
            Order::ConvPoolNormRelu => kernels::Order::ConvPoolNormRelu,
        };
        kernels::conv_block(x, &self.conv, self.norm.as_ref(), order, self.pool)
    }
}

impl Dense {
    /// # Shapes
    /// - x: `[batch, features]`
    /// - output: `[batch, width]`
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::dense_block(x, &self.linear, self.norm.as_ref(), true)
    }
}
