//! From raw bytes to probabilities and a decision.

use std::{ops::Deref, path::Path, sync::Arc};

use burn::tensor::{Device, Element, Tensor};
use data::{ImageShape, Normalization};
use evaluation::{Calibration, Classification, Evidence, Pixels};
use thiserror::Error;

use crate::{
    checkpoint::{Checkpoint, CheckpointError, Manifest},
    network::Network,
};

/// How many bytes of images go through the network at once: enough to keep the cores busy, and few
/// enough that the memory stays in the tens of megabytes.
const CHUNK: usize = 500 * 784;

/// A trained network with the preprocessing that belongs to it.
#[derive(Debug)]
pub struct Classifier {
    network: Network,
    manifest: Manifest,
    calibration: Calibration,
    names: Vec<Arc<str>>,
    device: Device,
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
        let manifest = checkpoint.manifest().clone();
        let calibration = manifest.calibration.clone();
        Ok(Classifier {
            network: checkpoint.network(device)?,
            calibration: calibration
                .unwrap_or_else(|| Calibration::unfitted(manifest.classes.len())),
            names: manifest
                .classes
                .iter()
                .map(|name| Arc::from(&**name))
                .collect(),
            manifest,
            device: device.clone().without_autodiff(),
        })
    }

    /// The network itself, for those who want to look at its weights.
    pub fn network(&self) -> &Network {
        &self.network
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

    /// What follows from the network's output for an image, `[channels, height, width]`.
    pub fn decide(&self, image: &[u8], output: &Output) -> Answer {
        self.decide_by(image, output, None)
    }

    /// The network's raw scores, `[images, classes]`, for `[images, channels, height, width]` bytes.
    ///
    /// # Errors
    /// As [`Self::classify_all`].
    pub fn logits(&self, images: &[u8]) -> Result<Vec<Vec<f64>>, ShapeError> {
        let mut rows = Vec::new();
        for input in self.batches(images)? {
            rows.extend(rows_of(self.network.forward(input)));
        }
        Ok(rows)
    }

    /// The scores and the features of each of `[images, channels, height, width]` bytes.
    ///
    /// # Errors
    /// As [`Self::classify_all`].
    pub fn outputs(&self, images: &[u8]) -> Result<Vec<Output>, ShapeError> {
        let mut outputs = Vec::new();
        for input in self.batches(images)? {
            let (logits, features) = self.network.forward_with_features(input);
            let rows = rows_of(logits).zip(rows_of(features));
            outputs.extend(rows.map(|(logits, features)| Output { logits, features }));
        }
        Ok(outputs)
    }

    fn batches<'a>(
        &'a self,
        images: &'a [u8],
    ) -> Result<impl Iterator<Item = Tensor<4>> + 'a, ShapeError> {
        let shape = self.shape();
        if !images.len().is_multiple_of(shape.len()) {
            return Err(self.wrong(images, true));
        }
        let chunk = (CHUNK / shape.len()).max(1) * shape.len();
        Ok(images.chunks(chunk).map(move |chunk| {
            let mut input = Vec::with_capacity(chunk.len());
            self.normalization().apply(shape, chunk, &mut input);
            let count = chunk.len() / shape.len();
            let dims = [count, shape.channels, shape.height, shape.width];
            kernels::from_vec(input, dims, &self.device)
        }))
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

    fn wrong(&self, images: &[u8], several: bool) -> ShapeError {
        ShapeError {
            found: images.len(),
            shape: self.shape(),
            several,
        }
    }
}

/// What the network makes of an image, before any decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The scores of the classes.
    pub logits: Vec<f64>,
    /// What the last convolution block saw: the square root of the mean of each channel.
    pub features: Vec<f32>,
}

/// The rows of a matrix.
fn rows_of<T: Element>(matrix: Tensor<2>) -> impl Iterator<Item = Vec<T>> {
    let width = matrix.dims()[1].max(1);
    let values: Vec<T> = matrix.into_data().iter::<T>().collect();
    let rows: Vec<Vec<T>> = values.chunks_exact(width).map(<[T]>::to_vec).collect();
    rows.into_iter()
}
