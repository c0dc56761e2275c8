//! A classifier away from what it was trained on.

use std::fmt::{self, Display, Formatter};

use data::{Corruption, LabelledImages, NonDigit, PIXELS};
use evaluation::{Error, Estimate, interval};
use model::{Classifier, Decision, ReviewReason};
use serde::Serialize;

/// What a classifier does with corrupted digits and with images that show no digit.
#[derive(Clone, Debug, Serialize)]
pub struct Stress {
    /// The seed of the corruptions.
    pub seed: u64,
    /// One row for each corruption, then one for each kind of image that shows no digit.
    pub rows: Vec<StressRow>,
}

/// One kind of image. Shares are fractions, intervals are at 95 %.
#[derive(Clone, Debug, Serialize)]
pub struct StressRow {
    /// What was done to the digits, or what the images show instead.
    pub name: String,
    /// How many images.
    pub images: u64,
    /// Share of right digits; none where the images show no digit.
    pub accuracy: Option<Estimate>,
    /// Images whose digit the machine keeps.
    pub accepted: u64,
    /// Wrong ones among the accepted; all of them where the images show no digit.
    pub errors: u64,
    /// Share of images that go to a person.
    pub deferral_rate: f64,
    /// Share of wrong ones among the accepted; none if nothing is accepted.
    pub risk: Option<Estimate>,
    /// Images that go to a person because they are unlike digits: beyond the limits on energy, distance
    /// or ink.
    pub out_of_distribution: u64,
    /// Images that go to a person because no confidence of this network is to be relied on.
    pub unreliable: u64,
    /// Images that go to a person because the confidence is low.
    pub low_confidence: u64,
    /// Images whose confidence reaches the threshold, whatever the limits say.
    pub accepted_by_confidence_alone: u64,
    /// Wrong ones among those; all of them where the images show no digit.
    pub errors_by_confidence_alone: u64,
    /// Mean confidence.
    pub mean_confidence: f64,
    /// Least, median and greatest energy of the logits, in nats.
    pub energy: [f64; 3],
    /// The first of the images, `[28, 28]`.
    #[serde(skip)]
    pub example: [u8; PIXELS],
}

impl Stress {
    /// Runs all corruptions on the first `limit` of `images`, and draws as many images of each kind
    /// that shows no digit. The same `seed` gives the same images.
    ///
    /// # Errors
    /// If `limit` is 0.
    pub fn new(
        classifier: &Classifier,
        images: &LabelledImages,
        limit: usize,
        seed: u64,
    ) -> Result<Self, Error> {
        let count = images.len().min(limit);
        let mut rows = Vec::new();
        for corruption in Corruption::ALL {
            let corrupted: Vec<_> = (0..count)
                .map(|index| corruption.apply(images.image(index), seed, index))
                .collect();
            rows.push(row(
                classifier,
                corruption.name(),
                &corrupted,
                Some(&images.labels()[..count]),
            )?);
        }
        for kind in NonDigit::ALL {
            let drawn: Vec<_> = (0..limit).map(|index| kind.image(seed, index)).collect();
            rows.push(row(classifier, kind.name(), &drawn, None)?);
        }
        Ok(Stress { seed, rows })
    }

    /// Adds a row for images that show something else than digits, such as letters.
    ///
    /// # Errors
    /// If there are no images.
    pub fn add(
        &mut self,
        classifier: &Classifier,
        name: &str,
        images: &[[u8; PIXELS]],
    ) -> Result<(), Error> {
        self.rows.push(row(classifier, name, images, None)?);
        Ok(())
    }
}

fn row(
    classifier: &Classifier,
    name: &str,
    images: &[[u8; PIXELS]],
    labels: Option<&[u8]>,
) -> Result<StressRow, Error> {
    let example = *images.first().ok_or(Error::Empty)?;
    let threshold = classifier.calibration().deferral.threshold;
    let (mut right, mut accepted, mut errors) = (0, 0, 0);
    let (mut out_of_distribution, mut low_confidence, mut unreliable) = (0, 0, 0);
    let (mut confident, mut confident_errors) = (0, 0);
    let mut confidences = 0.0;
    let answers = classifier.classify_all(images);
    for (index, answer) in answers.iter().enumerate() {
        let correct = labels.is_some_and(|labels| labels[index] == answer.digit);
        right += u64::from(correct);
        if answer.confidence >= threshold {
            confident += 1;
            confident_errors += u64::from(!correct);
        }
        confidences += answer.confidence;
        match answer.decision {
            Decision::Accept => {
                accepted += 1;
                errors += u64::from(!correct);
            }
            Decision::Review { reason, .. } => match reason {
                ReviewReason::OutOfDistribution => out_of_distribution += 1,
                ReviewReason::Unreliable => unreliable += 1,
                ReviewReason::LowConfidence => low_confidence += 1,
            },
        }
    }
    let mut energies: Vec<f64> = answers.iter().map(|answer| answer.energy).collect();
    energies.sort_by(f64::total_cmp);
    let n = images.len() as u64;
    Ok(StressRow {
        name: name.to_owned(),
        images: n,
        accuracy: labels
            .map(|_| interval::wilson(right, n, 0.95))
            .transpose()?,
        accepted,
        errors,
        deferral_rate: (n - accepted) as f64 / n as f64,
        risk: (accepted > 0)
            .then(|| interval::clopper_pearson(errors, accepted, 0.95))
            .transpose()?,
        out_of_distribution,
        low_confidence,
        unreliable,
        accepted_by_confidence_alone: confident,
        errors_by_confidence_alone: confident_errors,
        mean_confidence: confidences / n as f64,
        energy: [
            energies[0],
            energies[energies.len() / 2],
            energies[energies.len() - 1],
        ],
        example,
    })
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
                .map_or("no digit".into(), |a| format!("{:.2} %", 100.0 * a.value));
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
