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

/// Why a digit goes to a person; where several reasons hold, the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewReason {
    /// The energy or the distance is above its limit, or something else tells that the image is unlike
    /// the digits the network knows.
    OutOfDistribution,
    /// No confidence of this network is to be relied on: [`Deferral::is_reliable`] is false.
    Unreliable,
    /// The confidence is below the threshold.
    LowConfidence,
}

/// What is known of an image: all that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The scores of the classes, shape `[classes]`.
    pub logits: &'a [f64],
    /// What the network saw on the way to them, shape `[features]`. Where the calibration has a
    /// distance, an image without its features is not accepted.
    pub features: &'a [f32],
    /// Whether the image can be a digit, judged by something else than the network, such as its ink.
    pub plausible: bool,
}

impl<'a> From<&'a [f64]> for Evidence<'a> {
    /// Logits and nothing else.
    fn from(logits: &'a [f64]) -> Self {
        Self {
            logits,
            features: &[],
            plausible: true,
        }
    }
}

impl<'a, const N: usize> From<&'a [f64; N]> for Evidence<'a> {
    fn from(logits: &'a [f64; N]) -> Self {
        Self::from(&logits[..])
    }
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
        Self::fit_within(validation, config, None, |_| &[])
    }

    /// The same with a distance, from features of shape `[digits, features]`. Digits beyond its limit
    /// are no candidates for acceptance either.
    ///
    /// # Errors
    /// As [`Self::fit`] and [`DistanceLimit::fit`].
    pub fn fit_with_features(
        validation: &Logits,
        features: &[Vec<f32>],
        config: &CalibrationConfig,
    ) -> Result<Self, Error> {
        let distance = DistanceLimit::fit(validation, features, config.in_distribution_share)?;
        Self::fit_within(validation, config, distance, |row| &features[row])
    }

    fn fit_within<'a>(
        validation: &Logits,
        config: &CalibrationConfig,
        distance: Option<DistanceLimit>,
        features: impl Fn(usize) -> &'a [f32],
    ) -> Result<Self, Error> {
        let temperature = Temperature::fit(validation);
        let predictions = validation.predictions(temperature);
        let energy = EnergyLimit::fit(validation, config.in_distribution_share)?;
        let within: Vec<bool> = validation
            .rows()
            .enumerate()
            .map(|(row, logits)| {
                let evidence = Evidence {
                    logits,
                    features: features(row),
                    plausible: true,
                };
                in_distribution(&energy, distance.as_ref(), &evidence)
            })
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

    /// Decides on one digit: it is accepted if it is like the digits that the calibration was fitted
    /// on, the threshold is reliable and the confidence reaches it.
    ///
    /// # Errors
    /// If the number of logits is not that of the calibration or one is not a finite value in the
    /// range of `f32`.
    pub fn decide<'a>(&self, of: impl Into<Evidence<'a>>) -> Result<Classification, Error> {
        self.decide_by(&of.into(), None)
    }

    /// Decides by a threshold of the caller's: the least calibrated confidence that is accepted, of
    /// images that are like digits. Above 1 it sends every digit to a person. No guarantee comes with
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
        let digit = argmax(logits);
        let probabilities = self.temperature.apply(logits);
        let confidence = probabilities[usize::from(digit)];
        let decision = match self.reason(evidence, confidence, threshold) {
            None => Decision::Accept,
            Some(reason) => Decision::Review {
                runner_up: runner_up(logits, digit),
                reason,
            },
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

    /// Why a person should decide, if so: the one place where that is said. Without a threshold of the
    /// caller's it is the calibration's own. One that is no number accepts nothing.
    fn reason(
        &self,
        evidence: &Evidence<'_>,
        confidence: f64,
        threshold: Option<f64>,
    ) -> Option<ReviewReason> {
        if !in_distribution(&self.energy, self.distance.as_ref(), evidence) {
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

/// Whether an image is like the digits that the limits were fitted on. Without a distance, the
/// features don't matter.
fn in_distribution(
    energy: &EnergyLimit,
    distance: Option<&DistanceLimit>,
    evidence: &Evidence<'_>,
) -> bool {
    let near = |limit: &DistanceLimit| limit.holds(argmax(evidence.logits), evidence.features);
    evidence.plausible && energy.holds(evidence.logits) && distance.is_none_or(near)
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
