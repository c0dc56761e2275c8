//! Fitting a calibration: on labelled images that the networks were not trained on.

use data::LabelledImages;
use evaluation::{
    Calibration, CalibrationConfig, DistanceLimit, FeatureSpace, Logits, PixelLimits, Pixels,
};
use thiserror::Error;

use crate::classifier::{Classifier, ShapeError};
use crate::output::Output;

/// Labelled images, and what a classifier makes of them.
#[derive(Clone, Debug)]
pub struct Seen {
    images: LabelledImages,
    members: usize,
    logits: Logits,
    features: Vec<Vec<f32>>,
}

/// Further images that a calibration is fitted on, none of which a certificate speaks of.
#[derive(Clone, Copy, Debug)]
pub enum Beside<'a> {
    /// None.
    Nothing,
    /// The same images as they would be in another hand: see [`Calibration::fit_with_augmented`].
    Augmented(&'a Seen),
    /// Many of before, where those that are to come are few, and the risk to certify: see
    /// [`Calibration::fit_with_others`].
    Others(&'a Seen, f64),
}

/// Why images can't calibrate a classifier.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CalibrationError {
    /// They are of another shape than the classifier takes.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// No calibration follows from them, for instance because a label is no class of the classifier's.
    #[error(transparent)]
    Figures(#[from] evaluation::Error),
}

impl Seen {
    /// Shows a classifier images.
    ///
    /// # Errors
    /// If they are of another shape, or a label is no class of the classifier's.
    pub fn new(classifier: &Classifier, images: LabelledImages) -> Result<Self, CalibrationError> {
        let outputs = classifier.outputs(images.pixels())?;
        Self::known(classifier, images, outputs)
    }

    /// The same where the [`outputs`](Classifier::outputs) for the images are known already.
    ///
    /// # Errors
    /// If they are not as many as the images, or a label is no class of the classifier's.
    pub fn known(
        classifier: &Classifier,
        images: LabelledImages,
        outputs: Vec<Output>,
    ) -> Result<Self, CalibrationError> {
        let (logits, features): (Vec<_>, Vec<_>) = outputs
            .into_iter()
            .map(|output| (output.logits, output.features))
            .unzip();
        let classes = classifier.classes().len();
        Ok(Seen {
            logits: Logits::new(classes, logits.concat(), images.labels().to_vec())?,
            members: classifier.networks().len(),
            images,
            features,
        })
    }

    /// The scores, with the labels.
    pub fn logits(&self) -> &Logits {
        &self.logits
    }

    /// These and others, which the same classifier has seen.
    ///
    /// # Errors
    /// If the numbers of classes or the shapes differ.
    pub fn and(&self, others: &Self) -> Result<Self, CalibrationError> {
        let (found, expected) = (others.images.shape(), self.images.shape());
        let images = LabelledImages::joined(&[&self.images, &others.images]);
        Ok(Seen {
            images: images.ok_or(ShapeError {
                found: found.len(),
                shape: expected,
                several: false,
            })?,
            members: self.members,
            logits: self.logits.joined(&others.logits)?,
            features: [&self.features[..], &others.features].concat(),
        })
    }

    /// Fits the calibration of which these images are the certificate's: all parts, the limits on pixels
    /// included. Where all images together are too few to tell means and covariance of their features, those of
    /// `known` are taken, if there are any.
    ///
    /// # Errors
    /// If a value of `config` is out of its range.
    pub fn calibrate(
        &self,
        beside: Beside<'_>,
        config: &CalibrationConfig,
        known: Option<&DistanceLimit>,
    ) -> Result<Calibration, CalibrationError> {
        let members = self.members;
        let space = FeatureSpace { members, known };
        let own = (&self.logits, &self.features[..]);
        let fit = || match beside {
            Beside::Nothing => Calibration::fit_with_features(own.0, own.1, space, config),
            Beside::Augmented(others) => {
                let others = (&others.logits, &others.features[..]);
                Calibration::fit_with_augmented(own, others, space, config)
            }
            Beside::Others(others, risk) => {
                let others = (&others.logits, &others.features[..]);
                Calibration::fit_with_others(own, others, space, config, risk)
            }
        };
        let others = match beside {
            Beside::Nothing => None,
            Beside::Augmented(others) | Beside::Others(others, _) => Some(&others.images),
        };
        let images = [Some(&self.images), others].into_iter().flatten();
        let (calibration, limits) = rayon::join(fit, || PixelLimits::of(images.flat_map(pixels)));
        let mut calibration = calibration?;
        calibration.pixels = limits;
        Ok(calibration)
    }
}

fn pixels(images: &LabelledImages) -> impl Iterator<Item = Pixels<'_>> {
    let shape = images.shape();
    let images = images.pixels().chunks_exact(shape.len());
    images.map(move |bytes| Pixels {
        bytes,
        height: shape.height,
        width: shape.width,
    })
}
