//! The error rate that is asked for among accepted images.

use crate::interval::binomial_cdf;
use crate::{Error, smallest_certifiable};
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

    /// What may be asked for with `n` images to certify on: this target, or where they are too few, the
    /// least of 0.1, 0.2, 0.5, 1, 2 and 5 % above it of which [`smallest_certifiable`] is at most half of
    /// `n`; 5 % where none is. With half, the rest may be doubted or refused, or be spent on forgiving an
    /// error. Only the number of the images decides, never how they fare, so that whatever is certified at
    /// it keeps the guarantee of [`Deferral`](crate::Deferral).
    ///
    /// ```
    /// use evaluation::RiskTarget;
    /// let risk = |n| RiskTarget::default().attainable(n).target_risk;
    /// assert_eq!([10_000, 5_992, 5_991, 600, 299, 100].map(risk), [0.001, 0.001, 0.002, 0.01, 0.05, 0.05]);
    /// ```
    pub fn attainable(&self, n: u64) -> Self {
        const STEPS: [f64; 6] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05];
        let with = |target_risk| Self {
            target_risk,
            ..*self
        };
        let attained = |target: &Self| smallest_certifiable(target) <= n / 2;
        if attained(self) {
            return *self;
        }
        let larger = STEPS.into_iter().filter(|step| *step > self.target_risk);
        let mut larger = larger.map(with);
        let last = larger.clone().next_back().unwrap_or(*self);
        larger.find(attained).unwrap_or(last)
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
