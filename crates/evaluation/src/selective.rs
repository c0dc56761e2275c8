//! Whether the classifier knows when it is wrong: the error rate among the images it keeps when it
//! hands back the least confident ones. *Coverage* is the share kept, *selective risk* the share of
//! errors among them.
//!
//! Images of equal confidence can't be told apart by any threshold. Coverage and risk are therefore
//! only reported at the end of such a tie, and the areas take the mean over all orders within it:
//! no figure here depends on the order in which the images came.

use crate::Predictions;
use serde::{Deserialize, Serialize};

/// One point of a risk–coverage curve: what happens when exactly the images of at least `threshold`
/// are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RiskCoveragePoint {
    /// Least confidence accepted.
    pub threshold: f64,
    /// Share of images accepted.
    pub coverage: f64,
    /// Share of errors among the accepted.
    pub risk: f64,
}

/// The largest coverage whose selective risk is at most `risk`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoverageAtRisk {
    /// The risk allowed.
    pub risk: f64,
    /// The largest coverage that keeps to it; 0 if none does.
    pub coverage: f64,
}

/// The risk–coverage curve by rising coverage, one point for each confidence that occurs.
pub fn risk_coverage_curve(predictions: &Predictions) -> Vec<RiskCoveragePoint> {
    let n = predictions.len() as f64;
    let (mut accepted, mut errors) = (0, 0);
    ties(predictions)
        .into_iter()
        .map(|tie| {
            accepted += tie.count;
            errors += tie.errors;
            RiskCoveragePoint {
                threshold: tie.confidence,
                coverage: accepted as f64 / n,
                risk: errors as f64 / accepted as f64,
            }
        })
        .collect()
}

/// At most `most` of `points`, evenly spaced and always with the first and the last: enough to draw
/// the curve.
pub fn thin(points: &[RiskCoveragePoint], most: usize) -> Vec<RiskCoveragePoint> {
    if points.len() <= most {
        return points.to_vec();
    }
    let last = points.len() - 1;
    let steps = most.saturating_sub(1).max(1);
    (0..most)
        .map(|i| points[(i * last + steps / 2) / steps])
        .collect()
}

/// Area under the risk–coverage curve: the mean selective risk over the coverages `1/n, 2/n, … 1`,
/// where the most confident images are kept first (Geifman, Uziel & El-Yaniv 2019, "Bias-Reduced
/// Uncertainty Estimation for Deep Neural Classifiers", section 2; the AURC of Jaeger et al. 2023,
/// "A Call to Reflect on Evaluation Practices for Failure Detection", as a sum over all images
/// instead of trapezoids). A fraction; published tables often multiply it by 1,000.
pub fn aurc(predictions: &Predictions) -> f64 {
    let (mut kept, mut errors, mut total) = (0.0, 0.0, 0.0);
    for tie in ties(predictions) {
        let step = 1.0 - tie.accuracy();
        for _ in 0..tie.count {
            kept += 1.0;
            errors += step;
            total += errors / kept;
        }
    }
    total / predictions.len() as f64
}

/// AURC less that of a perfect ranking with the same number of errors, which keeps all right images
/// before the first wrong one (Geifman et al. 2019, section 2). The perfect area is computed
/// exactly as such a mean, not by its approximation `r + (1 - r) ln(1 - r)`: 0 means that no
/// ranking would do better.
pub fn e_aurc(predictions: &Predictions) -> f64 {
    let errors = crate::metrics::errors(predictions);
    let correct = predictions.len() as u64 - errors;
    let optimal: f64 = (1..=errors)
        .map(|wrong| wrong as f64 / (correct + wrong) as f64)
        .sum();
    (aurc(predictions) - optimal / predictions.len() as f64).max(0.0)
}

/// The largest coverage that some threshold reaches with a selective risk of at most `risk`.
pub fn coverage_at_risk(predictions: &Predictions, risk: f64) -> CoverageAtRisk {
    let coverage = risk_coverage_curve(predictions)
        .iter()
        .filter(|point| point.risk <= risk)
        .map(|point| point.coverage)
        .fold(0.0, f64::max);
    CoverageAtRisk { risk, coverage }
}

/// Images of equal confidence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tie {
    pub confidence: f64,
    pub count: u64,
    pub errors: u64,
}

impl Tie {
    pub fn accuracy(&self) -> f64 {
        1.0 - self.errors as f64 / self.count as f64
    }
}

/// All images by falling confidence, those of equal confidence together.
pub(crate) fn ties(predictions: &Predictions) -> Vec<Tie> {
    group_ties(predictions.confidences().zip(predictions.correct()))
}

/// Pairs of confidence and correctness by falling confidence, those of equal confidence together.
pub(crate) fn group_ties(images: impl Iterator<Item = (f64, bool)>) -> Vec<Tie> {
    let mut images: Vec<(f64, bool)> = images.collect();
    images.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    images
        .chunk_by(|a, b| a.0 == b.0)
        .map(|tie| Tie {
            confidence: tie[0].0,
            count: tie.len() as u64,
            errors: tie.iter().filter(|(_, correct)| !correct).count() as u64,
        })
        .collect()
}
