//! A classifier examined on labelled images.

use data::{CLASSES, LabelledImages};
use evaluation::{Classification, Error, Evaluation, Logits, Promise};
use model::Classifier;
use serde::Serialize;

use crate::{Misread, Origin};

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
    /// The threshold that the classifier accepts by, and what may be promised of it after these images.
    pub deferral: Promise,
    /// Everything measured, before and after calibration.
    pub evaluation: Evaluation,
    /// The same without [`MISLABELLED`], if the images are MNIST's test set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_mislabelled: Option<Evaluation>,
    /// Which data these images belong to, where the caller has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// How the images would have to be held to be read, where they can't be as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misread: Option<Misread>,
    #[serde(skip)]
    logits: Logits,
    #[serde(skip)]
    answers: Vec<Classification>,
}

impl Examination {
    /// Examines a classifier through the same calls that other crates use.
    ///
    /// # Errors
    /// If there are no images.
    pub fn new(classifier: &Classifier, images: &LabelledImages) -> Result<Self, Error> {
        let outputs = classifier.outputs(images.pixels());
        let answers: Vec<Classification> = outputs
            .iter()
            .enumerate()
            .map(|(index, output)| classifier.decide(images.image(index), output))
            .collect();
        let logits = outputs.iter().flat_map(|output| output.logits).collect();
        let logits = Logits::new(CLASSES, logits, images.labels().to_vec())?;
        let calibration = classifier.calibration();
        let evaluation = calibration.evaluate_answers(&logits, &answers)?;
        let without_mislabelled = images
            .is_mnist_test()
            .then(|| {
                let kept = answers.iter().enumerate();
                let kept: Vec<_> = kept
                    .filter(|(index, _)| !MISLABELLED.contains(index))
                    .map(|(_, answer)| answer.clone())
                    .collect();
                calibration.evaluate_answers(&logits.without(&MISLABELLED)?, &kept)
            })
            .transpose()?;
        let accuracy = evaluation.after.accuracy.value;
        Ok(Examination {
            accuracy,
            errors: evaluation.after.errors,
            deferral: calibration.deferral.held_against(&evaluation.selective),
            evaluation,
            without_mislabelled,
            origin: None,
            misread: Misread::find(classifier, images, accuracy)?,
            logits,
            answers,
        })
    }

    /// The logits that everything was computed from, `[images, 10]`, with the labels.
    pub fn logits(&self) -> &Logits {
        &self.logits
    }

    /// What the classifier says of each image, `[images]`.
    pub fn answers(&self) -> &[Classification] {
        &self.answers
    }

    /// What has to be known beside the figures: sentences for people.
    pub fn caveats(&self) -> Vec<String> {
        let origin = self.origin.as_ref().and_then(Origin::caveat);
        let misread = self.misread.as_ref().map(Misread::hint);
        origin.into_iter().chain(misread).collect()
    }
}
