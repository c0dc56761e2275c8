//! The calibration of what was trained, on images that it was not trained on.

use data::LabelledImages;
use evaluation::{Calibration, RiskTarget};
use model::{Beside, Classifier, Seen, Views};

use crate::{Failure, config::CalibrateOn, outcome::Outcome, plan::Plan, progress::say};

impl Plan {
    /// What the classifier makes of the validation images; none where there are none. A single network, that
    /// of `epoch`, that looks at an image as it is has been asked already, if this process trained it.
    pub(crate) fn held_out(
        &self,
        (classifier, epoch): (&Classifier, usize),
        outcomes: &mut [Outcome],
    ) -> Result<Option<Seen>, Failure> {
        let Some(images) = self.held_out.clone() else {
            return Ok(None);
        };
        let known = match outcomes {
            [only] if classifier.manifest().views == Views::default() => only.held_out.take(),
            _ => None,
        };
        Ok(Some(match known.filter(|(asked, _)| *asked == epoch) {
            Some((_, outputs)) => Seen::known(classifier, images, outputs)?,
            None => Seen::new(classifier, images)?,
        }))
    }

    /// What it makes of the images of `data.also` that judge, if there are any.
    pub(crate) fn judged(&self, classifier: &Classifier) -> Result<Option<Seen>, Failure> {
        let images = self.more.judge.clone();
        Ok(images
            .map(|images| Seen::new(classifier, images))
            .transpose()?)
    }

    /// The validation images as other hands might have drawn them, if the recipe asks for that; `images` are those
    /// that they are among.
    pub(crate) fn augmented(&self, images: &LabelledImages) -> Option<LabelledImages> {
        let kinds = self.pens(self.config.data.validation_augmentation);
        let (held_out, seed) = (&self.split.validation, self.config.seed);
        match kinds.is_identity() {
            true => None,
            false => images.augmented(&kinds, held_out, seed),
        }
    }

    /// Fits the calibration on the images that the recipe names, and beside them on augmented ones; none where there
    /// are none.
    pub(crate) fn calibrate(
        &self,
        classifier: &Classifier,
        held_out: Option<&Seen>,
        judged: Option<&Seen>,
        augmented: Option<LabelledImages>,
    ) -> Result<Option<Calibration>, Failure> {
        let augmented = augmented
            .map(|images| Seen::new(classifier, images))
            .transpose()?;
        let judging = judged.filter(|_| self.config.data.calibrate_on == CalibrateOn::Also);
        let mut config = self.config.calibration.clone();
        let calibration = match (judging, held_out) {
            (None, None) => return Ok(None),
            (None, Some(held_out)) => {
                let beside = augmented.as_ref();
                let beside = beside.map_or(Beside::Nothing, Beside::Augmented);
                held_out.calibrate(beside, &config, None)
            }
            (Some(judging), held_out) => {
                let risk = self.attainable(judging);
                match (held_out, augmented) {
                    (None, _) => {
                        config.target_risk = risk;
                        judging.calibrate(Beside::Nothing, &config, None)
                    }
                    (Some(held_out), None) => {
                        judging.calibrate(Beside::Others(held_out, risk), &config, None)
                    }
                    (Some(held_out), Some(augmented)) => {
                        let others = held_out.and(&augmented)?;
                        judging.calibrate(Beside::Others(&others, risk), &config, None)
                    }
                }
            }
        };
        Ok(Some(calibration?))
    }

    /// The risk that is to be certified on images that judge: no less than so few can certify.
    fn attainable(&self, judging: &Seen) -> f64 {
        let config = &self.config.calibration;
        let (n, asked) = (judging.logits().len(), config.target_risk);
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
}
