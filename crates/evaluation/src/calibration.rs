//! What a checkpoint keeps to turn logits into decisions, and how well those decisions fare.

use crate::conformal::{Conformal, Method};
use crate::evidence::Limits;
use crate::{
    Deferral, DistanceLimit, EnergyLimit, Error, Fared, PixelLimits, RiskTarget, Temperature,
};
use serde::{Deserialize, Serialize};

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

impl Calibration {
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
        if let Some(augmented) = &self.augmented {
            augmented.validate()?;
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
