//! All figures of one set of probabilities.

use crate::Predictions;
use crate::interval::Estimate;
use crate::metrics::{self, ClassMetrics};
use crate::reliability::{self, HistogramBin, ReliabilityBin};
use crate::selective::{self, CoverageAtRisk, RiskCoveragePoint};
use serde::{Deserialize, Serialize};

/// The figures of one set of probabilities, all shares as fractions. Each field is the result of
/// the function that its description names, which holds the definition and its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Number of images.
    pub n: u64,
    /// Images predicted wrongly: [`metrics::errors`].
    pub errors: u64,
    /// [`metrics::accuracy`].
    pub accuracy: Estimate,
    /// [`metrics::negative_log_likelihood`], in nats.
    pub nll: f64,
    /// [`metrics::brier_score`].
    pub brier: f64,
    /// [`reliability::expected_calibration_error`].
    pub ece: f64,
    /// [`reliability::adaptive_calibration_error`].
    pub adaptive_ece: f64,
    /// [`selective::aurc`].
    pub aurc: f64,
    /// [`selective::e_aurc`].
    pub e_aurc: f64,
    /// [`selective::coverage_at_risk`] for each of [`Self::RISKS`].
    pub coverage_at_risk: Vec<CoverageAtRisk>,
    /// [`metrics::per_class`], shape `[classes]`.
    pub per_class: Vec<ClassMetrics>,
    /// [`metrics::confusion_matrix`], shape `[classes, classes]`.
    pub confusion: Vec<Vec<u64>>,
    /// [`reliability::reliability_diagram`].
    pub reliability: Vec<ReliabilityBin>,
    /// [`selective::risk_coverage_curve`], thinned to [`Self::CURVE_POINTS`].
    pub risk_coverage: Vec<RiskCoveragePoint>,
    /// [`reliability::confidence_histogram`] with [`Self::HISTOGRAM_BINS`] bins.
    pub confidence_histogram: Vec<HistogramBin>,
}

impl Report {
    /// Risks at which the coverage is reported: 0, 0.05 %, 0.1 % and 0.5 %.
    pub const RISKS: [f64; 4] = [0.0, 0.0005, 0.001, 0.005];
    /// Most points of the risk–coverage curve.
    pub const CURVE_POINTS: usize = 400;
    /// Bins of the histogram of confidence.
    pub const HISTOGRAM_BINS: usize = 50;

    /// Computes all figures.
    ///
    /// ```
    /// use evaluation::{Predictions, Report};
    ///
    /// let predictions = Predictions::from_probabilities(2, vec![0.9, 0.1, 0.4, 0.6], vec![0, 0])?;
    /// let report = Report::new(&predictions);
    /// assert_eq!((report.n, report.errors, report.accuracy.value), (2, 1, 0.5));
    /// # Ok::<(), evaluation::Error>(())
    /// ```
    pub fn new(predictions: &Predictions) -> Self {
        let curve = selective::risk_coverage_curve(predictions);
        Self {
            n: predictions.len() as u64,
            errors: metrics::errors(predictions),
            accuracy: metrics::accuracy(predictions),
            nll: metrics::negative_log_likelihood(predictions),
            brier: metrics::brier_score(predictions),
            ece: reliability::expected_calibration_error(predictions),
            adaptive_ece: reliability::adaptive_calibration_error(predictions),
            aurc: selective::aurc(predictions),
            e_aurc: selective::e_aurc(predictions),
            coverage_at_risk: Self::RISKS
                .iter()
                .map(|risk| selective::coverage_at_risk(predictions, *risk))
                .collect(),
            per_class: metrics::per_class(predictions),
            confusion: metrics::confusion_matrix(predictions),
            reliability: reliability::reliability_diagram(predictions),
            risk_coverage: selective::thin(&curve, Self::CURVE_POINTS),
            confidence_histogram: reliability::confidence_histogram(
                predictions,
                Self::HISTOGRAM_BINS,
            ),
        }
    }
}
