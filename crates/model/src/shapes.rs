//! What each layer makes of the shape of an image: the one walk through a network that its checks, its
//! construction and its summary share.

use data::{Classes, ImageShape};

use crate::config::{BlockConfig, ConfigError, NetworkConfig, Order};

const LIMIT: usize = 4096;
/// Values that a layer may compute for one image: memory for hundreds of images stays in gigabytes.
const MAX_FEATURES: usize = 1 << 20;
/// Weights of a whole network: with the two moments of each, a checkpoint stays below a gigabyte.
const MAX_WEIGHTS: usize = 1 << 26;

/// The shapes between the layers of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shapes {
    /// What goes in.
    pub input: ImageShape,
    /// Each block, first to last.
    pub blocks: Vec<BlockShapes>,
    /// What enters each dense layer, the last of them included: features of the last block, then the
    /// widths of the hidden layers.
    pub dense: Vec<usize>,
    /// What comes out.
    pub classes: usize,
}

/// `[channels, height, width]` on the way through a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockShapes {
    /// What goes in.
    pub input: [usize; 3],
    /// After the convolution.
    pub convolved: [usize; 3],
    /// After the pool, if there is one.
    pub output: [usize; 3],
}

impl NetworkConfig {
    /// Walks through the network for images of a shape.
    ///
    /// # Errors
    /// Names the first key whose value doesn't fit, for instance where the images are too small for the
    /// blocks.
    pub fn shapes(&self, input: ImageShape, classes: usize) -> Result<Shapes, ConfigError> {
        self.validate()?;
        let mut at = [input.channels, input.height, input.width];
        let mut blocks = Vec::with_capacity(self.blocks.len());
        let mut weights = 0;
        for (index, block) in self.blocks.iter().enumerate() {
            let shapes = block.shapes(at, index)?;
            weights += at[0] * block.kernel * block.kernel * block.channels;
            at = shapes.output;
            blocks.push(shapes);
        }
        let features: usize = at.iter().product();
        let dense: Vec<usize> = [features]
            .into_iter()
            .chain(self.dense.iter().copied())
            .collect();
        weights += dense
            .windows(2)
            .map(|ends| ends[0] * ends[1])
            .sum::<usize>();
        weights += dense.last().map_or(0, |last| last * classes);
        if weights > MAX_WEIGHTS {
            return Err(ConfigError {
                key: "blocks".into(),
                problem: format!(
                    "{weights} weights in all for images of {input} and {classes} classes, at most \
                     {MAX_WEIGHTS}; use fewer channels or more pools"
                ),
            });
        }
        Ok(Shapes {
            input,
            blocks,
            dense,
            classes,
        })
    }

    /// Checks each value against its range, whatever the images.
    ///
    /// # Errors
    /// Names the first key whose value lies outside.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let check = |right: bool, key: String, problem: String| match right {
            true => Ok(()),
            false => Err(ConfigError { key, problem }),
        };
        let within = |value: usize| (1..=LIMIT).contains(&value);
        let few = self.blocks.len() <= 16 && self.dense.len() <= 16;
        check(
            few,
            "blocks".into(),
            "at most 16 blocks and 16 dense layers".into(),
        )?;
        for (index, block) in self.blocks.iter().enumerate() {
            let key = |name: &str| format!("blocks[{index}].{name}");
            let BlockConfig {
                channels,
                kernel,
                padding,
                ..
            } = *block;
            let range = format!("must be 1 to {LIMIT}, is {channels}");
            check(within(channels), key("channels"), range)?;
            let most = ImageShape::MAX_SIDE;
            let range = format!("must be 1 to {most}, is {kernel}");
            check((1..=most).contains(&kernel), key("kernel"), range)?;
            let smaller = "must be smaller than the kernel".to_owned();
            check(padding < kernel, key("padding"), smaller)?;
        }
        for (index, &width) in self.dense.iter().enumerate() {
            let range = format!("must be 1 to {LIMIT}");
            check(within(width), format!("dense[{index}]"), range)?;
        }
        let dropout = (0.0..1.0).contains(&self.dropout);
        check(
            dropout,
            "dropout".into(),
            "must be at least 0 and below 1".into(),
        )
    }

    /// Whether a layer of batch normalization sees a single value of each feature of an image: of a
    /// batch of one image it makes zeros, from which nothing is learned.
    pub fn normalizes_single_values(&self, shapes: &Shapes) -> bool {
        let single = |block: &BlockShapes| {
            let normalized = match self.order {
                Order::ConvNormReluPool => block.convolved,
                Order::ConvPoolNormRelu => block.output,
            };
            normalized[1..] == [1, 1]
        };
        self.norm && (!self.dense.is_empty() || shapes.blocks.iter().any(single))
    }
}

impl BlockConfig {
    /// What the block, `index` of its network, makes of an input.
    fn shapes(&self, input: [usize; 3], index: usize) -> Result<BlockShapes, ConfigError> {
        let wrong = |name: &str, problem: String| ConfigError {
            key: format!("blocks[{index}].{name}"),
            problem,
        };
        let [_, height, width] = input;
        let convolved = |length: usize| (length + 2 * self.padding + 1).saturating_sub(self.kernel);
        let pooled = |length: usize| if self.pool { length / 2 } else { length };
        let convolved = [self.channels, convolved(height), convolved(width)];
        let output = [convolved[0], pooled(convolved[1]), pooled(convolved[2])];
        if output.contains(&0) {
            let problem = format!(
                "a {k}×{k} filter{pool} leaves nothing of a {height}×{width} input; use larger images, \
                 padding, or fewer pools",
                k = self.kernel,
                pool = if self.pool { " and a pool" } else { "" },
            );
            return Err(wrong("kernel", problem));
        }
        if convolved.iter().product::<usize>() > MAX_FEATURES {
            let problem = "more than a million values for one image; use fewer channels".to_owned();
            return Err(wrong("channels", problem));
        }
        Ok(BlockShapes {
            input,
            convolved,
            output,
        })
    }
}

// A class beyond these could not be named.
const _: () = assert!(Classes::MAX <= LIMIT);
