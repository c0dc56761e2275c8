//! The result of a run, as it stands in `summary.json`.

use evaluation::Estimate;
use model::Precision;
use report::Examination;
use serde::Serialize;

use crate::{
    member::Member,
    outcome::{Outcome, Stop},
};

/// Why training ended that came to its last epoch.
pub const FINISHED: &str = "finished";

/// What a run achieved. Shares are fractions, times are seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The examination on images that the network has never seen.
    pub test: Examination,
    /// The split that epochs are chosen on.
    pub validation: ValidationResult,
    /// The images of `data.also` that judge, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeResult>,
    /// The training itself, as far as `metrics.jsonl` says.
    pub train: Option<TrainResult>,
    /// The whole process, from its start or latest resumption.
    pub seconds: f64,
    /// Each network by itself.
    pub members: Vec<MemberResult>,
    /// Finished epochs, of all members together.
    pub epochs: usize,
    /// Why training ended: `finished`, `plateau` or `time budget`; of several members that of the first
    /// that ended before its last epoch.
    pub stopped: &'static str,
    /// The seed of all randomness.
    pub seed: u64,
    /// The backend that computed.
    pub backend: String,
    /// Where the devices are lent that computed the steps, if it wasn't this machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// What it computed the products of training in.
    pub precision: Precision,
    /// Learned parameters, of all members together.
    pub parameters: usize,
    /// The names of the classes, in the order of their indices.
    pub classes: Vec<String>,
}

/// A network by itself.
#[derive(Clone, Debug, Serialize)]
pub struct MemberResult {
    /// The seed of its randomness.
    pub seed: u64,
    /// Finished epochs.
    pub epochs: usize,
    /// Why its training ended.
    pub stopped: &'static str,
    /// Its chosen epoch.
    pub validation: ValidationResult,
}

impl MemberResult {
    /// What a member achieved whose best epoch is `epoch`, from 1.
    pub(crate) fn new(member: &Member, outcome: &Outcome, epoch: usize) -> Self {
        let record = outcome.state.history[epoch - 1];
        MemberResult {
            seed: member.config.seed,
            epochs: outcome.state.epoch,
            stopped: match outcome.stop {
                Stop::Plateau => "plateau",
                Stop::TimeBudget => "time budget",
                Stop::Finished | Stop::Interrupted => FINISHED,
            },
            validation: ValidationResult {
                accuracy: record.validation_accuracy,
                loss: record.validation_loss,
                epoch: Some(epoch),
            },
        }
    }
}

/// What was achieved on the split that epochs are chosen on.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ValidationResult {
    /// Share of right images.
    pub accuracy: f64,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// The epoch whose weights were kept, from 1; of several members each has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<usize>,
}

/// What was achieved on images that are in none of the sets that are learned from or chosen on.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct JudgeResult {
    /// Images.
    pub images: usize,
    /// Share of right images, with Wilson's 95 % interval.
    pub accuracy: Estimate,
    /// Whether the calibration was fitted on them.
    pub calibrated_on: bool,
}

/// The cost of training: of all epochs, also of those before the run was resumed.
#[derive(Clone, Debug, Serialize)]
pub struct TrainResult {
    /// Images per second of training steps, loader included, validation not.
    pub images_per_second: f64,
    /// Seconds of training steps.
    pub seconds: f64,
}
