//! The same network with the same initial weights, computed by the kernels or by Burn alone.

use burn::{
    module::Module,
    nn::{loss::CrossEntropyLossConfig, pool::MaxPool2dConfig},
    optim::{AdamWConfig, ModuleOptimizer},
    tensor::{Device, Tensor, TensorData, activation::relu},
};
use data::{ImageShape, Normalization, Spec};
use kernels::{AdamW, Precision, cross_entropy};
use model::{ConfigError, InferencePrecision, Network, NetworkConfig, Order, Prepared};

use crate::shape::Shape;

/// Who computes the layers and the optimizer.
#[derive(Clone, Copy, Debug)]
pub enum Layers {
    /// This project, with products of a precision.
    Kernels(Precision),
    /// `burn::nn`, `burn::tensor` and `burn::optim`.
    Stock,
}

/// The network on a device, as one contender computes it.
#[derive(Clone, Debug)]
pub struct Contender {
    /// The parameters.
    pub network: Network,
    /// Where they are, without gradients.
    pub device: Device,
    layers: Layers,
    shape: Shape,
    order: Order,
}

impl Contender {
    /// The network of the given shape for the given images: with batch normalization in the given order, or
    /// without.
    pub fn new(
        layers: Layers,
        shape: Shape,
        images: &Spec,
        norm: Option<Order>,
        device: &Device,
    ) -> Result<Self, ConfigError> {
        let order = norm.unwrap_or(Order::ConvPoolNormRelu);
        let config = NetworkConfig {
            blocks: shape.blocks(),
            dense: vec![128],
            norm: norm.is_some(),
            order,
            dropout: 0.0,
        };
        let network = config.init(
            0,
            images.shape,
            images.classes.len(),
            &device.clone().autodiff(),
        )?;
        Ok(Contender {
            network: match layers {
                Layers::Kernels(precision) => network.with_precision(precision),
                Layers::Stock => network,
            },
            device: device.clone(),
            layers,
            shape,
            order,
        })
    }

    /// AdamW with the numbers of PyTorch's.
    pub fn optimizer(&self) -> ModuleOptimizer {
        match self.layers {
            Layers::Kernels(_) => ModuleOptimizer::from(AdamW {
                epsilon: 1e-8,
                weight_decay: 1e-2,
                ..AdamW::default()
            }),
            Layers::Stock => AdamWConfig::new()
                .with_epsilon(1e-8)
                .with_weight_decay(1e-2)
                .init(),
        }
    }

    /// The mean cross-entropy of `[batch, classes]` logits.
    pub fn loss(&self, logits: Tensor<2>, labels: &[u16]) -> Tensor<1> {
        match self.layers {
            Layers::Kernels(_) => cross_entropy(logits, labels),
            Layers::Stock => {
                let device = logits.device();
                let labels: Vec<i32> = labels.iter().map(|&label| label.into()).collect();
                let targets = TensorData::new(labels, [logits.dims()[0]]);
                CrossEntropyLossConfig::new()
                    .init(&device)
                    .forward(logits, Tensor::from_data(targets, &device))
            }
        }
    }

    /// The network as it answers when it learns no more.
    pub fn answering(
        &self,
        shape: ImageShape,
        normalization: &Normalization,
        precision: InferencePrecision,
    ) -> anyhow::Result<Answering> {
        let network = self.network.valid();
        Ok(match self.layers {
            Layers::Kernels(_) => Answering::Prepared(Prepared::with_precision(
                &network,
                shape,
                normalization,
                &self.device,
                precision,
            )?),
            Layers::Stock if precision == InferencePrecision::Int8 => {
                anyhow::bail!("Burn alone has no int8 here")
            }
            Layers::Stock => Answering::Stock {
                contender: Box::new(Contender {
                    network,
                    ..self.clone()
                }),
                shape,
                normalization: normalization.clone(),
            },
        })
    }

    /// `[batch, channels, height, width]` images to `[batch, classes]` logits.
    pub fn forward(&self, network: &Network, images: Tensor<4>) -> Tensor<2> {
        match self.layers {
            Layers::Kernels(_) => network.forward(images),
            Layers::Stock => self.forward_stock(network, images),
        }
    }

    fn forward_stock(&self, network: &Network, images: Tensor<4>) -> Tensor<2> {
        let max_pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        let mut x = images;
        for (block, config) in network.blocks.iter().zip(self.shape.blocks()) {
            let pool = |x| {
                if config.pool { max_pool.forward(x) } else { x }
            };
            x = block.conv.forward(x);
            x = match (&block.norm, self.order) {
                (Some(norm), Order::ConvNormReluPool) => pool(relu(norm.forward(x))),
                (Some(norm), Order::ConvPoolNormRelu) => relu(norm.forward(pool(x))),
                (None, _) => relu(pool(x)),
            };
        }
        let mut x = x.flatten::<2>(1, 3);
        for dense in &network.dense {
            x = dense.linear.forward(x);
            x = match &dense.norm {
                Some(norm) => norm.forward(x),
                None => x,
            };
            x = relu(x);
        }
        network.output.forward(x)
    }
}

/// A network that learns no more.
#[derive(Debug)]
pub enum Answering {
    /// As this project's classifier has it.
    Prepared(Prepared),
    /// As Burn alone computes it.
    Stock {
        /// The network.
        contender: Box<Contender>,
        /// Of the images.
        shape: ImageShape,
        /// Of their bytes.
        normalization: Normalization,
    },
}

impl Answering {
    /// Bytes, `[images, channels, height, width]`, to logits, `[images, classes]`.
    pub fn logits(&self, images: &[u8]) -> Vec<f32> {
        match self {
            Self::Prepared(network) => network.look(images).logits,
            Self::Stock {
                contender,
                shape,
                normalization,
            } => {
                let mut input = Vec::with_capacity(images.len());
                normalization.apply(*shape, images, &mut input);
                let count = images.len() / shape.len();
                let dims = [count, shape.channels, shape.height, shape.width];
                let images = Tensor::from_data(TensorData::new(input, dims), &contender.device);
                let logits = contender.forward(&contender.network, images).into_data();
                logits.iter::<f32>().collect()
            }
        }
    }
}
