//! What several networks, or one network on several views of an image, say together.

use crate::energy;

/// The logits of a committee, shape `[classes]`, from one row of logits of that shape for each member
/// `m`:
///
/// `z_k = ln(mean_m softmax(z_m)_k) + mean_m ln Σ_j exp(z_mj)`
///
/// So `softmax(z)` is the mean of the members' probabilities (Lakshminarayanan, Pritzel and Blundell
/// 2017, "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles", section 2.4),
/// and [`energy`] of `z` the mean of their energies. A single row is returned as it is. Where a member
/// has a logit that is not a finite value in the range of `f32`, all are NaN, which no calibration
/// accepts.
///
/// ```
/// let together = evaluation::combine(&[vec![0.0, 2.0], vec![1.0, -1.0]]);
/// let mean = evaluation::energy(&[0.0, 2.0]) / 2.0 + evaluation::energy(&[1.0, -1.0]) / 2.0;
/// assert!((evaluation::energy(&together) - mean).abs() < 1e-12);
/// ```
pub fn combine(members: &[Vec<f64>]) -> Vec<f64> {
    const RANGE: f64 = f32::MAX as f64;
    if let [only] = members {
        return only.clone();
    }
    let classes = members.iter().map(Vec::len).min().unwrap_or(0);
    let valid = |logit: &f64| logit.abs() <= RANGE;
    if !members.iter().flatten().all(valid) {
        return vec![f64::NAN; classes];
    }
    let count = members.len() as f64;
    let log_sums: Vec<f64> = members.iter().map(|row| -energy(row)).collect();
    let size = log_sums.iter().map(|log_sum| log_sum / count).sum::<f64>();
    let log_mean = |class: usize| {
        let logs = || {
            members
                .iter()
                .zip(&log_sums)
                .map(|(row, sum)| row[class] - sum)
        };
        // The largest is left out of the sum, so that no probability is too small for a logarithm.
        let top = logs().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logs().map(|log| libm::exp(log - top)).sum();
        top + libm::log(sum / count)
    };
    (0..classes)
        .map(|class| (log_mean(class) + size).clamp(-RANGE, RANGE))
        .collect()
}
