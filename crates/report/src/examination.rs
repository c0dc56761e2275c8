//! A classifier examined on labelled images.

use data::{LabelledImages, mnist};
use evaluation::{Classification, Evaluation, Logits, Promise};
use model::Classifier;
use rayon::prelude::*;
use serde::Serialize;

use crate::{ExaminationError, Misread, Origin};

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
    /// The same without [`mnist::MISLABELLED`], if the images are MNIST's test set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_mislabelled: Option<Evaluation>,
    /// Which data these images belong to, where the caller has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// How the images would have to be held to be read, where they can't be as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misread: Option<Misread>,
    #[serde(skip)]
    classes: Vec<String>,
    #[serde(skip)]
    logits: Logits,
    #[serde(skip)]
    answers: Vec<Classification>,
}

/// Fewer images than this are not worth handing to another thread.
const IMAGES_PER_TASK: usize = 100;

impl Examination {
    /// Examines a classifier through the same calls that other crates use.
    ///
    /// # Errors
    /// If the images are of another shape than the classifier's, or a label is no class of its.
    pub fn new(classifier: &Classifier, images: &LabelledImages) -> Result<Self, ExaminationError> {
        let (found, expected) = (images.shape(), classifier.shape());
        let other = || ExaminationError::Shape { found, expected };
        if found != expected {
            return Err(other());
        }
        let outputs = classifier.outputs(images.pixels()).map_err(|_| other())?;
        let answers: Vec<Classification> = outputs
            .par_iter()
            .enumerate()
            .with_min_len(IMAGES_PER_TASK)
            .map(|(index, output)| classifier.decide(images.image(index), output))
            .map(|answer| answer.classification)
            .collect();
        let classes = classifier.classes().to_vec();
        let logits = outputs.into_iter().flat_map(|output| output.logits);
        let logits = Logits::new(classes.len(), logits.collect(), images.labels().to_vec())?;
        let calibration = classifier.calibration();
        let without_mislabelled = || {
            let kept = answers.iter().enumerate();
            let kept: Vec<_> = kept
                .filter(|(index, _)| !mnist::MISLABELLED.contains(index))
                .map(|(_, answer)| answer.clone())
                .collect();
            calibration.evaluate_answers(&logits.without(&mnist::MISLABELLED)?, &kept)
        };
        let (evaluation, without_mislabelled) = rayon::join(
            || calibration.evaluate_answers(&logits, &answers),
            || {
                let is_test = mnist::is_test(images);
                is_test.then(without_mislabelled).transpose()
            },
        );
        let (evaluation, without_mislabelled) = (evaluation?, without_mislabelled?);
        let accuracy = evaluation.after.accuracy.value;
        Ok(Examination {
            accuracy,
            errors: evaluation.after.errors,
            deferral: calibration.deferral.held_against(&evaluation.selective),
            evaluation,
            without_mislabelled,
            origin: None,
            misread: Misread::find(classifier, images, accuracy)?,
            classes,
            logits,
            answers,
        })
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The logits that everything was computed from, `[images, classes]`, with the labels.
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
