//! The calibration of what was trained, on images that it was not trained on.

use data::{Augmentation, Draw, LabelledImages, Scratch};
use evaluation::{Calibration, Logits, PixelLimits, Pixels, RiskTarget};
use model::Classifier;

use crate::{Failure, config::CalibrateOn, plan::Plan, progress::say};

/// Labelled images, and what the classifier makes of them.
#[derive(Clone)]
pub(crate) struct HeldOut {
    /// `[images, channels, height, width]`
    images: Vec<u8>,
    /// The scores, with the labels.
    pub(crate) logits: Logits,
    features: Vec<Vec<f32>>,
}

impl HeldOut {
    fn and(&self, others: &Self) -> Result<Self, Failure> {
        Ok(HeldOut {
            images: [&self.images[..], &others.images].concat(),
            logits: self.logits.joined(&others.logits)?,
            features: [&self.features[..], &others.features].concat(),
        })
    }
}

impl Plan {
    /// What the classifier makes of the validation images; none where there are none.
    pub(crate) fn held_out(&self, classifier: &Classifier) -> Result<Option<HeldOut>, Failure> {
        let held_out = self.split.validation.iter();
        let images = held_out.flat_map(|&index| self.images.image(index as usize));
        match self.split.validation.is_empty() {
            true => Ok(None),
            false => self
                .seen(classifier, images.copied().collect(), self.labels())
                .map(Some),
        }
    }

    /// What it makes of the images of `data.also` that judge, if there are any.
    pub(crate) fn judged(&self, classifier: &Classifier) -> Result<Option<HeldOut>, Failure> {
        let seen = |judge: &LabelledImages| {
            self.seen(classifier, judge.pixels().to_vec(), judge.labels().to_vec())
        };
        self.more.judge.as_ref().map(seen).transpose()
    }

    /// The labels of the validation images.
    fn labels(&self) -> Vec<u16> {
        let labels = self.split.validation.iter();
        labels
            .map(|&index| self.images.label(index as usize))
            .collect()
    }

    fn seen(
        &self,
        classifier: &Classifier,
        images: Vec<u8>,
        labels: Vec<u16>,
    ) -> Result<HeldOut, Failure> {
        let (logits, features): (Vec<_>, Vec<_>) = classifier
            .outputs(&images)?
            .into_iter()
            .map(|output| (output.logits, output.features))
            .unzip();
        let classes = self.images.classes().len();
        Ok(HeldOut {
            images,
            logits: Logits::new(classes, logits.concat(), labels)?,
            features,
        })
    }

    /// Fits the calibration on the images that the recipe names; none where there are none.
    pub(crate) fn calibrate(
        &self,
        classifier: &Classifier,
        held_out: Option<&HeldOut>,
        judged: Option<&HeldOut>,
    ) -> Result<Option<Calibration>, Failure> {
        let kinds = self.pens(self.config.data.validation_augmentation);
        let augmented = match held_out.is_some() && !kinds.is_identity() {
            true => Some(self.seen(classifier, self.augmented(&kinds), self.labels())?),
            false => None,
        };
        let judging = judged.filter(|_| self.config.data.calibrate_on == CalibrateOn::Also);
        let (certifying, others) = match (judging, held_out, augmented) {
            (None, None, _) => return Ok(None),
            (None, Some(held_out), augmented) => (held_out, augmented),
            (Some(judging), Some(held_out), Some(augmented)) => {
                (judging, Some(held_out.and(&augmented)?))
            }
            (Some(judging), held_out, _) => (judging, held_out.cloned()),
        };
        let (members, mut config) = (self.members.len(), self.config.calibration.clone());
        let risk = self.attainable(judging);
        let (logits, features) = (&certifying.logits, &certifying.features[..]);
        let beside = others
            .as_ref()
            .map(|others| (&others.logits, &others.features[..]));
        let mut calibration = match (beside, judging) {
            (None, _) => {
                config.target_risk = risk;
                Calibration::fit_with_features(logits, features, members, &config)
            }
            (Some(others), None) => {
                Calibration::fit_with_augmented((logits, features), others, members, &config)
            }
            (Some(others), Some(_)) => {
                Calibration::fit_with_others((logits, features), others, members, &config, risk)
            }
        }?;
        let others = others.as_ref().map_or(&[][..], |others| &others.images);
        calibration.pixels = self.pixel_limits(&[&certifying.images[..], others].concat());
        Ok(Some(calibration))
    }

    /// The risk that is to be certified: with few images that judge, no less than they can certify.
    fn attainable(&self, judging: Option<&HeldOut>) -> f64 {
        let config = &self.config.calibration;
        let Some(judging) = judging else {
            return config.target_risk;
        };
        let (n, asked) = (judging.logits.len(), config.target_risk);
        let target = RiskTarget {
            target_risk: asked,
            confidence_level: config.confidence_level,
        };
        let risk = target.attainable(n as u64).target_risk;
        if risk != asked {
            say(format_args!(
                "note: calibrated on {n} images that judge: so few can't be asked to certify {} % of errors, as \
                 calibration.target_risk does, but {} %",
                (100.0 * asked) as f32,
                (100.0 * risk) as f32,
            ));
        }
        risk
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
