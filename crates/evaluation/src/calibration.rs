//! What a checkpoint keeps to turn logits into decisions, and how well those decisions fare.

use crate::conformal::{Conformal, Method, PredictionSet};
use crate::predictions::{argmax, check_logits};
use crate::{Deferral, DistanceLimit, EnergyLimit, Error, Logits, RiskTarget, Temperature};
use serde::{Deserialize, Serialize};

/// What to fit; the defaults are those of the project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalibrationConfig {
    /// Greatest error rate among accepted digits, a fraction.
    pub target_risk: f64,
    /// Probability that a certified threshold keeps to it.
    pub confidence_level: f64,
    /// Levels of the conformal sets; LAC and APS are both fitted at each.
    pub conformal_levels: Vec<f64>,
    /// Share of the validation digits whose energy counts as that of a digit, and of those whose
    /// distance does; the others go to a person.
    pub in_distribution_share: f64,
}

impl Default for CalibrationConfig {
    fn default() -> Self {
        let RiskTarget {
            target_risk,
            confidence_level,
        } = RiskTarget::default();
        Self {
            target_risk,
            confidence_level,
            conformal_levels: vec![0.99, 0.999],
            in_distribution_share: 0.995,
        }
    }
}

/// Everything between logits and a decision, fitted on validation digits. Its serialized form
/// refuses unknown fields and is [validated](Self::validate) when it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Calibration {
    /// Number of classes.
    pub classes: usize,
    /// Makes probabilities mean what they say.
    pub temperature: Temperature,
    /// The confidence from which the machine keeps a digit.
    pub deferral: Deferral,
    /// The energy up to which an image counts as a digit.
    pub energy: EnergyLimit,
    /// The distance from its digit up to which an image counts as one; none if it was fitted without
    /// features.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance: Option<DistanceLimit>,
    /// The rules for sets of classes that can't be excluded.
    pub conformal: Vec<Conformal>,
}

/// What becomes of a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The machine keeps it.
    Accept,
    /// A person decides.
    Review {
        /// The second likeliest class.
        runner_up: u8,
        /// Why the machine doesn't keep it.
        reason: ReviewReason,
    },
}

/// Why a digit goes to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewReason {
    /// The energy or the distance is above its limit, or something else tells that the image is unlike
    /// the digits the network knows. It outranks low confidence.
    OutOfDistribution,
    /// The confidence is below the threshold.
    LowConfidence,
}

/// What the network says of one digit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// The predicted digit.
    pub digit: u8,
    /// Calibrated probabilities, shape `[classes]`.
    pub probabilities: Vec<f64>,
    /// The calibrated probability of `digit`.
    pub confidence: f64,
    /// The energy of the logits, in nats; high for images that are no digits.
    pub energy: f64,
    /// One set for each rule of the calibration. A set may be empty; `digit` then is its likeliest
    /// class.
    pub sets: Vec<PredictionSet>,
    /// Accept it or have it reviewed.
    pub decision: Decision,
}

impl Classification {
    /// The likeliest class but for `digit`, the lowest of them where several tie.
    pub fn runner_up(&self) -> u8 {
        runner_up(&self.probabilities, self.digit)
    }
}

impl Calibration {
    /// Fits all parts but the distance on `validation`: the temperature first, then on the calibrated
    /// probabilities the conformal rules and the threshold. Digits beyond the energy limit are no
    /// candidates for acceptance, so a certified threshold speaks of what [`Self::decide`] accepts.
    ///
    /// # Errors
    /// If a value of `config` is out of its range.
    pub fn fit(validation: &Logits, config: &CalibrationConfig) -> Result<Self, Error> {
        Self::fit_within(validation, config, None, |_| true)
    }

    /// The same with a distance, from features of shape `[digits, features]`. Digits beyond its limit
    /// are no candidates for acceptance either: a certified threshold speaks of what is within the
    /// limit, by [`Self::is_typical`], and accepted by [`Self::decide`].
    ///
    /// # Errors
    /// As [`Self::fit`] and [`DistanceLimit::fit`].
    pub fn fit_with_features(
        validation: &Logits,
        features: &[Vec<f32>],
        config: &CalibrationConfig,
    ) -> Result<Self, Error> {
        let distance = DistanceLimit::fit(validation, features, config.in_distribution_share)?;
        let typical: Vec<bool> = validation
            .digits()
            .zip(features)
            .map(|(digit, features)| {
                let holds = |limit: &DistanceLimit| limit.holds(digit, features);
                distance.as_ref().is_none_or(holds)
            })
            .collect();
        Self::fit_within(validation, config, distance, |row| typical[row])
    }

    fn fit_within(
        validation: &Logits,
        config: &CalibrationConfig,
        distance: Option<DistanceLimit>,
        typical: impl Fn(usize) -> bool,
    ) -> Result<Self, Error> {
        let temperature = Temperature::fit(validation);
        let predictions = validation.predictions(temperature);
        let energy = EnergyLimit::fit(validation, config.in_distribution_share)?;
        let within: Vec<bool> = validation
            .rows()
            .enumerate()
            .map(|(row, logits)| energy.holds(logits) && typical(row))
            .collect();
        let target = RiskTarget {
            target_risk: config.target_risk,
            confidence_level: config.confidence_level,
        };
        let conformal = config
            .conformal_levels
            .iter()
            .flat_map(|level| [(Method::Lac, *level), (Method::Aps, *level)])
            .map(|(method, level)| Conformal::fit(&predictions, method, level))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            classes: validation.classes(),
            temperature,
            deferral: Deferral::fit(&predictions, |row| within[row], &target)?,
            energy,
            distance,
            conformal,
        })
    }

    /// Whether an image with these features is like `digit`; without a distance, all are.
    pub fn is_typical(&self, digit: u8, features: &[f32]) -> bool {
        let holds = |limit: &DistanceLimit| limit.holds(digit, features);
        self.distance.as_ref().is_none_or(holds)
    }

    /// Decides on one digit by the threshold of the calibration. `logits` has shape `[classes]`. What
    /// logits can't tell, [`Self::is_typical`] does.
    ///
    /// # Errors
    /// If the number of logits is not that of the calibration or one is not a finite value in the
    /// range of `f32`.
    pub fn decide(&self, logits: &[f64]) -> Result<Classification, Error> {
        self.decide_at(logits, self.deferral.threshold)
    }

    /// Decides by a threshold of the caller's: the least calibrated confidence that is accepted.
    /// Above 1 it sends every digit to a person. No guarantee comes with it.
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub fn decide_at(&self, logits: &[f64], threshold: f64) -> Result<Classification, Error> {
        if logits.len() != self.classes {
            return Err(Error::ClassMismatch {
                expected: self.classes,
                found: logits.len(),
            });
        }
        check_logits(0, logits)?;
        let digit = argmax(logits);
        let probabilities = self.temperature.apply(logits);
        let confidence = probabilities[usize::from(digit)];
        let review = |reason| Decision::Review {
            runner_up: runner_up(logits, digit),
            reason,
        };
        let decision = match self.reason(logits, confidence, threshold) {
            None => Decision::Accept,
            Some(reason) => review(reason),
        };
        Ok(Classification {
            digit,
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

    /// Checks that every number is finite and in its range, and the rules for sets deterministic.
    ///
    /// # Errors
    /// The first value that isn't.
    pub fn validate(&self) -> Result<(), Error> {
        if !(2..=256).contains(&self.classes) {
            return Err(Error::Classes {
                classes: self.classes,
            });
        }
        Temperature::new(self.temperature.value())?;
        self.deferral.validate()?;
        self.energy.validate()?;
        if let Some(distance) = &self.distance {
            distance.validate(self.classes)?;
        }
        self.conformal
            .iter()
            .try_for_each(|rule| match rule.method {
                Method::RandomizedAps { .. } => Err(Error::Randomized),
                Method::Lac | Method::Aps => rule.validate(),
            })
    }

    /// Why a person should decide, if so. A threshold that is no number accepts nothing.
    pub(crate) fn reason(
        &self,
        logits: &[f64],
        confidence: f64,
        threshold: f64,
    ) -> Option<ReviewReason> {
        if !self.energy.holds(logits) {
            Some(ReviewReason::OutOfDistribution)
        } else if confidence >= threshold {
            None
        } else {
            Some(ReviewReason::LowConfidence)
        }
    }
}

/// [`Calibration`] as it stands in a file, before it is validated.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    classes: usize,
    temperature: Temperature,
    deferral: Deferral,
    energy: EnergyLimit,
    #[serde(default)]
    distance: Option<DistanceLimit>,
    conformal: Vec<Conformal>,
}

impl TryFrom<Stored> for Calibration {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self, Error> {
        let Stored {
            classes,
            temperature,
            deferral,
            energy,
            distance,
            conformal,
        } = stored;
        let calibration = Self {
            classes,
            temperature,
            deferral,
            energy,
            distance,
            conformal,
        };
        calibration.validate()?;
        Ok(calibration)
    }
}

/// The class with the largest value but for `digit`, the lowest of them where several tie.
fn runner_up(logits: &[f64], digit: u8) -> u8 {
    let mut best: Option<usize> = None;
    for class in (0..logits.len()).filter(|class| *class != usize::from(digit)) {
        if best.is_none_or(|best| logits[class] > logits[best]) {
            best = Some(class);
        }
    }
    best.map_or(digit, |class| class as u8)
}
