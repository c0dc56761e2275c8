//! From raw bytes to probabilities.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use data::{CLASSES, HEIGHT, Normalization, PIXELS, WIDTH};

use crate::{
    checkpoint::{Checkpoint, CheckpointError, MODEL, Manifest},
    network::Network,
};

/// How many images go through the network at once: enough to keep the cores busy, and few enough
/// that the memory stays in the tens of megabytes.
const CHUNK: usize = 500;

/// A trained network with the preprocessing that belongs to it.
#[derive(Debug)]
pub struct Classifier {
    network: Network,
    manifest: Manifest,
    device: Device,
}

/// The answer for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// The most probable class; for digits, the digit.
    pub digit: u8,
    /// The probability of each class; they add up to one.
    pub probabilities: [f64; CLASSES],
    /// The probability of [`digit`](Self::digit).
    pub confidence: f64,
}

impl Classifier {
    /// Loads the checkpoint folder at `path` onto a device.
    ///
    /// # Errors
    /// A [`CheckpointError`] that names the file and what to do, if the checkpoint is missing,
    /// damaged, not a checkpoint, newer than this program, or doesn't fit its own architecture.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, CheckpointError> {
        Self::from_checkpoint(&Checkpoint::open(path)?, device)
    }

    /// Builds the classifier from a checkpoint that is already open.
    ///
    /// # Errors
    /// [`CheckpointError::Invalid`] if the weights don't fit.
    pub fn from_checkpoint(
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        let classifier = Classifier {
            network: checkpoint.network(device)?,
            manifest: checkpoint.manifest().clone(),
            device: device.clone().without_autodiff(),
        };
        // Finite weights can still overflow on the way: a negative variance, a huge scale.
        let finite = |image| classifier.logits(image)[0].iter().all(|l| l.is_finite());
        if finite(&[0; PIXELS]) && finite(&[255; PIXELS]) {
            Ok(classifier)
        } else {
            Err(CheckpointError::Invalid {
                path: checkpoint.path().join(MODEL),
                problem: "the weights turn an image into something that is not a number".into(),
            })
        }
    }

    /// What the checkpoint says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How raw bytes become the network's input.
    pub fn normalization(&self) -> Normalization {
        self.manifest.normalization
    }

    /// Classifies one image: 28×28 bytes row by row, 0 for background and 255 for ink.
    pub fn classify(&self, image: &[u8; PIXELS]) -> Classification {
        Classification::from_logits(self.logits(image)[0])
    }

    /// Classifies many images in batches, which is much faster than one by one.
    pub fn classify_all(&self, images: &[[u8; PIXELS]]) -> Vec<Classification> {
        self.logits(images.as_flattened())
            .into_iter()
            .map(Classification::from_logits)
            .collect()
    }

    /// The network's raw scores, `[images, 10]`, for `[images, 28, 28]` bytes. Bytes after the last
    /// whole image are ignored.
    pub fn logits(&self, pixels: &[u8]) -> Vec<[f64; CLASSES]> {
        let mut rows = Vec::with_capacity(pixels.len() / PIXELS);
        let mut input = Vec::new();
        for chunk in pixels.chunks(CHUNK * PIXELS) {
            let count = chunk.len() / PIXELS;
            if count == 0 {
                break;
            }
            input.clear();
            self.normalization().apply(&chunk[..count * PIXELS], &mut input);
            let data = TensorData::new(input.clone(), [count, HEIGHT, WIDTH]);
            let logits = self.network.forward(Tensor::from_data(data, &self.device));
            let values: Vec<f64> = logits.into_data().iter::<f64>().collect();
            rows.extend(values.as_chunks::<CLASSES>().0);
        }
        rows
    }
}

impl Classification {
    fn from_logits(logits: [f64; CLASSES]) -> Self {
        let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut probabilities = logits.map(|logit| (logit - highest).exp());
        let sum: f64 = probabilities.iter().sum();
        probabilities.iter_mut().for_each(|p| *p /= sum);
        let mut digit = 0;
        for class in 1..CLASSES {
            if probabilities[class] > probabilities[digit] {
                digit = class;
            }
        }
        Classification {
            digit: digit as u8,
            confidence: probabilities[digit],
            probabilities,
        }
    }
}
