//! The state of a run, as every training checkpoint holds it.

use serde::{Deserialize, Serialize};

/// What one epoch achieved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// Mean training loss over the epoch, in nats.
    pub train_loss: f64,
    /// Share of right training images, each judged before its own step.
    pub train_accuracy: f64,
    /// Mean validation loss after the epoch; the training loss if nothing is held out.
    pub validation_loss: f64,
    /// Share of right validation images; of training images if nothing is held out.
    pub validation_accuracy: f64,
}

/// The state of a run beside weights, optimizer and schedule: all of it follows from the history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingState {
    /// Finished epochs.
    pub epoch: usize,
    /// Finished optimizer steps.
    pub step: usize,
    /// One record per finished epoch.
    pub history: Vec<EpochRecord>,
}

impl TrainingState {
    /// The best epoch, from 1: highest validation accuracy, then lowest loss, then the latest.
    pub fn best(&self) -> Option<usize> {
        let key = |r: &EpochRecord| (r.validation_accuracy, -r.validation_loss);
        (1..=self.history.len()).max_by(|&a, &b| {
            let (a, b) = (key(&self.history[a - 1]), key(&self.history[b - 1]));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        })
    }

    /// How many epochs in a row have passed since one that raised the validation accuracy by more than
    /// `min_gain` over the best before it.
    pub fn epochs_without_gain(&self, min_gain: f64) -> usize {
        let (mut best, mut since) = (f64::NEG_INFINITY, 0);
        for record in &self.history {
            if record.validation_accuracy > best + min_gain || best == f64::NEG_INFINITY {
                best = record.validation_accuracy;
                since = 0;
            } else {
                since += 1;
            }
        }
        since
    }
}
