//! From raw bytes to probabilities and a decision.

use std::{ops::Deref, path::Path, sync::Arc};

use burn::tensor::Device;
use data::{ImageShape, Normalization};
use evaluation::{Calibration, Classification, Evidence, Pixels};
use kernels::inference::Precision;
use thiserror::Error;

use crate::{
    checkpoint::{Checkpoint, CheckpointError, MANIFEST, Manifest},
    network::Network,
    output::Output,
    prepared::{PrecisionError, Prepared},
};

/// A trained network, or several whose probabilities are averaged, with the preprocessing that belongs
/// to them.
#[derive(Debug)]
pub struct Classifier {
    networks: Vec<Network>,
    prepared: Vec<Prepared>,
    manifest: Manifest,
    calibration: Calibration,
    names: Vec<Arc<str>>,
    device: Device,
    precision: Precision,
}

/// Bytes that are no whole images of the shape that the network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{found} bytes are not {what} of {shape}: give {} for each, channel by channel, row by row", .shape.len(), what = if *.several { "whole images" } else { "an image" })]
pub struct ShapeError {
    /// Bytes given.
    pub found: usize,
    /// The shape of an image.
    pub shape: ImageShape,
    /// Whether there may be several images.
    pub several: bool,
}

/// What the classifier says of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The name of the predicted class.
    pub name: Arc<str>,
    /// Class, probabilities and decision.
    pub classification: Classification,
}

impl Deref for Answer {
    type Target = Classification;

    fn deref(&self) -> &Classification {
        &self.classification
    }
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

    /// Loads a checkpoint whose files are in memory, by their names: compiled in, or from a store of
    /// objects. `origin` stands for the folder in errors.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_bytes(
        origin: &str,
        files: &[(&str, &[u8])],
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        Self::from_checkpoint(&Checkpoint::from_bytes(origin, files)?, device)
    }

    /// Builds the classifier from a checkpoint that is already open.
    ///
    /// # Errors
    /// [`CheckpointError::Invalid`] if the weights don't fit.
    pub fn from_checkpoint(
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        Self::committee(checkpoint, &[], device)
    }

    /// Builds one classifier of the networks of several checkpoints, whose probabilities it averages.
    /// What it states of itself is what the first states, but for the number of its members; where
    /// there are several checkpoints, it has no calibration yet, as theirs are not its own.
    ///
    /// # Errors
    /// [`CheckpointError::Invalid`] if weights don't fit, or a checkpoint is of another network or other
    /// images than the first.
    pub fn committee(
        first: &Checkpoint,
        others: &[Checkpoint],
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        let mut manifest = first.manifest().clone();
        let mut networks = first.networks(device)?;
        for member in others {
            if !manifest.is_akin_to(member.manifest()) {
                return Err(CheckpointError::Invalid {
                    path: member.path().join(MANIFEST),
                    problem: format!(
                        "it is of another network or other images than {}",
                        first.path().display()
                    ),
                });
            }
            networks.extend(member.networks(device)?);
        }
        if !others.is_empty() {
            manifest.calibration = None;
            manifest.calibrated_on = None;
        }
        manifest.members = networks.len();
        Ok(Self::new(networks, manifest, device))
    }

    /// A classifier of a network in memory, for instance one that is being trained, on the device on which
    /// its weights are, and of what a checkpoint of it would state. It answers as one that is loaded from
    /// that checkpoint, but for the calibration, which it doesn't have.
    pub fn of(network: Network, mut manifest: Manifest) -> Self {
        manifest.calibration = None;
        manifest.calibrated_on = None;
        manifest.members = 1;
        let device = network.output.weight.device();
        Self::new(vec![network], manifest, &device)
    }

    fn new(networks: Vec<Network>, manifest: Manifest, device: &Device) -> Self {
        let calibration = manifest.calibration.clone();
        let device = device.clone().without_autodiff();
        let prepare =
            |network| Prepared::new(network, manifest.input, &manifest.normalization, &device);
        Classifier {
            prepared: networks.iter().map(prepare).collect(),
            networks,
            calibration: calibration
                .unwrap_or_else(|| Calibration::unfitted(manifest.classes.len())),
            names: manifest
                .classes
                .iter()
                .map(|name| Arc::from(&**name))
                .collect(),
            manifest,
            device,
            precision: Precision::F32,
        }
    }

    /// The same classifier, computing in a precision. Its calibration stays as it is, which speaks of `f32`.
    ///
    /// # Errors
    /// If it is another than `f32`, and the processor has no instructions or the network no kernel for it. There is no
    /// fallback to another precision.
    pub fn with_precision(mut self, precision: Precision) -> Result<Self, PrecisionError> {
        let Manifest {
            input,
            normalization,
            ..
        } = &self.manifest;
        let prepare = |network| {
            Prepared::with_precision(network, *input, normalization, &self.device, precision)
        };
        self.prepared = self
            .networks
            .iter()
            .map(prepare)
            .collect::<Result<_, _>>()?;
        self.precision = precision;
        Ok(self)
    }

    /// What its networks compute in: `f32` unless it was told otherwise.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The networks themselves, at least one, for those who want to look at their weights.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    pub(crate) fn prepared(&self) -> &[Prepared] {
        &self.prepared
    }

    /// What the checkpoint says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The shape of the images that it takes.
    pub fn shape(&self) -> ImageShape {
        self.manifest.input
    }

    /// The names of the classes, in the order of the probabilities.
    pub fn classes(&self) -> &[String] {
        &self.manifest.classes
    }

    /// How raw bytes become the network's input.
    pub fn normalization(&self) -> &Normalization {
        &self.manifest.normalization
    }

    /// How logits become probabilities and decisions. A checkpoint from the middle of training has
    /// no calibration yet: its probabilities are the network's own, and every image goes to review.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Classifies one image: a byte for each channel of a pixel, `[channels, height, width]`.
    ///
    /// The answer holds the class and its name, the probability of each class, the confidence, the sets
    /// of classes that can't be excluded, and whether to accept the class or have it reviewed.
    ///
    /// # Errors
    /// [`ShapeError`] if `image` is no image of [`Self::shape`].
    pub fn classify(&self, image: &[u8]) -> Result<Answer, ShapeError> {
        if image.len() != self.shape().len() {
            return Err(self.wrong(image, false));
        }
        let mut answers = self.classify_all(image)?;
        answers.pop().ok_or_else(|| self.wrong(image, false))
    }

    /// Classifies many images, `[count, channels, height, width]`, in batches, which is much faster than
    /// one by one.
    ///
    /// # Errors
    /// [`ShapeError`] if `images` are no whole images of [`Self::shape`].
    pub fn classify_all(&self, images: &[u8]) -> Result<Vec<Answer>, ShapeError> {
        self.classify_by(images, None)
    }

    /// Classifies many images and accepts those that are like the images of the calibration and whose
    /// confidence is at least a threshold of the caller's, instead of the checkpoint's own. No guarantee
    /// comes with it; above 1 it accepts nothing.
    ///
    /// # Errors
    /// As [`Self::classify_all`].
    pub fn classify_all_at(
        &self,
        images: &[u8],
        threshold: f64,
    ) -> Result<Vec<Answer>, ShapeError> {
        self.classify_by(images, Some(threshold))
    }

    /// What follows from the networks' output for an image, `[channels, height, width]`.
    pub fn decide(&self, image: &[u8], output: &Output) -> Answer {
        self.decide_by(image, output, None)
    }

    fn classify_by(
        &self,
        images: &[u8],
        threshold: Option<f64>,
    ) -> Result<Vec<Answer>, ShapeError> {
        let outputs = self.outputs(images)?;
        let images = images.chunks_exact(self.shape().len());
        let pairs = outputs.iter().zip(images);
        Ok(pairs
            .map(|(output, image)| self.decide_by(image, output, threshold))
            .collect())
    }

    fn decide_by(&self, image: &[u8], output: &Output, threshold: Option<f64>) -> Answer {
        let ImageShape { height, width, .. } = self.shape();
        let evidence = Evidence {
            logits: &output.logits,
            features: &output.features,
            pixels: Some(Pixels {
                bytes: image,
                height,
                width,
            }),
        };
        let classification = match threshold {
            None => self.calibration.decide(evidence),
            Some(threshold) => self.calibration.decide_at(evidence, threshold),
        };
        // Weights are finite, but an image may still drive a sum beyond the range of f32.
        let classification =
            classification.unwrap_or_else(|_| Classification::unknown(self.names.len()));
        let name = self.names.get(usize::from(classification.class));
        Answer {
            name: name.cloned().unwrap_or_default(),
            classification,
        }
    }

    pub(crate) fn wrong(&self, images: &[u8], several: bool) -> ShapeError {
        ShapeError {
            found: images.len(),
            shape: self.shape(),
            several,
        }
    }
}
