//! From what is known of an image to what becomes of it: the one place where that is decided.

use serde::{Deserialize, Serialize};

use crate::conformal::PredictionSet;
use crate::evidence::Evidence;
use crate::scores::{argmax, check_logits};
use crate::{Calibration, Error};

/// What becomes of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The machine keeps it.
    Accept,
    /// A person decides.
    Review {
        /// The second likeliest class.
        runner_up: u16,
        /// Why the machine doesn't keep it.
        reason: ReviewReason,
    },
}

/// Why an image goes to a person; where several reasons hold, the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewReason {
    /// The energy or the distance is above its limit, or something else tells that the image is unlike
    /// the images the network knows.
    OutOfDistribution,
    /// No confidence of this network is to be relied on: [`Deferral::is_reliable`](crate::Deferral::is_reliable) is false.
    Unreliable,
    /// The confidence is below the threshold.
    LowConfidence,
}

/// What the network says of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// The predicted class.
    pub class: u16,
    /// Calibrated probabilities, shape `[classes]`.
    pub probabilities: Vec<f64>,
    /// The calibrated probability of `class`.
    pub confidence: f64,
    /// The energy of the logits, in nats; high for images unlike those of the training set.
    pub energy: f64,
    /// One set for each rule of the calibration. A set may be empty; `class` then is its likeliest
    /// class.
    pub sets: Vec<PredictionSet>,
    /// Accept it or have it reviewed.
    pub decision: Decision,
}

impl Classification {
    /// The answer for an image that drives the network beyond the numbers that it can compute with: it
    /// knows nothing and says so.
    pub fn unknown(classes: usize) -> Self {
        let share = 1.0 / classes as f64;
        Self {
            class: 0,
            probabilities: vec![share; classes],
            confidence: share,
            energy: crate::energy(&[]),
            sets: Vec::new(),
            decision: Decision::Review {
                runner_up: 1,
                reason: ReviewReason::OutOfDistribution,
            },
        }
    }

    /// The likeliest class but for `class`, the lowest of them where several tie.
    pub fn runner_up(&self) -> u16 {
        runner_up(&self.probabilities, self.class)
    }
}

impl Calibration {
    /// Decides on one image: it is accepted if it is like the images that the calibration was fitted
    /// on, the threshold is reliable and the confidence reaches it.
    ///
    /// # Errors
    /// If the number of logits is not that of the calibration or one is not a finite value in the
    /// range of `f32`.
    pub fn decide<'a>(&self, of: impl Into<Evidence<'a>>) -> Result<Classification, Error> {
        self.decide_by(&of.into(), None)
    }

    /// Decides by a threshold of the caller's: the least calibrated confidence that is accepted, of
    /// images that are like those of the calibration. Above 1 it sends every image to a person. No guarantee comes with
    /// it.
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub fn decide_at<'a>(
        &self,
        of: impl Into<Evidence<'a>>,
        threshold: f64,
    ) -> Result<Classification, Error> {
        self.decide_by(&of.into(), Some(threshold))
    }

    fn decide_by(
        &self,
        evidence: &Evidence<'_>,
        threshold: Option<f64>,
    ) -> Result<Classification, Error> {
        let logits = evidence.logits;
        if logits.len() != self.classes {
            return Err(Error::ClassMismatch {
                expected: self.classes,
                found: logits.len(),
            });
        }
        check_logits(0, logits)?;
        let class = argmax(logits);
        let probabilities = self.temperature.apply(logits);
        let confidence = probabilities[usize::from(class)];
        let decision = match self.reason(evidence, confidence, threshold) {
            None => Decision::Accept,
            Some(reason) => Decision::Review {
                runner_up: runner_up(logits, class),
                reason,
            },
        };
        Ok(Classification {
            class,
            confidence,
            energy: crate::energy(logits),
            sets: self
                .conformal
                .iter()
                .map(|rule| rule.set(&probabilities, 0))
                .collect(),
            probabilities,
            decision,
        })
    }

    /// Why a person should decide, if so: the one place where that is said. Without a threshold of the
    /// caller's it is the calibration's own. One that is no number accepts nothing.
    fn reason(
        &self,
        evidence: &Evidence<'_>,
        confidence: f64,
        threshold: Option<f64>,
    ) -> Option<ReviewReason> {
        if !self.limits().hold(evidence) {
            Some(ReviewReason::OutOfDistribution)
        } else if threshold.is_none() && !self.deferral.is_reliable() {
            Some(ReviewReason::Unreliable)
        } else if confidence >= threshold.unwrap_or(self.deferral.threshold) {
            None
        } else {
            Some(ReviewReason::LowConfidence)
        }
    }
}

/// The class with the largest value but for `class`, the lowest of them where several tie.
pub(crate) fn runner_up(logits: &[f64], class: u16) -> u16 {
    let mut best: Option<usize> = None;
    for other in (0..logits.len()).filter(|other| *other != usize::from(class)) {
        if best.is_none_or(|best| logits[other] > logits[best]) {
            best = Some(other);
        }
    }
    best.map_or(class, |other| other as u16)
}
