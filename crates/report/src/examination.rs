//! A classifier examined on labelled images.

use data::{CLASSES, LabelledImages};
use evaluation::{Deferral, Error, Evaluation, Logits};
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
    /// The threshold that the classifier accepts by, and what is promised of it.
    pub deferral: Deferral,
    /// Everything measured, before and after calibration.
    pub evaluation: Evaluation,
    /// The same without [`MISLABELLED`], if the images are MNIST's test set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_mislabelled: Option<Evaluation>,
    #[serde(skip)]
    logits: Logits,
    #[serde(skip)]
    plausible: Vec<bool>,
}

impl Examination {
    /// Examines a classifier through the same calls that other crates use.
    ///
    /// # Errors
    /// If there are no images.
    pub fn new(classifier: &Classifier, images: &LabelledImages) -> Result<Self, Error> {
        let outputs = classifier.outputs(images.pixels());
        let plausible: Vec<bool> = outputs
            .iter()
            .enumerate()
            .map(|(index, output)| classifier.is_plausible(images.image(index), output))
            .collect();
        let logits = outputs.iter().flat_map(|output| output.logits).collect();
        let logits = Logits::new(CLASSES, logits, images.labels().to_vec())?;
        let calibration = classifier.calibration();
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
            deferral: calibration.deferral.clone(),
            evaluation,
            without_mislabelled,
            logits,
            plausible,
        })
    }

    /// The logits that everything was computed from, `[images, 10]`, with the labels.
    pub fn logits(&self) -> &Logits {
        &self.logits
    }

    /// Whether each image is like those that the network knows, `[images]`: others go to a person,
    /// however sure it is.
    pub fn plausible(&self) -> &[bool] {
        &self.plausible
    }
}
