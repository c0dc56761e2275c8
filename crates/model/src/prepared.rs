//! A network that learns no more: raw bytes in, logits and features out.

use burn::tensor::{Device, Tensor};
use data::{ImageShape, Normalization};
use kernels::inference::{Forward, Precision};
use thiserror::Error;

use crate::network::Network;

/// A network with the preprocessing that belongs to it, ready to answer many times.
///
/// Where the network's device computes in main memory, its weights are laid out once and for all: then it answers
/// several times as fast as [`Network::forward`], with the same numbers but for the last bits. Elsewhere, and for
/// layers that have no such kernel, it is the network itself that answers.
#[derive(Debug)]
pub struct Prepared {
    way: Way,
    shape: ImageShape,
}

#[derive(Debug)]
enum Way {
    Kernels(Forward),
    Network(Box<(Network, Normalization, Device)>),
}

/// A precision that can't be had here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(transparent)]
pub struct PrecisionError(#[from] kernels::Error);

/// What a network says of images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// `[images, classes]`.
    pub logits: Vec<f32>,
    /// What the last block found, see [`Network::forward_with_features`]: `[images, channels of the last block]`.
    pub features: Vec<f32>,
}

impl Prepared {
    /// Prepares a network for images of a shape, on a device, to compute in `f32`.
    pub fn new(
        network: &Network,
        shape: ImageShape,
        normalization: &Normalization,
        device: &Device,
    ) -> Self {
        let layers = network.layers(shape, normalization, device);
        let way = match layers.and_then(|layers| layers.prepare(Precision::F32).ok()) {
            Some(forward) => Way::Kernels(forward),
            None => Way::Network(Box::new((
                network.clone(),
                normalization.clone(),
                device.clone(),
            ))),
        };
        Self { way, shape }
    }

    /// Prepares a network to compute in a precision.
    ///
    /// # Errors
    /// If it is another than `f32`, and the processor has no instructions or the network no kernel for it.
    pub fn with_precision(
        network: &Network,
        shape: ImageShape,
        normalization: &Normalization,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, PrecisionError> {
        if precision == Precision::F32 {
            return Ok(Self::new(network, shape, normalization, device));
        }
        let layers = network.layers(shape, normalization, device);
        let layers = layers.ok_or(kernels::Error::Int8("this backend has no such kernel"))?;
        Ok(Self {
            way: Way::Kernels(layers.prepare(precision)?),
            shape,
        })
    }

    /// What the network says of whole images, `[images, channels, height, width]` bytes; what is left over after them
    /// is not looked at.
    pub fn look(&self, images: &[u8]) -> Response {
        let count = images.len() / self.shape.len();
        let images = &images[..count * self.shape.len()];
        match &self.way {
            Way::Kernels(forward) => {
                let found = forward.run(images).unwrap_or_default();
                let roots = found
                    .means
                    .iter()
                    .map(|mean| mean.clamp(0.0, f32::INFINITY).sqrt());
                Response {
                    features: roots.collect(),
                    logits: found.outputs,
                }
            }
            Way::Network(way) => {
                let (network, normalization, device) = &**way;
                let mut input = Vec::with_capacity(images.len());
                normalization.apply(self.shape, images, &mut input);
                let ImageShape {
                    channels,
                    height,
                    width,
                } = self.shape;
                let input = kernels::from_vec(input, [count, channels, height, width], device);
                let (logits, features) = network.forward_with_features(input);
                let values = |tensor: Tensor<2>| tensor.into_data().iter::<f32>().collect();
                Response {
                    logits: values(logits),
                    features: values(features),
                }
            }
        }
    }
}
