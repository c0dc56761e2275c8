//! `digits verify`: whether every byte of a checkpoint is as it was written.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use model::{Classifier, checkpoint::Checkpoint};
use serde_json::json;

use crate::BackendArg;

#[derive(Args)]
#[command(
    after_help = "Example: digits verify artifacts/latest/model\n\nExit code 0 if every checkpoint is whole, 1 otherwise."
)]
pub struct Verify {
    /// Checkpoint folder, or a run folder, whose checkpoints are all checked
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Print one JSON object per checkpoint: path, whole, problem
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendArg,
}

impl Verify {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let device = self.backend.device()?;
        let mut whole = true;
        for path in self.paths.iter().flat_map(|path| checkpoints(path)) {
            let problem = Checkpoint::open(&path)
                .and_then(|checkpoint| Classifier::from_checkpoint(&checkpoint, &device))
                .err();
            whole &= problem.is_none();
            if self.json {
                let problem = problem.map(|error| error.to_string());
                outln!(
                    "{}",
                    json!({ "path": path, "whole": problem.is_none(), "problem": problem })
                );
            } else if let Some(error) = problem {
                outln!("{error}");
            } else {
                outln!("{}: whole", path.display());
            }
        }
        Ok(if whole {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// The checkpoints of a run folder, or the path itself.
fn checkpoints(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path.join("checkpoints")) else {
        return vec![path.to_owned()];
    };
    let mut found: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("epoch-"))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    let model = path.join("model");
    if model.exists() {
        found.push(model);
    }
    if found.is_empty() {
        found.push(path.to_owned());
    }
    found
}
