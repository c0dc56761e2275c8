//! What can be wrong with the values that a caller hands in.

/// Why values were refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The number of classes is outside 2 to [`MAX_CLASSES`](crate::MAX_CLASSES).
    #[error(
        "{classes} classes: a decision needs an alternative and labels have 16 bits, so give 2 to {}",
        crate::MAX_CLASSES
    )]
    Classes {
        /// Number of classes given.
        classes: usize,
    },
    /// There is nothing to measure.
    #[error("no images: give at least one row with its label")]
    Empty,
    /// The length of the values is not images times classes.
    #[error("{values} values for {labels} labels: give {labels} rows of {classes} values each")]
    Shape {
        /// Number of values given.
        values: usize,
        /// Number of labels given.
        labels: usize,
        /// Values in a row.
        classes: usize,
    },
    /// A logit is NaN, infinite or beyond the range of `f32`.
    #[error(
        "the logit of class {class} in row {row} is {value}: give finite values within the range of f32"
    )]
    Logit {
        /// Row, counted from 0.
        row: usize,
        /// Column.
        class: usize,
        /// The value found.
        value: f64,
    },
    /// A probability lies outside 0 to 1.
    #[error("the probability of class {class} in row {row} is {value}: give values from 0 to 1")]
    Probability {
        /// Row, counted from 0.
        row: usize,
        /// Column.
        class: usize,
        /// The value found.
        value: f64,
    },
    /// The probabilities of a row do not add up to 1.
    #[error(
        "the probabilities of row {row} add up to {sum}: they must add up to 1 within 0.000001"
    )]
    Sum {
        /// Row, counted from 0.
        row: usize,
        /// Their sum.
        sum: f64,
    },
    /// A label or an answer names no class.
    #[error("row {row} has the label {label}: with {classes} classes it must be below {classes}")]
    Label {
        /// Row, counted from 0.
        row: usize,
        /// The label found.
        label: u16,
        /// Number of classes.
        classes: usize,
    },
    /// A row number is beyond the last row.
    #[error("there is no row {index}: the rows are numbered 0 to {}", .n.saturating_sub(1))]
    Index {
        /// The row asked for.
        index: usize,
        /// Number of rows.
        n: usize,
    },
    /// The logits have another number of classes than the calibration.
    #[error(
        "{found} logits for a calibration of {expected} classes: use the calibration of the same network"
    )]
    ClassMismatch {
        /// Number of classes of the calibration.
        expected: usize,
        /// Number of logits given.
        found: usize,
    },
    /// A setting or a stored value is out of its range.
    #[error("`{key}` is {value}: it must be {expected}")]
    Parameter {
        /// Name of the setting or stored value.
        key: &'static str,
        /// The value found.
        value: f64,
        /// The values allowed.
        expected: &'static str,
    },
    /// A stored rule would let a decision depend on the order of the images.
    #[error(
        "a conformal rule of the calibration is randomized: a decision must not depend on the order, so use lac or aps"
    )]
    Randomized,
    /// Lists that belong together differ in length.
    #[error("{found} {what} for {expected} images: give one for each image")]
    Length {
        /// What the list holds.
        what: &'static str,
        /// Entries found.
        found: usize,
        /// Entries needed.
        expected: usize,
    },
    /// A person answered for an image that the machine had accepted.
    #[error(
        "row {row} has an answer, but the machine accepted it: use the answers made for these decisions"
    )]
    UnaskedAnswer {
        /// Row, counted from 0.
        row: usize,
    },
}

impl Error {
    /// `Ok` if `holds`, else the error that `key` must be `expected`.
    pub(crate) fn check(
        holds: bool,
        key: &'static str,
        value: f64,
        expected: &'static str,
    ) -> Result<(), Self> {
        if holds {
            Ok(())
        } else {
            Err(Self::Parameter {
                key,
                value,
                expected,
            })
        }
    }

    /// `Ok` if `value` lies strictly between 0 and 1.
    pub(crate) fn check_open_unit(key: &'static str, value: f64) -> Result<(), Self> {
        Self::check(
            value > 0.0 && value < 1.0,
            key,
            value,
            "above 0 and below 1",
        )
    }

    /// `Ok` if `value` lies in 0 to 1.
    pub(crate) fn check_unit(key: &'static str, value: f64) -> Result<(), Self> {
        Self::check((0.0..=1.0).contains(&value), key, value, "from 0 to 1")
    }
}
