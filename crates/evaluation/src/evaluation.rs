//! A calibration measured on labelled images that it was not fitted on.

use crate::conformal::ConformalReport;
use crate::interval::{clopper_pearson, wilson};
use crate::{
    Calibration, Classification, Decision, Error, Estimate, Logits, Report, ReviewReason,
    Temperature,
};
use serde::{Deserialize, Serialize};

/// A calibration on labelled images: the figures before and after the temperature, and what its
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
    /// Number of images.
    pub n: u64,
    /// Images accepted.
    pub accepted: u64,
    /// Errors among the accepted.
    pub errors: u64,
    /// Share accepted, with Wilson's 95 % interval.
    pub coverage: Estimate,
    /// Share of errors among the accepted, with the 95 % interval of Clopper and Pearson; none if
    /// nothing is accepted.
    pub risk: Option<Estimate>,
    /// Images reviewed because their confidence is below the threshold.
    pub low_confidence: u64,
    /// Images reviewed because they are unlike those of the calibration.
    pub out_of_distribution: u64,
    /// Images reviewed because no confidence of this network is to be relied on.
    #[serde(default)]
    pub unreliable: u64,
}

impl Calibration {
    /// Measures this calibration on `test`, of which nothing but the logits is known.
    ///
    /// # Errors
    /// If the number of classes is not that of the calibration.
    pub fn evaluate(&self, test: &Logits) -> Result<Evaluation, Error> {
        let answers: Vec<_> = test
            .rows()
            .map(|logits| self.decide(logits))
            .collect::<Result<_, _>>()?;
        self.evaluate_answers(test, &answers)
    }

    /// Measures this calibration on `test`, with an answer of [`Self::decide`] for each of its rows.
    ///
    /// # Errors
    /// If the answers are not as many as the rows.
    pub fn evaluate_answers(
        &self,
        test: &Logits,
        answers: &[Classification],
    ) -> Result<Evaluation, Error> {
        let calibrated = test.predictions(self.temperature);
        Ok(Evaluation {
            selective: SelectiveReport::new(self.deferral.threshold, test, answers)?,
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
        let answers: Vec<_> = test
            .rows()
            .map(|logits| self.decide_at(logits, threshold))
            .collect::<Result<_, _>>()?;
        SelectiveReport::new(threshold, test, &answers)
    }
}

impl SelectiveReport {
    fn new(threshold: f64, test: &Logits, answers: &[Classification]) -> Result<Self, Error> {
        let n = test.len() as u64;
        if answers.len() != test.len() {
            return Err(Error::Length {
                what: "answers",
                found: answers.len(),
                expected: test.len(),
            });
        }
        let (mut accepted, mut errors) = (0, 0);
        let (mut low_confidence, mut out_of_distribution, mut unreliable) = (0, 0, 0);
        for (answer, label) in answers.iter().zip(test.labels()) {
            match answer.decision {
                Decision::Accept => {
                    accepted += 1;
                    errors += u64::from(answer.class != *label);
                }
                Decision::Review { reason, .. } => match reason {
                    ReviewReason::OutOfDistribution => out_of_distribution += 1,
                    ReviewReason::Unreliable => unreliable += 1,
                    ReviewReason::LowConfidence => low_confidence += 1,
                },
            }
        }
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
            unreliable,
        })
    }
}
