//! What is in the folder of a run, seen from outside.

use std::{fs::File, io::Read as _, path::Path};

use anyhow::anyhow;
use report::sweep::{RunFailure, RunResult};
use runs::Layout;
use serde::{Deserialize, de::DeserializeOwned};

use super::{differences::differing, plan::Planned};
use crate::{Config, config::ConfigError};

/// No `summary.json` has more bytes.
const LIMIT: u64 = 1 << 26;

/// How far a run is.
pub(super) enum Found {
    /// There is no run.
    Nothing,
    /// It has no result yet.
    Begun,
    /// It has its result.
    Done(RunResult),
}

impl Planned {
    /// How far the run is.
    ///
    /// # Errors
    /// If what is in its folder is a run of another recipe, names the keys that differ.
    pub(super) fn look(&self) -> anyhow::Result<Found> {
        let file = self.layout.config();
        if !file.is_file() {
            return Ok(Found::Nothing);
        }
        let stored = Config::load(Some(&file), &[]).map_err(|error| match error {
            ConfigError::Value { .. } | ConfigError::Network(_) => {
                anyhow!("{}: {error}", file.display())
            }
            other => other.into(),
        })?;
        let keys = differing(&stored, &self.config)?;
        if !keys.is_empty() {
            return Err(anyhow!(
                "{}: this run has another recipe than the sweep asks for now, in {}; give the group another \
                 name, choose another folder with --folder, or take this run away",
                self.layout.path().display(),
                keys.join(", "),
            ));
        }
        Ok(match result(&self.layout) {
            Some(result) => Found::Done(result),
            None => Found::Begun,
        })
    }
}

/// Why the run failed the last time, where that is known.
pub(super) fn failure(file: &Path) -> Option<RunFailure> {
    read(file)
}

/// What a run achieved, if its `summary.json` is whole.
fn result(run: &Layout) -> Option<RunResult> {
    let Summary {
        test,
        validation,
        seconds,
        epochs,
        stopped,
        parameters,
    } = read(&run.summary())?;
    Some(RunResult {
        test_accuracy: test.accuracy,
        test_errors: test.errors,
        test_nll: test.evaluation.after.nll,
        validation_accuracy: validation.accuracy,
        validation_loss: validation.loss,
        seconds,
        epochs,
        stopped,
        parameters,
    })
}

/// The part of [`crate::summary::Summary`] that is compared; what is no number is null in JSON.
#[derive(Deserialize)]
struct Summary {
    test: Test,
    validation: Validation,
    seconds: f64,
    epochs: usize,
    stopped: String,
    parameters: usize,
}

#[derive(Deserialize)]
struct Test {
    accuracy: f64,
    errors: u64,
    evaluation: Evaluation,
}

#[derive(Deserialize)]
struct Evaluation {
    after: After,
}

#[derive(Deserialize)]
struct After {
    nll: Option<f64>,
}

#[derive(Deserialize)]
struct Validation {
    accuracy: Option<f64>,
    loss: Option<f64>,
}

/// A JSON file; none if it isn't there or isn't what it should be.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    if !path.is_file() {
        return None;
    }
    let mut json = Vec::new();
    File::open(path)
        .ok()?
        .take(LIMIT)
        .read_to_end(&mut json)
        .ok()?;
    serde_json::from_slice(&json).ok()
}
