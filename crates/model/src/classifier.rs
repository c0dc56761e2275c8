//! From raw bytes to probabilities and a decision.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use data::{CLASSES, HEIGHT, Normalization, PIXELS, WIDTH};
use evaluation::{
    Calibration, Classification, Decision, Deferral, EnergyLimit, ReviewReason, Temperature, energy,
};

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
    calibration: Calibration,
    device: Device,
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
            calibration: checkpoint
                .manifest()
                .calibration
                .clone()
                .unwrap_or_else(uncalibrated),
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

    /// The network itself, for those who want to look at its weights.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What the checkpoint says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How raw bytes become the network's input.
    pub fn normalization(&self) -> Normalization {
        self.manifest.normalization
    }

    /// How logits become probabilities and decisions. A checkpoint from the middle of training has
    /// no calibration yet: its probabilities are the network's own, and every image goes to review.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Classifies one image: 28×28 bytes row by row, 0 for background and 255 for ink.
    ///
    /// The answer holds the digit, the probability of each of the ten, the confidence, the sets of
    /// classes that can't be excluded, and whether to accept the digit or have it reviewed.
    pub fn classify(&self, image: &[u8; PIXELS]) -> Classification {
        let threshold = self.calibration.deferral.threshold;
        self.decide(image, &self.logits(image)[0], threshold)
    }

    /// Classifies many images in batches, which is much faster than one by one.
    pub fn classify_all(&self, images: &[[u8; PIXELS]]) -> Vec<Classification> {
        self.classify_all_at(images, self.calibration.deferral.threshold)
    }

    /// Classifies many images and accepts those whose confidence is at least a threshold of the
    /// caller's, instead of the checkpoint's own. No guarantee comes with it; above 1 it accepts
    /// nothing.
    pub fn classify_all_at(&self, images: &[[u8; PIXELS]], threshold: f64) -> Vec<Classification> {
        self.logits(images.as_flattened())
            .iter()
            .zip(images)
            .map(|(logits, image)| self.decide(image, logits, threshold))
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
            self.normalization()
                .apply(&chunk[..count * PIXELS], &mut input);
            let data = TensorData::new(input.clone(), [count, HEIGHT, WIDTH]);
            let logits = self.network.forward(Tensor::from_data(data, &self.device));
            let values: Vec<f64> = logits.into_data().iter::<f64>().collect();
            rows.extend(values.as_chunks::<CLASSES>().0);
        }
        rows
    }

    /// Whether the ink of an image, `[28, 28]`, is like that of digits. Where it isn't, the image goes
    /// to a person, however sure the network is. Without limits in the checkpoint, all images pass.
    ///
    /// # Panics
    /// If `image` has not 784 bytes.
    pub fn is_plausible(&self, image: &[u8]) -> bool {
        self.manifest.ink.is_none_or(|limits| limits.hold(image))
    }

    fn decide(&self, image: &[u8], logits: &[f64], threshold: f64) -> Classification {
        let mut answer = self.decide_by_logits(logits, threshold);
        if !self.is_plausible(image) {
            answer.decision = Decision::Review {
                runner_up: answer.runner_up(),
                reason: ReviewReason::OutOfDistribution,
            };
        }
        answer
    }

    fn decide_by_logits(&self, logits: &[f64], threshold: f64) -> Classification {
        self.calibration
            .decide_at(logits, threshold)
            // Weights are finite, but an image may still drive a sum beyond the range of f32. Such
            // an answer knows nothing and says so.
            .unwrap_or_else(|_| Classification {
                digit: 0,
                probabilities: vec![1.0 / CLASSES as f64; CLASSES],
                confidence: 1.0 / CLASSES as f64,
                energy: energy(&[]),
                sets: Vec::new(),
                decision: Decision::Review {
                    runner_up: 1,
                    reason: ReviewReason::OutOfDistribution,
                },
            })
    }
}

/// Probabilities as they come, and nothing accepted.
fn uncalibrated() -> Calibration {
    Calibration {
        classes: CLASSES,
        temperature: Temperature::ONE,
        deferral: Deferral {
            threshold: 2.0,
            target_risk: 0.001,
            confidence_level: 0.95,
            certified: false,
            risk_upper_bound: 1.0,
            coverage: 0.0,
            errors: 0,
            accepted: 0,
            n: 0,
        },
        energy: EnergyLimit {
            kept_share: 1.0,
            value: f64::MAX,
        },
        conformal: Vec::new(),
    }
}
