//! The architecture of a network, as it stands in a recipe and in a checkpoint.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The architecture of a [`Network`](crate::Network), as it stands in a recipe and in a checkpoint.
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

/// 16 filters of 3×3 without padding, then a pool.
impl Default for BlockConfig {
    fn default() -> Self {
        Self {
            channels: 16,
            kernel: 3,
            padding: 0,
            pool: true,
        }
    }
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
