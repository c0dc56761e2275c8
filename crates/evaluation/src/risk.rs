//! The error rate that is asked for among accepted images.

use crate::Error;
use crate::interval::binomial_cdf;
use serde::{Deserialize, Serialize};

/// The promise asked for: an error rate among accepted images, and how sure it must be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RiskTarget {
    /// Greatest error rate among accepted images, a fraction; 0.001 by default.
    pub target_risk: f64,
    /// Probability, over the draw of the validation images, that a certified threshold keeps to it;
    /// 0.95 by default.
    pub confidence_level: f64,
}

impl Default for RiskTarget {
    fn default() -> Self {
        Self {
            target_risk: 0.001,
            confidence_level: 0.95,
        }
    }
}

impl RiskTarget {
    /// The least target that is taken: below it no data set could certify anything.
    pub const LEAST: f64 = 1e-9;

    /// # Errors
    /// If a value is not between 0 and 1, or the target below [`Self::LEAST`].
    pub fn validate(&self) -> Result<(), Error> {
        Error::check_open_unit("target_risk", self.target_risk)?;
        let valid = self.target_risk >= Self::LEAST;
        Error::check(
            valid,
            "target_risk",
            self.target_risk,
            "at least 0.000000001",
        )?;
        Error::check_open_unit("confidence_level", self.confidence_level)
    }

    /// Whether `errors` among `accepted` images certify the target, if the set was declared before
    /// they were seen: as few are less likely than `1 - confidence_level` at the target rate.
    pub(crate) fn passes(&self, errors: u64, accepted: u64) -> bool {
        binomial_cdf(errors, accepted, self.target_risk) <= 1.0 - self.confidence_level
    }

    /// Whether `errors` among `accepted` images contradict the target: as many are less likely than
    /// `1 - confidence_level` at the target rate. That is, the lower bound of Clopper and Pearson is
    /// above the target.
    ///
    /// ```
    /// use evaluation::RiskTarget;
    /// let target = RiskTarget::default();
    /// assert!(!target.is_contradicted(15, 9_609));
    /// assert!(target.is_contradicted(16, 9_609)); // 0.167 %, at least 0.105 % with 95 % certainty
    /// ```
    pub fn is_contradicted(&self, errors: u64, accepted: u64) -> bool {
        let fewer = errors.checked_sub(1);
        fewer.is_some_and(|fewer| {
            binomial_cdf(fewer, accepted, self.target_risk) >= self.confidence_level
        })
    }
}
