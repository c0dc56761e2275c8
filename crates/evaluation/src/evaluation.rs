//! A calibration measured on labelled digits that it was not fitted on.

use crate::conformal::ConformalReport;
use crate::interval::{clopper_pearson, wilson};
use crate::{Calibration, Error, Estimate, Logits, Report, ReviewReason, Temperature};
use serde::{Deserialize, Serialize};

/// A calibration on labelled digits: the figures before and after the temperature, and what its
/// decisions and sets are worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Figures of the probabilities at temperature 1.
    pub before: Report,
    /// Figures of the calibrated probabilities.
    pub after: Report,
    /// The decisions at the threshold of the calibration.
    pub selective: SelectiveReport,
    /// The sets of each conformal rule of the calibration, in its order.
    pub conformal: Vec<ConformalReport>,
}

/// What is accepted at a threshold, and how often that is wrong; shares are fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectiveReport {
    /// Least confidence accepted.
    pub threshold: f64,
    /// Number of digits.
    pub n: u64,
    /// Digits accepted.
    pub accepted: u64,
    /// Errors among the accepted.
    pub errors: u64,
    /// Share accepted, with Wilson's 95 % interval.
    pub coverage: Estimate,
    /// Share of errors among the accepted, with the 95 % interval of Clopper and Pearson; none if
    /// nothing is accepted.
    pub risk: Option<Estimate>,
    /// Digits reviewed because their confidence is below the threshold.
    pub low_confidence: u64,
    /// Digits reviewed because they are beyond the energy limit or implausible otherwise.
    pub out_of_distribution: u64,
}

impl Calibration {
    /// Measures this calibration on `test`.
    ///
    /// # Errors
    /// If the number of classes is not that of the calibration.
    pub fn evaluate(&self, test: &Logits) -> Result<Evaluation, Error> {
        self.evaluate_where(test, |_| true)
    }

    /// The same where digits for which `plausible` (given the row) is false go to a person, whatever
    /// their logits.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_where(
        &self,
        test: &Logits,
        plausible: impl Fn(usize) -> bool,
    ) -> Result<Evaluation, Error> {
        let calibrated = test.predictions(self.temperature);
        Ok(Evaluation {
            selective: self.selective(test, self.deferral.threshold, plausible)?,
            before: Report::new(&test.predictions(Temperature::ONE)),
            after: Report::new(&calibrated),
            conformal: self
                .conformal
                .iter()
                .map(|rule| rule.report(&calibrated))
                .collect(),
        })
    }

    /// Measures what [`Self::decide_at`] accepts at a threshold of the caller's.
    ///
    /// # Errors
    /// If the number of classes is not that of the calibration.
    pub fn evaluate_at(&self, test: &Logits, threshold: f64) -> Result<SelectiveReport, Error> {
        self.selective(test, threshold, |_| true)
    }

    fn selective(
        &self,
        test: &Logits,
        threshold: f64,
        plausible: impl Fn(usize) -> bool,
    ) -> Result<SelectiveReport, Error> {
        if test.classes() != self.classes {
            return Err(Error::ClassMismatch {
                expected: self.classes,
                found: test.classes(),
            });
        }
        let predictions = test.predictions(self.temperature);
        let (mut accepted, mut errors, mut low_confidence, mut out_of_distribution) = (0, 0, 0, 0);
        for (row, ((logits, confidence), correct)) in test
            .rows()
            .zip(predictions.confidences())
            .zip(predictions.correct())
            .enumerate()
        {
            let reason = match plausible(row) {
                true => self.reason(logits, confidence, threshold),
                false => Some(ReviewReason::OutOfDistribution),
            };
            match reason {
                Some(ReviewReason::OutOfDistribution) => out_of_distribution += 1,
                Some(ReviewReason::LowConfidence) => low_confidence += 1,
                None => {
                    accepted += 1;
                    errors += u64::from(!correct);
                }
            }
        }
        let n = test.len() as u64;
        Ok(SelectiveReport {
            threshold,
            n,
            accepted,
            errors,
            coverage: wilson(accepted, n, 0.95)?,
            risk: if accepted > 0 {
                Some(clopper_pearson(errors, accepted, 0.95)?)
            } else {
                None
            },
            low_confidence,
            out_of_distribution,
        })
    }
}
