//! A classifier examined on labelled images.

use data::{CLASSES, LabelledImages};
use evaluation::{Error, Evaluation, Logits};
use model::Classifier;
use serde::Serialize;

/// The images of MNIST's test set, counted from 0, whose label is wrong or undecidable by the vote
/// of several people (Northcutt, Athalye and Mueller 2021, "Pervasive Label Errors in Test Sets").
pub const MISLABELLED: [usize; 15] = [
    947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729,
];

/// What a classifier achieved. Shares are fractions.
#[derive(Clone, Debug, Serialize)]
pub struct Examination {
    /// Share of right images.
    pub accuracy: f64,
    /// Wrong images.
    pub errors: u64,
    /// Everything measured, before and after calibration.
    pub evaluation: Evaluation,
    /// The same without [`MISLABELLED`], if the images are MNIST's test set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_mislabelled: Option<Evaluation>,
    #[serde(skip)]
    logits: Logits,
}

impl Examination {
    /// Examines a classifier through the same calls that other crates use.
    ///
    /// # Errors
    /// If there are no images.
    pub fn new(classifier: &Classifier, images: &LabelledImages) -> Result<Self, Error> {
        let logits = labelled_logits(classifier, images)?;
        let calibration = classifier.calibration();
        let plausible: Vec<bool> = (0..images.len())
            .map(|index| classifier.is_plausible(images.image(index)))
            .collect();
        let evaluation = calibration.evaluate_where(&logits, |row| plausible[row])?;
        let without_mislabelled = images
            .is_mnist_test()
            .then(|| {
                let kept: Vec<usize> = (0..images.len())
                    .filter(|index| !MISLABELLED.contains(index))
                    .collect();
                let logits = logits.without(&MISLABELLED)?;
                calibration.evaluate_where(&logits, |row| plausible[kept[row]])
            })
            .transpose()?;
        Ok(Examination {
            accuracy: evaluation.after.accuracy.value,
            errors: evaluation.after.errors,
            evaluation,
            without_mislabelled,
            logits,
        })
    }

    /// The logits that everything was computed from, `[images, 10]`, with the labels.
    pub fn logits(&self) -> &Logits {
        &self.logits
    }
}

/// The logits of labelled images, as the evaluation takes them.
///
/// # Errors
/// If there are no images.
pub fn labelled_logits(classifier: &Classifier, images: &LabelledImages) -> Result<Logits, Error> {
    let logits = classifier.logits(images.pixels());
    Logits::new(CLASSES, logits.into_flattened(), images.labels().to_vec())
}
