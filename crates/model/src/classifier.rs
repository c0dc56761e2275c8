//! From raw bytes to probabilities and a decision.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use data::{CLASSES, HEIGHT, Normalization, PIXELS, WIDTH};
use evaluation::{
    Calibration, Classification, Decision, Deferral, EnergyLimit, Evidence, ReviewReason,
    Temperature, energy,
};

use crate::{
    checkpoint::{Checkpoint, CheckpointError, MANIFEST, Manifest},
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
        let blocks = &classifier.manifest.architecture.blocks;
        let channels = blocks.last().map_or(1, |block| block.channels);
        let distance = classifier.calibration.distance.as_ref();
        if distance.is_some_and(|limit| limit.whitening.len() != channels) {
            return Err(CheckpointError::Invalid {
                path: checkpoint.path().join(MANIFEST),
                problem: format!("its distance is not for the {channels} channels of its network"),
            });
        }
        Ok(classifier)
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
        self.decide(image, &self.outputs(image)[0])
    }

    /// Classifies many images in batches, which is much faster than one by one.
    pub fn classify_all(&self, images: &[[u8; PIXELS]]) -> Vec<Classification> {
        self.classify_each(images, None)
    }

    /// Classifies many images and accepts those that are like digits and whose confidence is at least a
    /// threshold of the caller's, instead of the checkpoint's own. No guarantee comes with it; above 1
    /// it accepts nothing.
    pub fn classify_all_at(&self, images: &[[u8; PIXELS]], threshold: f64) -> Vec<Classification> {
        self.classify_each(images, Some(threshold))
    }

    /// What follows from the network's output for an image, `[28, 28]`.
    ///
    /// # Panics
    /// If `image` has not 784 bytes.
    pub fn decide(&self, image: &[u8], output: &Output) -> Classification {
        self.decide_by(image, output, None)
    }

    /// The network's raw scores, `[images, 10]`, for `[images, 28, 28]` bytes. Bytes after the last
    /// whole image are ignored.
    pub fn logits(&self, pixels: &[u8]) -> Vec<[f64; CLASSES]> {
        let mut rows = Vec::with_capacity(pixels.len() / PIXELS);
        for input in self.batches(pixels) {
            rows.extend(logits_of(self.network.forward(input)));
        }
        rows
    }

    /// The scores and the features of each of `[images, 28, 28]` bytes. Bytes after the last whole
    /// image are ignored.
    pub fn outputs(&self, pixels: &[u8]) -> Vec<Output> {
        let mut outputs = Vec::with_capacity(pixels.len() / PIXELS);
        for input in self.batches(pixels) {
            let (logits, features) = self.network.forward_with_features(input);
            let width = features.dims()[1];
            let features: Vec<f32> = features.into_data().iter::<f32>().collect();
            let mut rows = features.chunks_exact(width.max(1)).map(<[f32]>::to_vec);
            outputs.extend(logits_of(logits).into_iter().map(|logits| Output {
                logits,
                features: rows.next().unwrap_or_default(),
            }));
        }
        outputs
    }

    fn batches(&self, pixels: &[u8]) -> impl Iterator<Item = Tensor<3>> {
        let chunks = pixels.chunks(CHUNK * PIXELS);
        chunks
            .map(|chunk| chunk.as_chunks::<PIXELS>().0)
            .filter(|images| !images.is_empty())
            .map(|images| {
                let mut input = Vec::new();
                self.normalization()
                    .apply(images.as_flattened(), &mut input);
                kernels::from_vec(input, [images.len(), HEIGHT, WIDTH], &self.device)
            })
    }

    fn classify_each(
        &self,
        images: &[[u8; PIXELS]],
        threshold: Option<f64>,
    ) -> Vec<Classification> {
        self.outputs(images.as_flattened())
            .iter()
            .zip(images)
            .map(|(output, image)| self.decide_by(image, output, threshold))
            .collect()
    }

    fn decide_by(&self, image: &[u8], output: &Output, threshold: Option<f64>) -> Classification {
        let evidence = Evidence {
            logits: &output.logits,
            features: &output.features,
            plausible: self.manifest.ink.is_none_or(|limits| limits.hold(image)),
        };
        let answer = match threshold {
            None => self.calibration.decide(evidence),
            Some(threshold) => self.calibration.decide_at(evidence, threshold),
        };
        // Weights are finite, but an image may still drive a sum beyond the range of f32. Such an
        // answer knows nothing and says so.
        answer.unwrap_or_else(|_| Classification {
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

/// What the network makes of an image, before any decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The scores of the ten digits.
    pub logits: [f64; CLASSES],
    /// What the last convolution block saw: the square root of the mean of each channel.
    pub features: Vec<f32>,
}

fn logits_of(logits: Tensor<2>) -> Vec<[f64; CLASSES]> {
    let values: Vec<f64> = logits.into_data().iter::<f64>().collect();
    values.as_chunks::<CLASSES>().0.to_vec()
}

/// Probabilities as they come, and nothing accepted: no image speaks for any threshold.
fn uncalibrated() -> Calibration {
    Calibration {
        classes: CLASSES,
        temperature: Temperature::ONE,
        deferral: Deferral {
            threshold: 1.0,
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
        distance: None,
        conformal: Vec::new(),
    }
}
