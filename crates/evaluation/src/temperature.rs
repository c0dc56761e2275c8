//! One number that makes probabilities mean what they say.

use crate::scores::log_softmax;
use crate::{Error, Logits};
use serde::{Deserialize, Serialize};

/// Temperature scaling: probabilities are `softmax(logits / T)` (Guo et al. 2017, "On Calibration
/// of Modern Neural Networks", section 4.2). Above 1 it lowers confidence, below 1 it raises it;
/// the predicted class never changes.
///
/// ```
/// use evaluation::{Logits, Temperature};
///
/// // Sure of itself, and wrong one time in four.
/// let validation = Logits::new(2, [9.0, 0.0].repeat(4), vec![0, 0, 0, 1])?;
/// let temperature = Temperature::fit(&validation);
/// let probabilities = temperature.apply(&[9.0, 0.0]);
/// assert!((probabilities[0] - 0.75).abs() < 1e-9);
/// # Ok::<(), evaluation::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Temperature(f64);

impl Temperature {
    /// The temperature that leaves the probabilities as they are.
    pub const ONE: Self = Self(1.0);
    /// Least temperature that a fit returns.
    pub const MIN: f64 = 0.1;
    /// Greatest temperature that a fit returns.
    pub const MAX: f64 = 10.0;

    /// # Errors
    /// If `value` is not a finite number above 0.
    pub fn new(value: f64) -> Result<Self, Error> {
        let valid = value.is_finite() && value >= f64::MIN_POSITIVE;
        Error::check(valid, "temperature", value, "a finite number above 0")?;
        Ok(Self(value))
    }

    /// The temperature with the least negative log-likelihood on `validation`.
    ///
    /// The likelihood is convex in `1/T`, so its slope is followed to its only zero by Newton's
    /// method inside a bracket. Where every image is right, the likelihood only grows as `T` falls
    /// to 0, and where the logits speak against the labels, as it rises: the result stays within
    /// [`Self::MIN`] and [`Self::MAX`] and then says no more than that. Where no temperature
    /// matters, because each row has equal logits or gaps so wide that every probability rounds to
    /// 0 or 1, the result is 1.
    pub fn fit(validation: &Logits) -> Self {
        let (slope, curvature) = derivatives(validation, 1.0);
        if slope == 0.0 && curvature == 0.0 {
            return Self::ONE;
        }
        let (mut low, mut high) = (1.0 / Self::MAX, 1.0 / Self::MIN);
        if derivatives(validation, high).0 <= 0.0 {
            return Self(Self::MIN);
        }
        if derivatives(validation, low).0 >= 0.0 {
            return Self(Self::MAX);
        }
        let mut inverse = 1.0;
        for _ in 0..200 {
            let (slope, curvature) = derivatives(validation, inverse);
            if slope > 0.0 {
                high = inverse;
            } else {
                low = inverse;
            }
            let newton = inverse - slope / curvature;
            let inside = newton > low && newton < high;
            let next = if inside { newton } else { 0.5 * (low + high) };
            let done = (next - inverse).abs() <= 1e-13 * inverse;
            inverse = next;
            if done {
                break;
            }
        }
        Self(1.0 / inverse)
    }

    /// The temperature itself.
    pub fn value(self) -> f64 {
        self.0
    }

    /// Probabilities of one image from its logits, both of shape `[classes]`. Empty for no logits.
    pub fn apply(self, logits: &[f64]) -> Vec<f64> {
        if logits.is_empty() {
            return Vec::new();
        }
        log_softmax(logits, self).map(libm::exp).collect()
    }
}

impl TryFrom<f64> for Temperature {
    type Error = Error;

    fn try_from(value: f64) -> Result<Self, Error> {
        Self::new(value)
    }
}

impl From<Temperature> for f64 {
    fn from(temperature: Temperature) -> Self {
        temperature.0
    }
}

/// First and second derivative of the mean negative log-likelihood by `1/T`: the mean of `E_p[z] -
/// z_label` and of `Var_p[z]`, with the logits `z` measured from the largest of their row.
fn derivatives(logits: &Logits, inverse: f64) -> (f64, f64) {
    let (mut slope, mut curvature) = (0.0, 0.0);
    for (row, label) in logits.rows().zip(logits.labels()) {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (mut weights, mut first, mut second) = (0.0, 0.0, 0.0);
        for logit in row {
            let z = logit - top;
            let weight = libm::exp(z * inverse);
            if weight > 0.0 {
                weights += weight;
                first += weight * z;
                second += weight * z * z;
            }
        }
        let mean = first / weights;
        slope += mean - (row[usize::from(*label)] - top);
        curvature += second / weights - mean * mean;
    }
    let n = logits.len() as f64;
    (slope / n, curvature / n)
}
