//! Weights of a checkpoint as the beginning of another training.

use burn::{
    module::{Module, Param},
    store::ModuleRecord,
    tensor::{Bytes, Device, Tensor},
};
use data::Spec;
use thiserror::Error;

use super::{Checkpoint, CheckpointError, Manifest, SUMS, model_file};
use crate::config::{ConfigError, NetworkConfig};
use crate::network::Network;

/// A network that begins with the weights of a checkpoint.
#[derive(Debug)]
pub struct Transferred {
    /// The network, on the device that was asked for.
    pub network: Network,
    /// Whether the last layer is drawn from the seed, because the classes differ.
    pub output_is_new: bool,
}

/// Why a network can't begin with the weights of a checkpoint.
#[derive(Debug, Error)]
pub enum TransferError {
    /// A tensor of the network is of another shape in the checkpoint, or in one of the two only.
    #[error("`{tensor}` is {found} in the checkpoint and {expected} in the network to train")]
    Tensor {
        /// Its name, such as `blocks.0.conv.weight`.
        tensor: String,
        /// Its shape in the network, in words.
        expected: String,
        /// Its shape in the checkpoint, in words.
        found: String,
    },
    /// The network can't be built.
    #[error(transparent)]
    Network(#[from] ConfigError),
    /// The checkpoint makes no sense.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl Checkpoint {
    /// The SHA-256 of one of the files, hexadecimal, as `SHA256SUMS` states it.
    pub fn digest(&self, name: &str) -> Option<&str> {
        let sums = std::str::from_utf8(self.file(SUMS)?).ok()?;
        let mut lines = sums.lines().filter_map(|line| line.split_once("  "));
        lines.find_map(|(digest, file)| (file == name).then_some(digest))
    }

    /// A network for the images of `spec` with the weights and running statistics of a member, counted from
    /// 0. Where nothing differs but the classes, by number or by name, the last layer is drawn from `seed`.
    ///
    /// # Errors
    /// [`TransferError::Tensor`] names the first tensor that doesn't fit; otherwise that the network or the
    /// checkpoint makes no sense.
    pub fn transfer(
        &self,
        member: usize,
        config: &NetworkConfig,
        seed: u64,
        spec: &Spec,
        device: &Device,
    ) -> Result<Transferred, TransferError> {
        let Manifest { classes, .. } = self.manifest();
        let file = model_file(member);
        let bare = device.clone().without_autodiff();
        // Also checks that the weights are whole.
        let stored = tensors(&self.network(&file, &bare)?);
        let drawn = config.init(seed, spec.shape, spec.classes.len(), device)?;
        let output_is_new = *classes != spec.classes.names();
        fits(&tensors(&drawn), &stored, output_is_new)?;
        let invalid = |problem: String| CheckpointError::Invalid {
            path: self.path().join(&file),
            problem,
        };
        let bytes = self.file(&file).unwrap_or_default().to_vec();
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes))
            .map_err(|error| invalid(error.to_string()))?;
        let mut network = config
            .init(seed, spec.shape, classes.len(), device)?
            .try_load_record(record.cast_to_module_dtype())
            .map_err(|error| invalid(error.to_string()))?;
        if output_is_new {
            network.output = drawn.output;
        }
        Ok(Transferred {
            network,
            output_is_new,
        })
    }
}

type Named = (String, Vec<usize>);

/// The learned tensors in the order of the layers, with their shapes.
fn tensors(network: &Network) -> Vec<Named> {
    let mut found = Vec::new();
    let mut add = |name: String, dims: Vec<usize>| found.push((name, dims));
    for (at, block) in network.blocks.iter().enumerate() {
        add(format!("blocks.{at}.conv.weight"), dims(&block.conv.weight));
        if let Some(bias) = &block.conv.bias {
            add(format!("blocks.{at}.conv.bias"), dims(bias));
        }
        if let Some(norm) = &block.norm {
            add(format!("blocks.{at}.norm.gamma"), dims(&norm.gamma));
        }
    }
    for (at, dense) in network.dense.iter().enumerate() {
        add(
            format!("dense.{at}.linear.weight"),
            dims(&dense.linear.weight),
        );
        if let Some(bias) = &dense.linear.bias {
            add(format!("dense.{at}.linear.bias"), dims(bias));
        }
        if let Some(norm) = &dense.norm {
            add(format!("dense.{at}.norm.gamma"), dims(&norm.gamma));
        }
    }
    add(OUTPUT.to_owned(), dims(&network.output.weight));
    found
}

/// `[features, classes]`
const OUTPUT: &str = "output.weight";

fn dims<const D: usize>(param: &Param<Tensor<D>>) -> Vec<usize> {
    param.val().dims().to_vec()
}

fn fits(expected: &[Named], stored: &[Named], other_classes: bool) -> Result<(), TransferError> {
    let of = |tensors: &[Named], name: &str| {
        let found = tensors.iter().find(|(known, _)| known == name);
        found.map(|(_, dims)| match other_classes && name == OUTPUT {
            true => dims[..1].to_vec(),
            false => dims.clone(),
        })
    };
    for (name, _) in expected.iter().chain(stored) {
        let (expected, found) = (of(expected, name), of(stored, name));
        if expected != found {
            let words = |dims: Option<Vec<usize>>| match dims {
                Some(dims) => format!("{dims:?}"),
                None => "not there".to_owned(),
            };
            return Err(TransferError::Tensor {
                tensor: name.clone(),
                expected: words(expected),
                found: words(found),
            });
        }
    }
    Ok(())
}
