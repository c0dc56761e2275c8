use std::fmt::{self, Display, Formatter};

use data::LabelledImages;
use model::Classifier;
use serde::Serialize;

use crate::{Corruption, Outlier, StressError, StressRow};

/// What a classifier does with corrupted images, and with images that show none of its classes.
#[derive(Clone, Debug, Serialize)]
pub struct Stress {
    /// The seed of the images.
    pub seed: u64,
    /// One row for each corruption, then one for each kind of outlier.
    pub rows: Vec<StressRow>,
}

impl Stress {
    /// Runs all corruptions on the first `limit` of `images`, and draws as many outliers of each kind.
    /// The same `seed` gives the same images.
    ///
    /// # Errors
    /// [`StressError::Shape`] for images of another shape than the classifier's, and if `limit` is 0.
    pub fn new(
        classifier: &Classifier,
        images: &LabelledImages,
        limit: usize,
        seed: u64,
    ) -> Result<Self, StressError> {
        let shape = images.shape();
        if shape != classifier.shape() {
            return Err(StressError::Shape {
                found: shape,
                expected: classifier.shape(),
            });
        }
        let count = images.len().min(limit);
        let mut rows = Vec::new();
        for corruption in Corruption::ALL {
            rows.push(StressRow::new(
                classifier,
                corruption.name(),
                count,
                |index| corruption.apply(shape, images.image(index), seed, index),
                Some(images.labels()),
            )?);
        }
        for kind in Outlier::ALL {
            rows.push(StressRow::new(
                classifier,
                kind.name(),
                limit,
                |index| kind.image(shape, seed, index),
                None,
            )?);
        }
        Ok(Stress { seed, rows })
    }

    /// Adds a row for images that show something else than the classes, such as letters to a classifier
    /// of digits: `[images, channels, height, width]`.
    ///
    /// # Errors
    /// [`StressError::Bytes`] for bytes that are no whole images, and if there are no images.
    pub fn add(
        &mut self,
        classifier: &Classifier,
        name: &str,
        images: &[u8],
    ) -> Result<(), StressError> {
        let length = classifier.shape().len();
        let image = |index: usize| {
            images
                .chunks(length)
                .nth(index)
                .unwrap_or_default()
                .to_vec()
        };
        let count = images.len().div_ceil(length);
        let row = StressRow::new(classifier, name, count, image, None)?;
        self.rows.push(row);
        Ok(())
    }
}

impl Display for Stress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "                  images  accuracy  to a person  accepted  wrong among the accepted"
        )?;
        for row in &self.rows {
            let accuracy = row
                .accuracy
                .map_or("no class".into(), |a| format!("{:.2} %", 100.0 * a.value));
            let risk = row
                .risk
                .map_or(String::new(), |r| format!(" ({:.2} %)", 100.0 * r.value));
            let deferred = format!("{:.2} %", 100.0 * row.deferral_rate);
            writeln!(
                f,
                "{:<16}{:>8}{accuracy:>10}{deferred:>13}{:>10}{:>9}{risk}",
                row.name, row.images, row.accepted, row.errors,
            )?;
        }
        Ok(())
    }
}
