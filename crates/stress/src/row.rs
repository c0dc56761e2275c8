use evaluation::{Classification, Estimate, interval};
use model::{Classifier, Decision, ReviewReason};
use rayon::prelude::*;
use serde::Serialize;

use crate::StressError;

/// Bytes of images that are held and classified at a time.
const CHUNK: usize = 64 << 20;

/// One kind of image. Shares are fractions, intervals are at 95 %.
#[derive(Clone, Debug, Serialize)]
pub struct StressRow {
    /// What was done to the images, or what they show instead.
    pub name: String,
    /// How many images.
    pub images: u64,
    /// Share of right answers; none where the images show none of the classes.
    pub accuracy: Option<Estimate>,
    /// Images whose class the machine keeps.
    pub accepted: u64,
    /// Wrong ones among the accepted; all of them where the images show none of the classes.
    pub errors: u64,
    /// Share of images that go to a person.
    pub deferral_rate: f64,
    /// Share of wrong ones among the accepted; none if nothing is accepted.
    pub risk: Option<Estimate>,
    /// Images that go to a person because they are unlike those of the calibration: beyond the limits on
    /// energy, distance or pixels.
    pub out_of_distribution: u64,
    /// Images that go to a person because no confidence of this network is to be relied on.
    pub unreliable: u64,
    /// Images that go to a person because the confidence is low.
    pub low_confidence: u64,
    /// Images whose confidence reaches the threshold, whatever the limits say.
    pub accepted_by_confidence_alone: u64,
    /// Wrong ones among those; all of them where the images show none of the classes.
    pub errors_by_confidence_alone: u64,
    /// Mean confidence.
    pub mean_confidence: f64,
    /// Least, median and greatest energy of the logits, in nats.
    pub energy: [f64; 3],
    /// The first of the images, `[channels, height, width]`.
    #[serde(skip)]
    pub example: Vec<u8>,
}

impl StressRow {
    /// Counts what becomes of `count` images; `image` gives each of them, `labels` its class where it
    /// shows one.
    pub(crate) fn new(
        classifier: &Classifier,
        name: &str,
        count: usize,
        image: impl Fn(usize) -> Vec<u8> + Sync,
        labels: Option<&[u16]>,
    ) -> Result<Self, StressError> {
        let mut tally = Tally::default();
        let chunk = (CHUNK / classifier.shape().len()).max(1);
        for start in (0..count).step_by(chunk) {
            let chunk = start..count.min(start + chunk);
            let images = chunk.clone().into_par_iter().flat_map_iter(&image);
            let images: Vec<u8> = images.collect();
            for (index, answer) in chunk.zip(classifier.classify_all(&images)?) {
                let correct = labels.is_some_and(|labels| labels[index] == answer.class);
                tally.count(classifier, &answer, correct);
            }
        }
        let mut energies = tally.energies;
        energies.sort_by(f64::total_cmp);
        let (Some(&least), Some(&greatest)) = (energies.first(), energies.last()) else {
            return Err(evaluation::Error::Empty.into());
        };
        let n = count as u64;
        let accuracy = labels.map(|_| interval::wilson(tally.right, n, 0.95));
        let risk = (tally.accepted > 0)
            .then(|| interval::clopper_pearson(tally.errors, tally.accepted, 0.95));
        Ok(Self {
            name: name.to_owned(),
            images: n,
            accuracy: accuracy.transpose()?,
            accepted: tally.accepted,
            errors: tally.errors,
            deferral_rate: (n - tally.accepted) as f64 / n as f64,
            risk: risk.transpose()?,
            out_of_distribution: tally.out_of_distribution,
            unreliable: tally.unreliable,
            low_confidence: tally.low_confidence,
            accepted_by_confidence_alone: tally.confident,
            errors_by_confidence_alone: tally.confident_errors,
            mean_confidence: tally.confidences / n as f64,
            energy: [least, energies[energies.len() / 2], greatest],
            example: image(0),
        })
    }
}

#[derive(Default)]
struct Tally {
    right: u64,
    accepted: u64,
    errors: u64,
    out_of_distribution: u64,
    unreliable: u64,
    low_confidence: u64,
    confident: u64,
    confident_errors: u64,
    confidences: f64,
    energies: Vec<f64>,
}

impl Tally {
    fn count(&mut self, classifier: &Classifier, answer: &Classification, correct: bool) {
        self.right += u64::from(correct);
        if answer.confidence >= classifier.calibration().deferral.threshold {
            self.confident += 1;
            self.confident_errors += u64::from(!correct);
        }
        self.confidences += answer.confidence;
        self.energies.push(answer.energy);
        match answer.decision {
            Decision::Accept => {
                self.accepted += 1;
                self.errors += u64::from(!correct);
            }
            Decision::Review { reason, .. } => match reason {
                ReviewReason::OutOfDistribution => self.out_of_distribution += 1,
                ReviewReason::Unreliable => self.unreliable += 1,
                ReviewReason::LowConfidence => self.low_confidence += 1,
            },
        }
    }
}
