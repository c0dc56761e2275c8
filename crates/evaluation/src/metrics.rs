//! How often the prediction is right, on which classes, and what its probabilities cost.

use crate::Predictions;
use crate::interval::{Estimate, wilson_95};
use serde::{Deserialize, Serialize};

/// Figures of one class, as fractions. A ratio without a denominator is 0 (scikit-learn's
/// `zero_division=0`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Share of the images predicted as this class that are of it.
    pub precision: f64,
    /// Share of the images of this class that are predicted as it.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Number of images of this class.
    pub support: u64,
}

/// Number of images whose prediction is not the label.
pub fn errors(predictions: &Predictions) -> u64 {
    predictions.correct().filter(|correct| !correct).count() as u64
}

/// Share of images whose prediction is the label, with Wilson's 95 % interval.
pub fn accuracy(predictions: &Predictions) -> Estimate {
    let n = predictions.len() as u64;
    wilson_95(n - errors(predictions), n)
}

/// Counts of shape `[classes, classes]`: the row is the label, the column the prediction.
pub fn confusion_matrix(predictions: &Predictions) -> Vec<Vec<u64>> {
    let mut counts = vec![vec![0; predictions.classes()]; predictions.classes()];
    for (label, class) in predictions.labels().iter().zip(predictions.predicted()) {
        counts[usize::from(*label)][usize::from(*class)] += 1;
    }
    counts
}

/// Precision, recall, F1 and support of each class, shape `[classes]`.
pub fn per_class(predictions: &Predictions) -> Vec<ClassMetrics> {
    let confusion = confusion_matrix(predictions);
    let ratio = |part: u64, whole: u64| {
        if whole == 0 {
            0.0
        } else {
            part as f64 / whole as f64
        }
    };
    (0..predictions.classes())
        .map(|class| {
            let hits = confusion[class][class];
            let support: u64 = confusion[class].iter().sum();
            let predicted: u64 = confusion.iter().map(|row| row[class]).sum();
            ClassMetrics {
                precision: ratio(hits, predicted),
                recall: ratio(hits, support),
                f1: ratio(2 * hits, predicted + support),
                support,
            }
        })
        .collect()
}

/// Negative log-likelihood: the mean of `-ln p(label)`, in nats.
pub fn negative_log_likelihood(predictions: &Predictions) -> f64 {
    -predictions.label_log_probabilities().sum::<f64>() / predictions.len() as f64
}

/// Brier score summed over the classes: the mean of `Σ_k (p_k - [k = label])²`, from 0 to 2 (Brier
/// 1950, *Monthly Weather Review* 78).
pub fn brier_score(predictions: &Predictions) -> f64 {
    let total: f64 = predictions
        .rows()
        .zip(predictions.labels())
        .map(|(row, label)| {
            row.iter()
                .enumerate()
                .map(|(class, p)| (p - f64::from(class == usize::from(*label))).powi(2))
                .sum::<f64>()
        })
        .sum();
    total / predictions.len() as f64
}
