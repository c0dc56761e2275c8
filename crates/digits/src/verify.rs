//! `digits verify`: whether every byte of a checkpoint is as it was written, and by whom.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use exchange::signature::{self, PublicKey};
use model::{
    CheckpointError, Classifier, Device,
    checkpoint::{Checkpoint, MANIFEST, SIGNATURE, SUMS},
};
use runs::Layout;
use serde_json::json;

use crate::BackendArg;

#[derive(Args)]
#[command(after_help = "Examples:
  digits verify artifacts/latest/model
  digits verify --signed-by key.pub model

With --signed-by a checkpoint has to be as the owner of that key signed it, too, by `digits sign` or `model_signing sign
key`: a file that was changed, added or removed since then is named.

With --json each object has checkpoint's path, whole, problem (null where there is none), signed_by (the key, where
asked for and right) and calibrated_on (where `digits calibrate` made it: source, part, images, data).

Exit code 0 if every checkpoint is whole, and signed where that is asked for, 1 otherwise.")]
pub struct Verify {
    /// Checkpoint folder, or a run folder, whose checkpoints are all checked
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The public key, in PEM, of who has to have signed it
    #[arg(long, value_name = "FILE")]
    signed_by: Option<PathBuf>,
    /// Where the signature is [default: model.sig in the checkpoint's folder]
    #[arg(long, value_name = "FILE", requires = "signed_by")]
    signature: Option<PathBuf>,
    /// Print one JSON object per checkpoint
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendArg,
}

impl Verify {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let device = self.backend.device()?;
        let key = self.signed_by.as_deref().map(PublicKey::read).transpose()?;
        let mut whole = true;
        let asked = self.paths.iter();
        for (asked, path) in
            asked.flat_map(|asked| checkpoints(asked).map(move |path| (asked, path)))
        {
            let checked = check(&path, &device);
            // A run that is going on removes epochs that it no longer needs, also after they were
            // listed here.
            if matches!(checked, Err(CheckpointError::Missing { .. }))
                && path != *asked
                && Layout::around(&path).any(|run| path.starts_with(run.checkpoints()))
                && path.symlink_metadata().is_err()
            {
                continue;
            }
            let checked = checked.map_err(|error| error.to_string());
            let checked =
                checked.and_then(|checkpoint| self.check_signed(checkpoint, key.as_ref()));
            whole &= checked.is_ok();
            self.tell(&path, checked)?;
        }
        Ok(if whole {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Whether the checkpoint is as it was signed, where that is asked for.
    fn check_signed(
        &self,
        checkpoint: Checkpoint,
        key: Option<&PublicKey>,
    ) -> Result<Checkpoint, String> {
        let Some(key) = key else {
            return Ok(checkpoint);
        };
        let inside = || checkpoint.path().join(SIGNATURE);
        let file = self.signature.clone().unwrap_or_else(inside);
        if !file.exists() {
            return Err(format!(
                "{}: no signature of {} is here; `digits sign` writes one, --signature says where it is",
                file.display(),
                checkpoint.path().display()
            ));
        }
        let verified = signature::verify(&checkpoint, &file, key);
        verified.map_err(|error| error.to_string())?;
        Ok(checkpoint)
    }

    fn tell(&self, path: &Path, checked: Result<Checkpoint, String>) -> anyhow::Result<()> {
        let signed_by = self.signed_by.as_ref().map(|key| key.display().to_string());
        match checked {
            Ok(_) if self.json => {
                let path = path.display().to_string();
                let json =
                    json!({ "path": path, "whole": true, "problem": null, "signed_by": signed_by });
                outln!("{json}");
            }
            Err(problem) if self.json => {
                let path = path.display().to_string();
                let json =
                    json!({ "path": path, "whole": false, "problem": problem, "signed_by": null });
                outln!("{json}");
            }
            Ok(checkpoint) => {
                let signed = signed_by.map(|key| format!(", signed by the owner of {key}"));
                let signed = signed.unwrap_or_default();
                let on = checkpoint.manifest().calibrated_on.as_ref();
                let calibrated = on.map(|on| format!(", calibrated on {on}"));
                let calibrated = calibrated.unwrap_or_default();
                outln!("{}: whole{signed}{calibrated}", path.display());
            }
            Err(problem) => outln!("{problem}"),
        }
        Ok(())
    }
}

fn check(path: &Path, device: &Device) -> Result<Checkpoint, CheckpointError> {
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
        _ => Ok(checkpoint),
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
