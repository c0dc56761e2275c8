//! Which values a recipe may have.

use data::ImageShape;
use evaluation::CalibrationConfig;
use model::checkpoint::MAX_MEMBERS;

use crate::config::{Config, ConfigError, OptimizerConfig, ScheduleConfig, TrainingConfig};

/// No data set has more images.
const MOST_IMAGES: usize = data::idx::MAX_ITEMS as usize;

impl Config {
    /// Checks each value, whatever the images.
    ///
    /// # Errors
    /// Names the first key whose value is out of its range.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        self.network.validate()?;
        for (key, augmentation) in [
            ("data.augmentation", self.data.augmentation),
            (
                "data.validation_augmentation",
                self.data.validation_augmentation,
            ),
        ] {
            let checked = augmentation.unwrap_or_default().validate();
            checked.map_err(|error| ConfigError::Value {
                key,
                problem: error.to_string(),
            })?;
        }
        let TrainingConfig {
            epochs,
            batch_size,
            members,
            min_gain,
            time_budget,
            ema_decay,
            patience,
            ..
        } = self.training;
        let OptimizerConfig {
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            weight_decay,
        } = self.optimizer;
        let CalibrationConfig {
            target_risk,
            confidence_level,
            ref conformal_levels,
            in_distribution_share,
        } = self.calibration;
        let between = |value: f64| value > 0.0 && value < 1.0;
        // Weights are computed with 32 bits, in which the next number below 1 is 1 - 6e-8.
        let decay = |beta: f64| (0.0..1.0).contains(&(beta as f32));
        let positive = |value: f64| value as f32 > 0.0 && (value as f32).is_finite();
        let warmup = match self.schedule {
            ScheduleConfig::OneCycle { warmup } => warmup,
            ScheduleConfig::Constant {} => 0.0,
        };
        for (right, key, problem) in [
            (
                (1..=100_000).contains(&epochs),
                "training.epochs",
                "must be 1 to 100000",
            ),
            (
                (1..=65_536).contains(&batch_size),
                "training.batch_size",
                "must be 1 to 65536",
            ),
            (
                (1..=MAX_MEMBERS).contains(&members),
                "training.members",
                "must be 1 to 64",
            ),
            (
                (0.0..=1.0).contains(&self.data.negatives),
                "data.negatives",
                "must be 0 to 1",
            ),
            (
                min_gain.is_finite() && min_gain >= 0.0,
                "training.min_gain",
                "must be 0 or more",
            ),
            (
                patience != Some(0),
                "training.patience",
                "must be 1 or more; leave it out to never stop early",
            ),
            (
                ema_decay.is_none_or(|value| value > 0.0 && decay(value)),
                "training.ema_decay",
                "must be more than 0 and below 1; leave it out for the weights of the last step",
            ),
            (
                time_budget.is_none_or(positive),
                "training.time_budget",
                "must be more than 0 seconds",
            ),
            (
                self.data
                    .channels
                    .is_none_or(|channels| [1, 3].contains(&channels)),
                "data.channels",
                "must be 1 (grey) or 3 (colour)",
            ),
            (
                self.data.size.is_none_or(|size| {
                    size.iter()
                        .all(|side| (1..=ImageShape::MAX_SIDE).contains(side))
                }),
                "data.size",
                "must be height and width, 1 to 256 pixels each",
            ),
            (
                self.data
                    .also
                    .iter()
                    .all(|set| set.weight > 0.0 && set.weight <= 1000.0),
                "data.also",
                "has weights of more than 0 and at most 1000",
            ),
            (
                self.data.limit != Some(0),
                "data.limit",
                "must be 1 or more; leave it out for all images",
            ),
            (
                positive(learning_rate),
                "optimizer.learning_rate",
                "must be more than 0, and finite in 32 bits",
            ),
            (
                decay(beta_1),
                "optimizer.beta_1",
                "must be at least 0 and below 1",
            ),
            (
                decay(beta_2),
                "optimizer.beta_2",
                "must be at least 0 and below 1",
            ),
            (
                positive(epsilon),
                "optimizer.epsilon",
                "must be more than 0, also in 32 bits",
            ),
            (
                weight_decay.is_finite() && weight_decay >= 0.0,
                "optimizer.weight_decay",
                "must be 0 or more",
            ),
            // Found now rather than when the training is done.
            (
                between(target_risk),
                "calibration.target_risk",
                "must be between 0 and 1",
            ),
            (
                between(confidence_level),
                "calibration.confidence_level",
                "must be between 0 and 1",
            ),
            (
                conformal_levels.iter().all(|&level| between(level)),
                "calibration.conformal_levels",
                "must be between 0 and 1",
            ),
            (
                between(in_distribution_share) || in_distribution_share == 1.0,
                "calibration.in_distribution_share",
                "must be above 0 and at most 1",
            ),
            (
                (0.0..=1.0).contains(&warmup),
                "schedule.warmup",
                "must be 0 to 1",
            ),
        ] {
            if !right {
                return Err(ConfigError::Value {
                    key,
                    problem: problem.into(),
                });
            }
        }
        // A promise takes so many images, all of them right.
        let least = |images: usize| {
            let images = images.clamp(2, MOST_IMAGES) - 1;
            -((1.0 - confidence_level).ln() / images as f64).exp_m1()
        };
        if target_risk < least(MOST_IMAGES) {
            let validation = self.data.validation;
            return Err(ConfigError::Value {
                key: "calibration.target_risk",
                problem: format!(
                    "{target_risk:e} is less than any data set could promise, {:.1e} is the least; with \
                     the {validation} images of data.validation it is {:.1e}",
                    least(MOST_IMAGES),
                    least(validation),
                ),
            });
        }
        Ok(())
    }
}
