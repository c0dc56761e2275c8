//! What the tests share: a network of a few hundred weights and checkpoints of it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use burn::module::Module;
use data::{ImageShape, Normalization, SplitDigest, mnist};
use evaluation::{Calibration, CalibrationConfig, Logits, PixelLimits, Pixels};
use model::{
    Backend, BlockConfig, Device, Manifest, Network, NetworkConfig, Order, PictureInput, Precision,
    Provenance, Views,
    checkpoint::{
        self, Checkpoint, DataDigests, FORMAT_VERSION, LIVE, MANIFEST, MODEL, OPTIMIZER, SCHEDULER,
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
        ..BlockConfig::default()
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

/// Neither grey nor square, and just large enough for the tiny network.
pub const COLOUR: ImageShape = ImageShape {
    channels: 3,
    height: 20,
    width: 31,
};

/// The manifest of a network for MNIST.
pub fn manifest(architecture: NetworkConfig) -> Manifest {
    Manifest {
        version: FORMAT_VERSION,
        architecture,
        members: 1,
        views: Views::One,
        input: mnist::SHAPE,
        picture: PictureInput::Framed,
        normalization: Normalization {
            mean: vec![0.13],
            std: vec![0.31],
        },
        classes: (0..10).map(|class| class.to_string()).collect(),
        labels: None,
        calibration: None,
        calibrated_on: None,
        metrics: BTreeMap::from([("validation.accuracy".into(), 0.1)]),
        provenance: Provenance {
            precision: Precision::F32,
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

/// The manifest of a network for other images, with everything that a manifest may have.
pub fn full_manifest() -> Manifest {
    Manifest {
        views: Views::Nine,
        input: COLOUR,
        picture: PictureInput::Whole,
        normalization: Normalization {
            mean: vec![0.1, 0.2, 0.3],
            std: vec![0.4, 0.5, 0.6],
        },
        classes: ["cat", "dog", "кит"].map(String::from).into(),
        labels: Some(vec![1, 2, 7]),
        calibration: Some(calibration(3, 2, COLOUR)),
        training: Some(json!({ "epoch": 1 })),
        ..manifest(tiny())
    }
}

/// A calibration of images that are all alike, with all limits.
pub fn calibration(classes: usize, features: usize, shape: ImageShape) -> Calibration {
    let mut random = data::Random::keyed(&[11]);
    let (mut values, mut labels, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for image in 0..400 {
        let label = image % classes;
        labels.push(label as u16);
        values.extend((0..classes).map(|class| {
            let bonus = if class == label { 3.0 } else { 0.0 };
            bonus + 2.0 * random.symmetric()
        }));
        rows.push((0..features).map(|_| random.symmetric() as f32).collect());
    }
    let logits = Logits::new(classes, values, labels).unwrap();
    let config = CalibrationConfig::default();
    let fitted = Calibration::fit_with_features(&logits, &rows, 1, &config).unwrap();
    assert!(fitted.distance.is_some());
    let image: Vec<u8> = (0..shape.len()).map(|at| at as u8).collect();
    let pixels = PixelLimits::of([Pixels {
        bytes: &image,
        height: shape.height,
        width: shape.width,
    }]);
    Calibration { pixels, ..fitted }
}

/// `checkpoint.json` of a manifest.
pub fn json_of(manifest: &Manifest) -> Vec<u8> {
    manifest.to_json().unwrap()
}

pub fn weights(network: Network) -> Vec<u8> {
    network.into_record().into_bytes().unwrap().to_vec()
}

/// A network for MNIST with the weights that a seed gives.
pub fn network(config: &NetworkConfig, seed: u64) -> Network {
    config.init(seed, mnist::SHAPE, 10, &device()).unwrap()
}

/// The weights that a seed gives, as `model.bpk`.
pub fn seeded(seed: u64) -> Vec<u8> {
    weights(network(&tiny(), seed))
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
        let manifest = json_of(&manifest(tiny()));
        self.write(name, &[(MANIFEST, &manifest), (MODEL, &seeded(seed))])
    }

    /// A training checkpoint of the tiny network: all six files, with the same weights as live ones.
    pub fn training(&self, name: &str, seed: u64) -> PathBuf {
        let mut manifest = manifest(tiny());
        manifest.training = Some(json!({ "epoch": 1 }));
        self.write(
            name,
            &[
                (MANIFEST, &json_of(&manifest)),
                (MODEL, &seeded(seed)),
                (LIVE, &seeded(seed)),
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
