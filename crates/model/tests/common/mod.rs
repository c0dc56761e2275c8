//! What the tests share: a network of a few hundred weights and checkpoints of it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use burn::module::Module;
use data::{Normalization, SplitDigest};
use model::{
    Backend, BlockConfig, Device, Manifest, Network, NetworkConfig, Order, Provenance,
    checkpoint::{
        self, Checkpoint, DataDigests, FORMAT_VERSION, MANIFEST, MODEL, OPTIMIZER, SCHEDULER,
        Versions,
    },
};
use serde_json::json;
use tempfile::TempDir;

pub fn device() -> Device {
    Backend::default().device().unwrap()
}

pub fn block(channels: usize, kernel: usize) -> BlockConfig {
    BlockConfig {
        channels,
        kernel,
        padding: 0,
        pool: true,
    }
}

pub fn tiny() -> NetworkConfig {
    NetworkConfig {
        blocks: vec![block(2, 5), block(2, 5)],
        dense: vec![4],
        norm: true,
        order: Order::ConvPoolNormRelu,
        dropout: 0.0,
    }
}

pub fn manifest(architecture: NetworkConfig) -> Manifest {
    Manifest {
        version: FORMAT_VERSION,
        architecture,
        normalization: Normalization::MNIST,
        classes: (0..10).map(|class| class.to_string()).collect(),
        calibration: None,
        ink: None,
        metrics: BTreeMap::from([("validation.accuracy".into(), 0.1)]),
        provenance: Provenance {
            seed: 0,
            config: json!({ "seed": 0 }),
            data: DataDigests {
                source: "a test".into(),
                train: SplitDigest {
                    images: "0".repeat(64),
                    labels: "0".repeat(64),
                },
            },
            backend: "ndarray".into(),
            versions: Versions::current(),
        },
        training: None,
    }
}

pub fn weights(network: Network) -> Vec<u8> {
    network.into_record().into_bytes().unwrap().to_vec()
}

/// The weights that a seed gives, as `model.bpk`.
pub fn seeded(seed: u64) -> Vec<u8> {
    weights(tiny().init(seed, &device()).unwrap())
}

/// A temporary folder with checkpoints in it.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Folder(TempDir::new().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A checkpoint with these files; the digests are right, whatever is in them.
    pub fn write(&self, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let path = self.path(name);
        checkpoint::write(&path, files).unwrap();
        path
    }

    /// A published checkpoint of the tiny network.
    pub fn published(&self, name: &str, seed: u64) -> PathBuf {
        let manifest = manifest(tiny()).to_json();
        self.write(name, &[(MANIFEST, &manifest), (MODEL, &seeded(seed))])
    }

    /// A training checkpoint of the tiny network: all five files.
    pub fn training(&self, name: &str, seed: u64) -> PathBuf {
        let mut manifest = manifest(tiny());
        manifest.training = Some(json!({ "epoch": 1 }));
        self.write(
            name,
            &[
                (MANIFEST, &manifest.to_json()),
                (MODEL, &seeded(seed)),
                (OPTIMIZER, &[seed as u8; 300]),
                (SCHEDULER, &[seed as u8; 30]),
            ],
        )
    }

    /// What lies in the folder, sorted.
    pub fn names(&self) -> Vec<String> {
        names(self.0.path())
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Why a checkpoint is refused.
pub fn refused(path: &Path) -> String {
    match Checkpoint::open(path) {
        Ok(_) => panic!("{}: accepted", path.display()),
        Err(error) => error.to_string(),
    }
}
