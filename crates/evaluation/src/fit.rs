//! How a calibration is fitted, on validation images.

use crate::conformal::{Conformal, Method};
use crate::deferral::least_confidence;
use crate::evidence::{Evidence, Limits};
use crate::{
    Calibration, Decision, Deferral, DistanceLimit, EnergyLimit, Error, Fared, FeatureSpace,
    Logits, RiskTarget, Temperature,
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

/// Logits of images, and their features, `[images, features]`, where there are any.
#[derive(Clone, Copy)]
struct Sample<'a>(&'a Logits, &'a [Vec<f32>]);

impl Sample<'_> {
    /// Which of the images are within limits.
    fn within(self, limits: Limits<'_>) -> Vec<bool> {
        let Self(logits, features) = self;
        let rows = logits.rows().enumerate();
        rows.map(|(row, logits)| {
            limits.hold(&Evidence {
                logits,
                features: features.get(row).map_or(&[], Vec::as_slice),
                pixels: None,
            })
        })
        .collect()
    }
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
        let temperature = Temperature::fit(validation);
        Self::fit_within(
            Sample(validation, &[]),
            None,
            energy,
            None,
            temperature,
            config,
            config.target_risk,
        )
    }

    /// The same with a distance, from features of shape `[images, features]`, those of so many members in a
    /// row as `space` says, which may be their number alone. Images beyond its limit are no candidates for acceptance either.
    ///
    /// # Errors
    /// As [`Self::fit`] and [`DistanceLimit::fit`].
    pub fn fit_with_features<'a>(
        validation: &Logits,
        features: &[Vec<f32>],
        space: impl Into<FeatureSpace<'a>>,
        config: &CalibrationConfig,
    ) -> Result<Self, Error> {
        let (share, space) = (config.in_distribution_share, space.into());
        let (distance, (energy, temperature)) = rayon::join(
            || space.fit(validation, features, share),
            || {
                let energy = EnergyLimit::fit(validation, share);
                (energy, Temperature::fit(validation))
            },
        );
        // What is wrong with the share is said by the first that looks at it.
        let (energy, distance) = (energy?, distance?);
        let sample = Sample(validation, features);
        let risk = config.target_risk;
        Self::fit_within(sample, None, energy, distance, temperature, config, risk)
    }

    /// The same with limits on energy and distance that hold for other images, too: as many more logits
    /// and features, for instance of the same images as they would be in another hand. Temperature and
    /// conformal rules are those of `validation` alone, and so is the certificate, which speaks of images
    /// drawn like those. Of the thresholds that it certifies the lowest is taken by which no more than
    /// the target of the others that are accepted are wrong, too; how they fare is in
    /// [`Self::augmented`].
    ///
    /// # Errors
    /// As [`Self::fit_with_features`], and if the numbers of classes differ.
    pub fn fit_with_augmented<'a>(
        validation: (&Logits, &[Vec<f32>]),
        augmented: (&Logits, &[Vec<f32>]),
        space: impl Into<FeatureSpace<'a>>,
        config: &CalibrationConfig,
    ) -> Result<Self, Error> {
        let ((logits, features), (others, their_features)) = (validation, augmented);
        let (sample, beside) = (Sample(logits, features), Sample(others, their_features));
        let space = space.into();
        let (limits, temperature) = rayon::join(
            || Self::limits_of_both(sample, beside, space, config),
            || Temperature::fit(logits),
        );
        let (energy, distance) = limits?;
        let mut calibration = Self::fit_within(
            sample,
            Some(beside),
            energy,
            distance,
            temperature,
            config,
            config.target_risk,
        )?;
        let mut fared = Fared::default();
        for ((logits, features), label) in others.rows().zip(their_features).zip(others.labels()) {
            let found = calibration.decide(Evidence {
                logits,
                features,
                pixels: None,
            })?;
            fared.count(found.decision == Decision::Accept, found.class == *label);
        }
        calibration.augmented = Some(fared);
        Ok(calibration)
    }

    /// The same for a few images that speak of what is to come, `judging`, beside many others, with labels as
    /// well: what takes many images, the temperature, and means and covariance of the distance, is fitted on
    /// all of them. The limits on energy and distance hold for the share that is asked for of `judging`, too,
    /// which would count for nothing among so many. Certificate and conformal rules are those of `judging`
    /// alone, at a target of `risk`, which so few can certify; of the thresholds that it certifies the lowest
    /// is taken by which no more than the target of `config` of the others that are accepted are wrong.
    ///
    /// # Errors
    /// As [`Self::fit_with_augmented`], and if `risk` is out of its range.
    pub fn fit_with_others<'a>(
        judging: (&Logits, &[Vec<f32>]),
        others: (&Logits, &[Vec<f32>]),
        space: impl Into<FeatureSpace<'a>>,
        config: &CalibrationConfig,
        risk: f64,
    ) -> Result<Self, Error> {
        let (sample, beside) = (Sample(judging.0, judging.1), Sample(others.0, others.1));
        let (mut energy, distance) = Self::limits_of_both(sample, beside, space.into(), config)?;
        let own = EnergyLimit::fit(sample.0, config.in_distribution_share)?;
        energy.value = energy.value.max(own.value);
        let distance = distance.map(|distance| distance.widened(sample.0, sample.1));
        let temperature = Temperature::fit(&sample.0.joined(beside.0)?);
        Self::fit_within(
            sample,
            Some(beside),
            energy,
            distance,
            temperature,
            config,
            risk,
        )
    }

    /// Limits on energy and distance, fitted on both samples together.
    fn limits_of_both(
        validation: Sample<'_>,
        others: Sample<'_>,
        space: FeatureSpace<'_>,
        config: &CalibrationConfig,
    ) -> Result<(EnergyLimit, Option<DistanceLimit>), Error> {
        let joined = validation.0.joined(others.0)?;
        let share = config.in_distribution_share;
        let features = [validation.1, others.1].concat();
        Ok((
            EnergyLimit::fit(&joined, share)?,
            space.fit(&joined, &features, share)?,
        ))
    }

    /// The rest, with a certificate for `risk`.
    fn fit_within(
        validation: Sample<'_>,
        augmented: Option<Sample<'_>>,
        energy: EnergyLimit,
        distance: Option<DistanceLimit>,
        temperature: Temperature,
        config: &CalibrationConfig,
        risk: f64,
    ) -> Result<Self, Error> {
        let Sample(logits, _) = validation;
        let predictions = logits.predictions(temperature);
        // Pixels need no look: their limits are the narrowest that hold for all of these images.
        let limits = Limits {
            energy: &energy,
            distance: distance.as_ref(),
            pixels: None,
        };
        let (within, floor) = rayon::join(
            || validation.within(limits),
            || {
                augmented.map_or(0.0, |others| {
                    let predictions = others.0.predictions(temperature);
                    let within = others.within(limits);
                    least_confidence(&predictions, |row| within[row], config.target_risk)
                })
            },
        );
        let target = RiskTarget {
            target_risk: risk,
            confidence_level: config.confidence_level,
        };
        let rules = config
            .conformal_levels
            .iter()
            .flat_map(|level| [(Method::Lac, *level), (Method::Aps, *level)])
            .map(|(method, level)| Conformal::fit(&predictions, method, level));
        let (conformal, deferral) = rayon::join(
            || rules.collect::<Result<_, _>>(),
            || Deferral::fit_above(&predictions, |row| within[row], &target, floor),
        );
        Ok(Self {
            classes: logits.classes(),
            temperature,
            conformal: conformal?,
            deferral: deferral?,
            energy,
            distance,
            pixels: None,
            augmented: None,
        })
    }
}
