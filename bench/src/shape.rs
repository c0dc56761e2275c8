//! The networks that are compared, and images of the shape that each takes.

use anyhow::Context;
use clap::ValueEnum;
use data::{ImageShape, LabelledImages};
use model::BlockConfig;

/// A network by what it is made for. `bench/common.py` has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// For MNIST: conv3x3-16 and conv3x3-32 without padding, each with a pool
    Small,
    /// For MNIST: conv3x3-32 twice, pool, conv3x3-64 twice, pool
    Deep,
    /// For 3x32x32: conv3x3-64, pool, conv3x3-64, pool
    Colour,
    /// For 1x64x64: conv3x3-16, conv3x3-32 and conv3x3-64, each with a pool
    Large,
}

/// Images that the larger networks learn from, which is more than they see in a measurement.
const IMAGES: usize = 10_000;
/// Images that the larger networks are asked about.
const ASKED: usize = 2_000;

impl Shape {
    /// The convolution blocks; dense-128 and the logits follow.
    pub fn blocks(self) -> Vec<BlockConfig> {
        let block = |channels, padding, pool| BlockConfig {
            channels,
            kernel: 3,
            padding,
            pool,
        };
        match self {
            Shape::Small => vec![block(16, 0, true), block(32, 0, true)],
            Shape::Deep => vec![
                block(32, 1, false),
                block(32, 1, true),
                block(64, 1, false),
                block(64, 1, true),
            ],
            Shape::Colour => vec![block(64, 1, true), block(64, 1, true)],
            Shape::Large => vec![block(16, 1, true), block(32, 1, true), block(64, 1, true)],
        }
    }

    /// Images per training step.
    pub fn batch(self) -> usize {
        match self {
            Shape::Small | Shape::Colour => 128,
            Shape::Deep => 256,
            Shape::Large => 64,
        }
    }

    fn input(self) -> Result<ImageShape, data::DataError> {
        match self {
            Shape::Small | Shape::Deep => ImageShape::new(1, 28, 28),
            Shape::Colour => ImageShape::new(3, 32, 32),
            Shape::Large => ImageShape::new(1, 64, 64),
        }
    }

    /// Images to learn from and to be asked about, made of MNIST's: the first of them, brought to the network's
    /// shape by taking the nearest pixel for each channel.
    pub fn images(
        self,
        train: &LabelledImages,
        test: &LabelledImages,
    ) -> anyhow::Result<[LabelledImages; 2]> {
        if self == Shape::Small {
            return Ok([train.clone(), test.clone()]);
        }
        Ok([self.enlarged(train, IMAGES)?, self.enlarged(test, ASKED)?])
    }

    fn enlarged(self, images: &LabelledImages, count: usize) -> anyhow::Result<LabelledImages> {
        let (from, to) = (images.shape(), self.input()?);
        let count = count.min(images.len());
        let mut pixels = Vec::with_capacity(count * to.len());
        for index in 0..count {
            let image = images.image(index);
            for place in 0..to.len() {
                let (y, x) = (place / to.width % to.height, place % to.width);
                let (y, x) = (y * from.height / to.height, x * from.width / to.width);
                pixels.push(image[y * from.width + x]);
            }
        }
        let labels = images.labels()[..count].to_vec();
        LabelledImages::new(to, images.classes().clone(), pixels, labels)
            .context("images of another shape")
    }
}
