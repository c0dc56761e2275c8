//! What two pictures of the same thing say together.

use crate::conformal::Conformal;
use crate::decision::runner_up;
use crate::scores::{argmax, log_softmax};
use crate::{Calibration, Classification, Decision, Error, ReviewReason, Temperature};

/// The probabilities of two pictures of the same thing, `[classes]` each, as one: their geometric mean,
/// normalized,
///
/// `p_k ∝ √(a_k b_k)`
///
/// a logarithmic opinion pool with equal weights that add up to 1 (Genest and Zidek 1986, "Combining
/// Probability Distributions: A Critique and an Annotated Bibliography", section 3). The pictures show the
/// same strokes, so that they are wrong together: their product, which takes them as independent, is
/// overconfident. A probability of 0 counts as [`f64::MIN_POSITIVE`].
///
/// ```
/// let together = evaluation::pool(&[0.9, 0.1], &[0.5, 0.5]);
/// assert!((together[0] - 0.75).abs() < 1e-12);
/// ```
pub fn pool(first: &[f64], second: &[f64]) -> Vec<f64> {
    let log = |p: &f64| libm::log(p.max(f64::MIN_POSITIVE));
    let pairs = first.iter().zip(second);
    let logs: Vec<f64> = pairs.map(|(a, b)| (log(a) + log(b)) / 2.0).collect();
    match logs.is_empty() {
        true => logs,
        false => log_softmax(&logs, Temperature::ONE)
            .map(libm::exp)
            .collect(),
    }
}

impl Calibration {
    /// Decides on two pictures of the same thing: on the probabilities of the first, which was within all
    /// limits and not sure enough, [pooled](pool) with what was said of the second. It is accepted if both say
    /// the same class, the second is within all limits, too, and the threshold for one picture is
    /// reached. The energy stays that of the second.
    ///
    /// A first that has no probabilities, as it was left to people for another reason than want of confidence,
    /// agrees with no second: what was said of that stays, but isn't accepted.
    ///
    /// # Errors
    /// If the first has not a probability for each class.
    pub fn decide_pair(
        &self,
        first: Option<&[f64]>,
        second: &Classification,
    ) -> Result<Classification, Error> {
        let Some(first) = first else {
            let alone = second.clone();
            return Ok(match alone.decision {
                Decision::Review { .. } => alone,
                Decision::Accept => Classification {
                    decision: Decision::Review {
                        runner_up: runner_up(&alone.probabilities, alone.class),
                        reason: ReviewReason::LowConfidence,
                    },
                    ..alone
                },
            });
        };
        if first.len() != self.classes || second.probabilities.len() != self.classes {
            return Err(Error::ClassMismatch {
                expected: self.classes,
                found: first.len(),
            });
        }
        let probabilities = pool(first, &second.probabilities);
        let class = argmax(&probabilities);
        let confidence = probabilities[usize::from(class)];
        let agree = argmax(first) == second.class;
        let reason = match second.decision {
            Decision::Review { reason, .. } if reason != ReviewReason::LowConfidence => {
                Some(reason)
            }
            _ if !self.deferral.is_reliable() => Some(ReviewReason::Unreliable),
            _ if agree && confidence >= self.deferral.threshold => None,
            _ => Some(ReviewReason::LowConfidence),
        };
        let runner_up = runner_up(&probabilities, class);
        let rules = self.conformal.iter();
        Ok(Classification {
            class,
            confidence,
            energy: second.energy,
            sets: rules
                .map(|rule: &Conformal| rule.set(&probabilities, 0))
                .collect(),
            probabilities,
            decision: reason.map_or(Decision::Accept, |reason| Decision::Review {
                runner_up,
                reason,
            }),
        })
    }
}
