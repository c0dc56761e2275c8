//! How a run went: what it wrote into `metrics.jsonl`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Measurement {
    /// The epoch, from 1; 0 is before training.
    pub epoch: usize,
    /// The optimizer step, from 1, for values of one step.
    pub step: Option<usize>,
    /// `train` or `validation`.
    pub split: String,
    /// `loss` (nats per image), `accuracy` (fraction), `learning_rate` or `images_per_second`.
    pub name: String,
    /// The value.
    pub value: f64,
}

/// All measurements of a run in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    measurements: Vec<Measurement>,
}

impl History {
    /// Reads the text of a `metrics.jsonl`. Lines that are no finite measurement are left out: the
    /// last one may be cut short where a run is still going on.
    pub fn parse(jsonl: &str) -> Self {
        let measurements = jsonl
            .lines()
            .filter_map(|line| serde_json::from_str::<Measurement>(line).ok())
            .filter(|measurement| measurement.value.is_finite())
            .collect();
        History { measurements }
    }

    /// The number of the last epoch; 0 if there is none.
    pub fn epochs(&self) -> usize {
        self.measurements.iter().map(|m| m.epoch).max().unwrap_or(0)
    }

    /// A value of whole epochs: pairs of epoch and value.
    pub(crate) fn by_epoch(&self, split: &str, name: &str) -> Vec<(f64, f64)> {
        let whole = self.named(split, name).filter(|m| m.step.is_none());
        whole.map(|m| (m.epoch as f64, m.value)).collect()
    }

    /// A value of single steps: pairs of the epochs done by then, a fraction, and value. At most
    /// `most` pairs come back, each the mean over a stretch of equal length.
    pub(crate) fn by_step(&self, split: &str, name: &str, most: usize) -> Vec<(f64, f64)> {
        let steps: BTreeMap<usize, &Measurement> = self
            .named(split, name)
            .filter_map(|m| Some((m.step?, m)))
            .collect();
        let steps: Vec<_> = steps.into_iter().collect();
        let per_epoch = match steps.last() {
            Some((step, last)) if last.epoch > 0 => *step as f64 / last.epoch as f64,
            _ => return Vec::new(),
        };
        let stretch = steps.len().div_ceil(most.max(1));
        steps
            .chunks(stretch)
            .map(|chunk| {
                let count = chunk.len() as f64;
                let step = chunk.iter().map(|(step, _)| *step as f64).sum::<f64>() / count;
                let value = chunk.iter().map(|(_, m)| m.value).sum::<f64>() / count;
                (step / per_epoch, value)
            })
            .collect()
    }

    fn named<'a>(&'a self, split: &'a str, name: &'a str) -> impl Iterator<Item = &'a Measurement> {
        self.measurements
            .iter()
            .filter(move |m| m.split == split && m.name == name)
    }
}
