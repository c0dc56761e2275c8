//! What a checkpoint keeps to turn logits into decisions, and how well those decisions fare.

use crate::conformal::{Conformal, Method};
use crate::decision::Decision;
use crate::evidence::{Evidence, Limits};
use crate::{
    Deferral, DistanceLimit, EnergyLimit, Error, Logits, PixelLimits, RiskTarget, Temperature,
};
use serde::{Deserialize, Serialize};

/// What to fit; the defaults are those of the project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalibrationConfig {
    /// Greatest error rate among accepted images, a fraction.
    pub target_risk: f64,
    /// Probability that a certified threshold keeps to it.
    pub confidence_level: f64,
    /// Levels of the conformal sets; LAC and APS are both fitted at each.
    pub conformal_levels: Vec<f64>,
    /// Share of the validation images whose energy is within the limit, and of those whose
    /// distance is; the others go to a person.
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

/// Everything between logits and a decision, fitted on validation images. Its serialized form
/// refuses unknown fields and is [validated](Self::validate) when it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Calibration {
    /// Number of classes.
    pub classes: usize,
    /// Makes probabilities mean what they say.
    pub temperature: Temperature,
    /// The confidence from which the machine keeps an image.
    pub deferral: Deferral,
    /// The energy up to which an image counts as one like those of the calibration.
    pub energy: EnergyLimit,
    /// The distance from its class up to which an image counts as one; none if it was fitted without
    /// features.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance: Option<DistanceLimit>,
    /// Between which values the pixels of an image lie; none if nobody has measured them. What is
    /// beyond them goes to a person, whatever the network says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<PixelLimits>,
    /// The rules for sets of classes that can't be excluded.
    pub conformal: Vec<Conformal>,
    /// How other images fared under it that its limits were fitted on as well, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augmented: Option<Fared>,
}

/// How images fared under a calibration, before any limits on pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fared {
    /// Images.
    pub n: u64,
    /// Those whose likeliest class is their label.
    pub right: u64,
    /// Those that were accepted.
    pub accepted: u64,
    /// Those of the accepted that are wrong.
    pub errors: u64,
}

impl Calibration {
    /// Fits all parts but the distance on `validation`: the temperature first, then on the calibrated
    /// probabilities the conformal rules and the threshold. Images beyond the energy limit are no
    /// candidates for acceptance, so a certified threshold speaks of what [`Self::decide`] accepts.
    ///
    /// # Errors
    /// If a value of `config` is out of its range.
    pub fn fit(validation: &Logits, config: &CalibrationConfig) -> Result<Self, Error> {
        let energy = EnergyLimit::fit(validation, config.in_distribution_share)?;
        Self::fit_within(validation, config, energy, None, |_| &[])
    }

    /// The same with a distance, from features of shape `[images, features]`, those of so many
    /// `members` in a row. Images beyond its limit are no candidates for acceptance either.
    ///
    /// # Errors
    /// As [`Self::fit`] and [`DistanceLimit::fit`].
    pub fn fit_with_features(
        validation: &Logits,
        features: &[Vec<f32>],
        members: usize,
        config: &CalibrationConfig,
    ) -> Result<Self, Error> {
        let share = config.in_distribution_share;
        let energy = EnergyLimit::fit(validation, share)?;
        let distance = DistanceLimit::fit(validation, features, members, share)?;
        Self::fit_within(validation, config, energy, distance, |row| &features[row])
    }

    /// The same with limits on energy and distance that hold for other images, too: as many more logits
    /// and features, for instance of the same images as they would be in another hand. Temperature,
    /// conformal rules and threshold are those of `validation` alone, and a certificate speaks of images
    /// drawn like those; how the others fare is in [`Self::augmented`].
    ///
    /// # Errors
    /// As [`Self::fit_with_features`], and if the numbers of classes differ.
    pub fn fit_with_augmented(
        validation: (&Logits, &[Vec<f32>]),
        augmented: (&Logits, &[Vec<f32>]),
        members: usize,
        config: &CalibrationConfig,
    ) -> Result<Self, Error> {
        let ((logits, features), (others, their_features)) = (validation, augmented);
        let joined = logits.joined(others)?;
        let share = config.in_distribution_share;
        let energy = EnergyLimit::fit(&joined, share)?;
        let all_features = [features, their_features].concat();
        let distance = DistanceLimit::fit(&joined, &all_features, members, share)?;
        let mut calibration =
            Self::fit_within(logits, config, energy, distance, |row| &features[row])?;
        let mut fared = Fared::default();
        let rows = others.rows().zip(their_features).zip(others.labels());
        for ((logits, features), label) in rows {
            let found = calibration.decide(Evidence {
                logits,
                features,
                pixels: None,
            })?;
            let accepted = found.decision == Decision::Accept;
            fared.n += 1;
            fared.right += u64::from(found.class == *label);
            fared.accepted += u64::from(accepted);
            fared.errors += u64::from(accepted && found.class != *label);
        }
        calibration.augmented = Some(fared);
        Ok(calibration)
    }

    fn fit_within<'a>(
        validation: &Logits,
        config: &CalibrationConfig,
        energy: EnergyLimit,
        distance: Option<DistanceLimit>,
        features: impl Fn(usize) -> &'a [f32],
    ) -> Result<Self, Error> {
        let temperature = Temperature::fit(validation);
        let predictions = validation.predictions(temperature);
        // Pixels need no look: their limits are the narrowest that hold for all of these images.
        let limits = Limits {
            energy: &energy,
            distance: distance.as_ref(),
            pixels: None,
        };
        let within: Vec<bool> = validation
            .rows()
            .enumerate()
            .map(|(row, logits)| {
                limits.hold(&Evidence {
                    logits,
                    features: features(row),
                    pixels: None,
                })
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
            pixels: None,
            conformal,
            augmented: None,
        })
    }

    /// What is there before anything is fitted: the network's own probabilities, and nothing accepted,
    /// as no image speaks for any threshold.
    pub fn unfitted(classes: usize) -> Self {
        let RiskTarget {
            target_risk,
            confidence_level,
        } = RiskTarget::default();
        Self {
            classes,
            temperature: Temperature::ONE,
            deferral: Deferral {
                threshold: 1.0,
                target_risk,
                confidence_level,
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
            pixels: None,
            conformal: Vec::new(),
            augmented: None,
        }
    }

    pub(crate) fn limits(&self) -> Limits<'_> {
        Limits {
            energy: &self.energy,
            distance: self.distance.as_ref(),
            pixels: self.pixels.as_ref(),
        }
    }

    /// Checks that every number is finite and in its range, and the rules for sets deterministic.
    ///
    /// # Errors
    /// The first value that isn't.
    pub fn validate(&self) -> Result<(), Error> {
        if !(2..=crate::MAX_CLASSES).contains(&self.classes) {
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
        if let Some(Fared {
            n,
            right,
            accepted,
            errors,
        }) = self.augmented
        {
            let counts = errors <= accepted && accepted <= n && right <= n;
            let expected = "at least `errors` and at most `n`";
            Error::check(counts, "augmented.accepted", accepted as f64, expected)?;
        }
        self.conformal
            .iter()
            .try_for_each(|rule| match rule.method {
                Method::RandomizedAps { .. } => Err(Error::Randomized),
                Method::Lac | Method::Aps => rule.validate(),
            })
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
    #[serde(default)]
    pixels: Option<PixelLimits>,
    conformal: Vec<Conformal>,
    #[serde(default)]
    augmented: Option<Fared>,
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
            pixels,
            conformal,
            augmented,
        } = stored;
        let calibration = Self {
            classes,
            temperature,
            deferral,
            energy,
            distance,
            pixels,
            conformal,
            augmented,
        };
        calibration.validate()?;
        Ok(calibration)
    }
}
