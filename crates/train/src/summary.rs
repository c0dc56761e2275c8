//! The result of a run, as it stands in `summary.json`.

use report::Examination;
use serde::Serialize;

/// What a run achieved. Shares are fractions, times are seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The examination on images that the network has never seen.
    pub test: Examination,
    /// The split that epochs are chosen on.
    pub validation: ValidationResult,
    /// The training itself, as far as `metrics.jsonl` says.
    pub train: Option<TrainResult>,
    /// The whole process, from its start or latest resumption.
    pub seconds: f64,
    /// Finished epochs.
    pub epochs: usize,
    /// Why training ended: `finished`, `plateau` or `time budget`.
    pub stopped: &'static str,
    /// The seed of all randomness.
    pub seed: u64,
    /// The backend that computed.
    pub backend: String,
    /// Learned parameters.
    pub parameters: usize,
    /// The names of the classes, in the order of their indices.
    pub classes: Vec<String>,
}

/// The chosen epoch.
#[derive(Clone, Debug, Serialize)]
pub struct ValidationResult {
    /// Share of right images.
    pub accuracy: f64,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// The epoch whose weights were kept, from 1.
    pub epoch: usize,
}

/// The cost of training: of all epochs, also of those before the run was resumed.
#[derive(Clone, Debug, Serialize)]
pub struct TrainResult {
    /// Images per second of training steps, loader included, validation not.
    pub images_per_second: f64,
    /// Seconds of training steps.
    pub seconds: f64,
}
