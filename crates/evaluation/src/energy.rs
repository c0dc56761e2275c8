//! Whether an image is like those of the training set at all, judged by the size of its logits.

use crate::{Error, Logits};
use serde::{Deserialize, Serialize};

/// Energy score `-ln Σ_k exp(z_k)` of one row of logits: low for images like those of the training
/// set, high for others (Liu et al. 2020, "Energy-based Out-of-distribution Detection", eq. 4, at
/// temperature 1). Positive infinity for no logits.
pub fn energy(logits: &[f64]) -> f64 {
    let top = max_logit(logits);
    if top == f64::NEG_INFINITY {
        return f64::INFINITY;
    }
    let sum: f64 = logits.iter().map(|logit| libm::exp(logit - top)).sum();
    -(top + libm::log(sum))
}

/// The largest logit: high for images like those of the training set (Hendrycks et al. 2022,
/// "Scaling Out-of-Distribution Detection for Real-World Settings", section 4). Negative infinity
/// for no logits.
pub fn max_logit(logits: &[f64]) -> f64 {
    logits.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The greatest energy of an image that is taken for one like those of the calibration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnergyLimit {
    /// Share of the validation images that lie within the limit.
    pub kept_share: f64,
    /// The limit, in nats.
    pub value: f64,
}

impl EnergyLimit {
    /// The limit that keeps `kept_share` of the images in `validation`: the least of their energies
    /// with at least that share at or below it. Labels are not used.
    ///
    /// # Errors
    /// If `kept_share` is not above 0 and at most 1.
    pub fn fit(validation: &Logits, kept_share: f64) -> Result<Self, Error> {
        check_share(kept_share)?;
        let mut energies: Vec<f64> = validation.rows().map(energy).collect();
        energies.sort_unstable_by(f64::total_cmp);
        let kept = (kept_share * energies.len() as f64 - 1e-9).ceil() as usize;
        let last = kept.clamp(1, energies.len()) - 1;
        Ok(Self {
            kept_share,
            value: energies[last],
        })
    }

    /// Whether these logits, shape `[classes]`, lie within the limit.
    pub fn holds(&self, logits: &[f64]) -> bool {
        energy(logits) <= self.value
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        check_share(self.kept_share)?;
        Error::check(self.value.is_finite(), "energy.value", self.value, "finite")
    }
}

fn check_share(kept_share: f64) -> Result<(), Error> {
    let valid = kept_share > 0.0 && kept_share <= 1.0;
    Error::check(
        valid,
        "energy.kept_share",
        kept_share,
        "above 0 and at most 1",
    )
}
