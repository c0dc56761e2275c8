//! How training ended, and with what.

use model::{CheckpointError, Output};
use thiserror::Error;

use crate::{journal::Journal, run_dir::RunDirError, state::TrainingState, watchers::Watchers};

/// Why training ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// All epochs are done.
    #[default]
    Finished,
    /// The validation accuracy has reached a plateau.
    Plateau,
    /// Another epoch would not fit into the time budget.
    TimeBudget,
    /// A signal or the dashboard asked for it.
    Interrupted,
}

/// Why training can't go on.
#[derive(Debug, Error)]
pub enum TrainingError {
    /// Loss or weights are no longer finite numbers.
    #[error(
        "{what} at step {step} (epoch {epoch}, learning rate {rate:.3e}); {kept}; try a lower \
         optimizer.learning_rate{warmup}",
        kept = match .epoch {
            1 => "there is no checkpoint yet".to_owned(),
            _ => format!("the checkpoint of epoch {} is kept", epoch - 1),
        },
        warmup = if *.warmup { " or a longer schedule.warmup" } else { "" },
    )]
    Diverged {
        /// What was seen, such as `the loss became NaN`.
        what: String,
        /// The optimizer step, from 1.
        step: usize,
        /// The epoch, from 1.
        epoch: usize,
        /// The learning rate of the last step that changed the weights.
        rate: f64,
        /// Whether the schedule has a warmup.
        warmup: bool,
    },
    /// A checkpoint can't be written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The run folder is no longer this run's.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// `metrics.jsonl` can't be written.
    #[error("{path}: can't write: {source}; check free space and permissions", path = .path.display())]
    Journal {
        /// The file.
        path: std::path::PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A device that another machine lends is gone.
    #[cfg(feature = "remote")]
    #[error(
        "{what}; the epochs that were finished are kept; go on with: {resume}, on other devices by --device or here without"
    )]
    Lender {
        /// Which, and why.
        what: String,
        /// The command that goes on with the run.
        resume: String,
    },
    /// Burn gave up.
    #[error("training failed: {0}")]
    Burn(String),
}

/// Where a run stands.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Finished epochs and what they achieved.
    pub state: TrainingState,
    /// `metrics.jsonl`.
    pub journal: Journal,
    /// Who follows it.
    pub watchers: Watchers,
    /// The best epoch of those that this process trained, and what its network makes of the validation
    /// images, each as it is.
    pub held_out: Option<(usize, Vec<Output>)>,
    /// Why the loop ended.
    pub stop: Stop,
    /// What went wrong, if anything did.
    pub error: Option<TrainingError>,
}
