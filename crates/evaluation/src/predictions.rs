//! Validated logits and probabilities with their labels.

use crate::scores::{argmax, check_logits, log_softmax};
use crate::{Error, Temperature};

/// Most classes that an answer can name.
pub const MAX_CLASSES: usize = 1 << 16;

/// Logits and labels of at least one image, all valid.
///
/// Shape: values `[images, classes]`, labels `[images]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Logits {
    classes: usize,
    values: Vec<f64>,
    labels: Vec<u16>,
}

impl Logits {
    /// Takes `values` of shape `[images, classes]`, row after row, and one label for each row.
    ///
    /// # Errors
    /// If there are no rows, fewer than 2 classes or more than [`MAX_CLASSES`], a length that doesn't fit, a
    /// logit that is not a finite value within the range of `f32`, or a label that names no class.
    pub fn new(classes: usize, values: Vec<f64>, labels: Vec<u16>) -> Result<Self, Error> {
        check_shape(classes, &values, &labels)?;
        for (row, logits) in values.chunks_exact(classes).enumerate() {
            check_logits(row, logits)?;
        }
        Ok(Self {
            classes,
            values,
            labels,
        })
    }

    /// Number of images, at least 1.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The labels, shape `[images]`.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The rows in order, each of shape `[classes]`.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.classes)
    }

    /// The predicted classes: the class of the largest logit, the lowest of them where several tie.
    pub fn predicted(&self) -> impl ExactSizeIterator<Item = u16> {
        self.rows().map(argmax)
    }

    /// These rows, then those of others.
    ///
    /// # Errors
    /// If the numbers of classes differ.
    pub fn joined(&self, others: &Self) -> Result<Self, Error> {
        if others.classes != self.classes {
            return Err(Error::ClassMismatch {
                expected: self.classes,
                found: others.classes,
            });
        }
        Ok(Self {
            classes: self.classes,
            values: [&self.values[..], &others.values].concat(),
            labels: [&self.labels[..], &others.labels].concat(),
        })
    }

    /// The same without the rows numbered in `indices`, for instance those whose label is known to
    /// be wrong.
    ///
    /// # Errors
    /// If an index names no row or no row would be left.
    pub fn without(&self, indices: &[usize]) -> Result<Self, Error> {
        let kept = kept_rows(self.len(), indices)?;
        Ok(Self {
            classes: self.classes,
            values: pick(&self.values, self.classes, &kept),
            labels: pick(&self.labels, 1, &kept),
        })
    }

    /// Probabilities `softmax(logits / temperature)`. The image is taken from the logits, so no
    /// temperature changes it, not even by rounding.
    pub fn predictions(&self, temperature: Temperature) -> Predictions {
        let log_probabilities: Vec<f64> = self
            .rows()
            .flat_map(|row| log_softmax(row, temperature))
            .collect();
        Predictions {
            classes: self.classes,
            probabilities: log_probabilities
                .iter()
                .map(|value| libm::exp(*value))
                .collect(),
            log_probabilities,
            predicted: self.predicted().collect(),
            labels: self.labels.clone(),
        }
    }
}

/// Probabilities and labels of at least one image, all valid.
///
/// Shape: probabilities `[images, classes]`, labels `[images]`. Logarithms are kept beside the
/// probabilities: those that come from [`Logits`] stay finite where a probability would round to 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    classes: usize,
    probabilities: Vec<f64>,
    log_probabilities: Vec<f64>,
    predicted: Vec<u16>,
    labels: Vec<u16>,
}

impl Predictions {
    /// Takes `probabilities` of shape `[images, classes]`, row after row, and one label for each
    /// row. The values are used as they are, without normalizing them again. Where classes tie for
    /// the highest probability, the lowest class is the predicted class. The logarithm of a
    /// probability of 0 is taken as that of [`f64::MIN_POSITIVE`], -708.4, so that the negative
    /// log-likelihood stays finite.
    ///
    /// # Errors
    /// If there are no rows, fewer than 2 classes or more than [`MAX_CLASSES`], a length that doesn't fit, a
    /// value outside 0 to 1, a row that doesn't add up to 1 within 0.000001, or a label that names
    /// no class.
    pub fn from_probabilities(
        classes: usize,
        probabilities: Vec<f64>,
        labels: Vec<u16>,
    ) -> Result<Self, Error> {
        check_shape(classes, &probabilities, &labels)?;
        for (row, values) in probabilities.chunks_exact(classes).enumerate() {
            if let Some(class) = values.iter().position(|value| !(0.0..=1.0).contains(value)) {
                return Err(Error::Probability {
                    row,
                    class,
                    value: values[class],
                });
            }
            let sum: f64 = values.iter().sum();
            if (sum - 1.0).abs() > 1e-6 {
                return Err(Error::Sum { row, sum });
            }
        }
        Ok(Self {
            classes,
            log_probabilities: probabilities
                .iter()
                .map(|value| libm::log(value.max(f64::MIN_POSITIVE)))
                .collect(),
            predicted: probabilities.chunks_exact(classes).map(argmax).collect(),
            probabilities,
            labels,
        })
    }

    /// Number of images, at least 1.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The labels, shape `[images]`.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The predicted classes, shape `[images]`.
    pub fn predicted(&self) -> &[u16] {
        &self.predicted
    }

    /// The rows of probabilities in order, each of shape `[classes]`.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.probabilities.chunks_exact(self.classes)
    }

    /// The probability of the predicted class, for each image.
    pub fn confidences(&self) -> impl ExactSizeIterator<Item = f64> {
        self.rows()
            .zip(&self.predicted)
            .map(|(row, class)| row[usize::from(*class)])
    }

    /// Whether the predicted class is the label, for each image.
    pub fn correct(&self) -> impl ExactSizeIterator<Item = bool> {
        self.predicted
            .iter()
            .zip(&self.labels)
            .map(|(class, label)| class == label)
    }

    /// The logarithm of the probability of the label, for each image.
    pub fn label_log_probabilities(&self) -> impl ExactSizeIterator<Item = f64> {
        self.log_probabilities
            .chunks_exact(self.classes)
            .zip(&self.labels)
            .map(|(row, label)| row[usize::from(*label)])
    }

    /// The same without the rows numbered in `indices`, for instance those whose label is known to
    /// be wrong.
    ///
    /// # Errors
    /// If an index names no row or no row would be left.
    pub fn without(&self, indices: &[usize]) -> Result<Self, Error> {
        let kept = kept_rows(self.len(), indices)?;
        Ok(Self {
            classes: self.classes,
            probabilities: pick(&self.probabilities, self.classes, &kept),
            log_probabilities: pick(&self.log_probabilities, self.classes, &kept),
            predicted: pick(&self.predicted, 1, &kept),
            labels: pick(&self.labels, 1, &kept),
        })
    }
}

fn check_shape(classes: usize, values: &[f64], labels: &[u16]) -> Result<(), Error> {
    if !(2..=MAX_CLASSES).contains(&classes) {
        return Err(Error::Classes { classes });
    }
    if labels.len().checked_mul(classes) != Some(values.len()) {
        return Err(Error::Shape {
            values: values.len(),
            labels: labels.len(),
            classes,
        });
    }
    if labels.is_empty() {
        return Err(Error::Empty);
    }
    match labels
        .iter()
        .position(|label| usize::from(*label) >= classes)
    {
        Some(row) => Err(Error::Label {
            row,
            label: labels[row],
            classes,
        }),
        None => Ok(()),
    }
}

fn kept_rows(n: usize, without: &[usize]) -> Result<Vec<usize>, Error> {
    let mut keep = vec![true; n];
    for &index in without {
        *keep.get_mut(index).ok_or(Error::Index { index, n })? = false;
    }
    let kept: Vec<usize> = (0..n).filter(|row| keep[*row]).collect();
    if kept.is_empty() {
        Err(Error::Empty)
    } else {
        Ok(kept)
    }
}

fn pick<T: Copy>(values: &[T], width: usize, rows: &[usize]) -> Vec<T> {
    rows.iter()
        .flat_map(|row| &values[row * width..(row + 1) * width])
        .copied()
        .collect()
}
