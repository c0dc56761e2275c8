//! `digits verify`: whether every byte of a checkpoint is as it was written.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use model::{
    CheckpointError, Classifier, Device,
    checkpoint::{Checkpoint, MANIFEST, SUMS},
};
use runs::Layout;
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
        let asked = self.paths.iter();
        for (asked, path) in
            asked.flat_map(|asked| checkpoints(asked).map(move |path| (asked, path)))
        {
            let problem = check(&path, &device).err();
            // A run that is going on removes epochs that it no longer needs, also after they were
            // listed here.
            if matches!(problem, Some(CheckpointError::Missing { .. }))
                && path != *asked
                && Layout::around(&path).any(|run| path.starts_with(run.checkpoints()))
                && path.symlink_metadata().is_err()
            {
                continue;
            }
            whole &= problem.is_none();
            if self.json {
                let problem = problem.map(|error| error.to_string());
                outln!(
                    "{}",
                    json!({ "path": path.display().to_string(), "whole": problem.is_none(), "problem": problem })
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

fn check(path: &Path, device: &Device) -> Result<(), CheckpointError> {
    let checkpoint = Checkpoint::open(path)?;
    Classifier::from_checkpoint(&checkpoint, device)?;
    let training = checkpoint.manifest().training.as_ref();
    let stated = training.and_then(|training| training["epoch"].as_u64());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let named = Layout::epoch(&name).map(|epoch| epoch as u64);
    match (stated, named) {
        (Some(stated), Some(named)) if stated != named => Err(CheckpointError::Invalid {
            path: path.join(MANIFEST),
            problem: format!("it is the checkpoint of epoch {stated}"),
        }),
        _ => Ok(()),
    }
}

/// The checkpoints of a run folder and of its members, or the path itself.
fn checkpoints(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let run = Layout::new(path);
    let members = run.members();
    let mut found: Vec<_> = members.iter().chain([&run]).flat_map(of_run).collect();
    if found.is_empty() || path.join(MANIFEST).exists() || path.join(SUMS).exists() {
        found = vec![path.to_owned()];
    }
    found.into_iter()
}

/// Those in a single run folder.
fn of_run(run: &Layout) -> Vec<PathBuf> {
    let folder = run.checkpoints();
    let mut found: Vec<_> = match std::fs::read_dir(&folder) {
        Ok(entries) => entries
            .flatten()
            .filter(|entry| Layout::epoch(&entry.file_name().to_string_lossy()).is_some())
            .map(|entry| entry.path())
            .collect(),
        // Opening it will say why.
        Err(error) if run.path().is_dir() && error.kind() != io::ErrorKind::NotFound => {
            vec![folder]
        }
        Err(_) => Vec::new(),
    };
    found.sort();
    let model = run.model();
    // A finished run has one, whatever has become of it.
    if model.symlink_metadata().is_ok() || run.summary().exists() {
        found.push(model);
    }
    found
}
