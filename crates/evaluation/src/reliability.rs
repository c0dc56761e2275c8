//! Whether a confidence of 99 % is right 99 times in 100. Confidence is the probability of the
//! predicted class.

use crate::Predictions;
use crate::selective::ties;
use serde::{Deserialize, Serialize};

/// Number of bins of both calibration errors and of the reliability diagram.
pub const BINS: usize = 15;

/// One bar of a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Least confidence of the bin.
    pub lower: f64,
    /// End of the bin; it belongs to the next one, but to this one where it is 1.
    pub upper: f64,
    /// Number of images in the bin.
    pub count: u64,
    /// Mean confidence, if the bin is not empty.
    pub confidence: Option<f64>,
    /// Share of right predictions, if the bin is not empty.
    pub accuracy: Option<f64>,
}

/// One bar of a histogram of confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistogramBin {
    /// Least confidence of the bin.
    pub lower: f64,
    /// End of the bin; it belongs to the next one, but to this one where it is 1.
    pub upper: f64,
    /// Images predicted rightly.
    pub correct: u64,
    /// Images predicted wrongly.
    pub wrong: u64,
}

/// The reliability diagram with [`BINS`] bins of equal width, `[i/15, (i+1)/15)`, the last with its
/// end.
///
/// These are the bins of torchmetrics 1.9, but for a confidence of exactly 1, which it counts in a
/// bin of its own.
pub fn reliability_diagram(predictions: &Predictions) -> Vec<ReliabilityBin> {
    let mut sums = [(0_u64, 0.0, 0_u64); BINS];
    for (confidence, correct) in predictions.confidences().zip(predictions.correct()) {
        let (count, confidences, hits) = &mut sums[bin(confidence, BINS)];
        *count += 1;
        *confidences += confidence;
        *hits += u64::from(correct);
    }
    let mean = |sum: f64, count: u64| (count > 0).then(|| sum / count as f64);
    sums.iter()
        .enumerate()
        .map(|(i, &(count, confidences, hits))| ReliabilityBin {
            lower: edge(i, BINS),
            upper: edge(i + 1, BINS),
            count,
            confidence: mean(confidences, count),
            accuracy: mean(hits as f64, count),
        })
        .collect()
}

/// Expected calibration error of the predicted class: the mean of `|accuracy - confidence|` over
/// the bins of [`reliability_diagram`], weighted by their counts (Guo et al. 2017, "On Calibration
/// of Modern Neural Networks", eq. 3). A fraction.
pub fn expected_calibration_error(predictions: &Predictions) -> f64 {
    let total: f64 = reliability_diagram(predictions)
        .iter()
        .filter_map(|bin| Some(bin.count as f64 * (bin.accuracy? - bin.confidence?).abs()))
        .sum();
    total / predictions.len() as f64
}

/// The same error over [`BINS`] bins of equal count (Nguyen & O'Connor 2015; the equal-mass bins of
/// Nixon et al. 2019, "Measuring Calibration in Deep Learning", section 3, for the predicted
/// image). A fraction.
///
/// The images are sorted by rising confidence and cut as evenly as possible, the first bins taking
/// one more where the count doesn't divide. Images of equal confidence each count as their mean
/// correctness, so the result doesn't depend on the order in which they came.
pub fn adaptive_calibration_error(predictions: &Predictions) -> f64 {
    let n = predictions.len();
    let mut images = ties(predictions)
        .into_iter()
        .rev()
        .flat_map(|tie| std::iter::repeat_n((tie.confidence, tie.accuracy()), tie.count as usize));
    let total: f64 = (0..BINS)
        .map(|i| n / BINS + usize::from(i < n % BINS))
        .map(|size| {
            images
                .by_ref()
                .take(size)
                .map(|(confidence, hit)| hit - confidence)
                .sum()
        })
        .map(f64::abs)
        .sum();
    total / n as f64
}

/// How many images have which confidence, in `bins` bins of equal width from 0 to 1, right and
/// wrong ones apart. Empty for 0 bins.
pub fn confidence_histogram(predictions: &Predictions, bins: usize) -> Vec<HistogramBin> {
    let mut histogram: Vec<HistogramBin> = (0..bins)
        .map(|i| HistogramBin {
            lower: edge(i, bins),
            upper: edge(i + 1, bins),
            correct: 0,
            wrong: 0,
        })
        .collect();
    for (confidence, correct) in predictions.confidences().zip(predictions.correct()) {
        if let Some(bar) = histogram.get_mut(bin(confidence, bins)) {
            bar.correct += u64::from(correct);
            bar.wrong += u64::from(!correct);
        }
    }
    histogram
}

fn edge(i: usize, bins: usize) -> f64 {
    i as f64 / bins as f64
}

/// The bin of `confidence`. The product may round across an edge, so the edges themselves decide.
fn bin(confidence: f64, bins: usize) -> usize {
    let mut i = ((confidence * bins as f64) as usize).min(bins.saturating_sub(1));
    if i > 0 && confidence < edge(i, bins) {
        i -= 1;
    }
    if i + 1 < bins && confidence >= edge(i + 1, bins) {
        i += 1;
    }
    i
}
