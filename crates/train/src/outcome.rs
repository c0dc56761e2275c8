//! How training ended, and with what.

use model::CheckpointError;
use thiserror::Error;

use crate::{
    journal::{Journal, TrainingState},
    run_dir::RunDirError,
};

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
    /// The loss is no longer a number.
    #[error(
        "the loss became {loss} at step {step} (epoch {epoch}, learning rate {rate:.3e}); the last \
         good checkpoint is kept; try a lower optimizer.learning_rate or a longer schedule.warmup"
    )]
    NotANumber {
        /// The loss.
        loss: f64,
        /// The optimizer step, from 1.
        step: usize,
        /// The epoch, from 1.
        epoch: usize,
        /// The learning rate of the step before.
        rate: f64,
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
    /// Why the loop ended.
    pub stop: Stop,
    /// What went wrong, if anything did.
    pub error: Option<TrainingError>,
    /// Seconds spent in training steps, validation and checkpoints left out.
    pub train_seconds: f64,
    /// Images trained on in that time.
    pub train_images: usize,
}
