//! The calibration of what was trained, on the validation images.

use data::{Augmentation, Draw, Scratch};
use evaluation::{Calibration, Logits, PixelLimits, Pixels};
use model::Classifier;

use crate::{Failure, plan::Plan};

/// Images whose labels are those of the validation images, and what the classifier makes of them.
pub(crate) struct HeldOut {
    /// `[images, channels, height, width]`
    images: Vec<u8>,
    /// The scores, with the labels.
    pub(crate) logits: Logits,
    features: Vec<Vec<f32>>,
}

impl Plan {
    /// What the classifier makes of the validation images; none where there are none.
    pub(crate) fn held_out(&self, classifier: &Classifier) -> Result<Option<HeldOut>, Failure> {
        let held_out = self.split.validation.iter();
        let images = held_out.flat_map(|&index| self.images.image(index as usize));
        match self.split.validation.is_empty() {
            true => Ok(None),
            false => self.seen(classifier, images.copied().collect()).map(Some),
        }
    }

    fn seen(&self, classifier: &Classifier, images: Vec<u8>) -> Result<HeldOut, Failure> {
        let labels = self.split.validation.iter();
        let labels = labels.map(|&index| self.images.label(index as usize));
        let (logits, features): (Vec<_>, Vec<_>) = classifier
            .outputs(&images)?
            .into_iter()
            .map(|output| (output.logits, output.features))
            .unzip();
        let classes = self.images.classes().len();
        Ok(HeldOut {
            images,
            logits: Logits::new(classes, logits.concat(), labels.collect())?,
            features,
        })
    }

    /// Fits the calibration on the validation images.
    pub(crate) fn calibrate(
        &self,
        classifier: &Classifier,
        held_out: &HeldOut,
    ) -> Result<Calibration, Failure> {
        let HeldOut {
            images,
            logits,
            features,
        } = held_out;
        let (members, config) = (self.members.len(), &self.config.calibration);
        let kinds = self.pens(self.config.data.validation_augmentation);
        if kinds.is_identity() {
            let mut calibration =
                Calibration::fit_with_features(logits, features, members, config)?;
            calibration.pixels = self.pixel_limits(images);
            return Ok(calibration);
        }
        let others = self.seen(classifier, self.augmented(&kinds))?;
        let mut calibration = Calibration::fit_with_augmented(
            (logits, &features[..]),
            (&others.logits, &others.features[..]),
            members,
            config,
        )?;
        calibration.pixels = self.pixel_limits(&[&images[..], &others.images].concat());
        Ok(calibration)
    }

    fn pixel_limits(&self, images: &[u8]) -> Option<PixelLimits> {
        let shape = self.images.shape();
        PixelLimits::of(images.chunks_exact(shape.len()).map(|bytes| Pixels {
            bytes,
            height: shape.height,
            width: shape.width,
        }))
    }

    /// The validation images, augmented.
    fn augmented(&self, kinds: &Augmentation) -> Vec<u8> {
        let shape = self.images.shape();
        let mut scratch = Scratch::default();
        let mut images = vec![0; self.split.validation.len() * shape.len()];
        for (out, &index) in images
            .chunks_exact_mut(shape.len())
            .zip(&self.split.validation)
        {
            let index = index as usize;
            // Before the first epoch.
            let draw = Draw {
                seed: self.config.seed,
                epoch: 0,
                index,
            };
            let (image, digit) = (self.images.image(index), self.images.digit(index));
            kinds.apply(shape, image, digit, draw, &mut scratch, out);
        }
        images
    }
}
