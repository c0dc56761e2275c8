//! `digits export`: a checkpoint as other programs have it.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use exchange::{onnx, write_folder};
use model::{Device, checkpoint::Checkpoint};
use serde_json::json;

use crate::BackendArg;

#[derive(Args)]
#[command(
    after_help = "Example: digits export artifacts/pretrained --to exported --format onnx

onnx is one file, model.onnx: raw bytes in, and out come logits, calibrated probabilities, class, accepted and
reason (0 accepted, 1 out_of_distribution, 2 unreliable, 3 low_confidence), as `digits predict` says them. It
runs in onnxruntime, OpenVINO and whatever else reads ONNX.

The folder appears as a whole or not at all, with SHA256SUMS. What was written is read again and compared with
the checkpoint. With --json the result is an object: checkpoint, to, format, and files with the size of each."
)]
pub struct Export {
    /// Checkpoint folder
    checkpoint: PathBuf,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    format: Format,
    /// Replace an export that is there already
    #[arg(long)]
    force: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendArg,
}

/// What can be written.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One ONNX file that takes raw bytes and decides
    Onnx,
}

impl Format {
    /// The files of an export, checked.
    fn files(
        self,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        Ok(match self {
            Format::Onnx => vec![(onnx::FILE.to_owned(), onnx::export(checkpoint, device)?)],
        })
    }
}

impl Export {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let checkpoint = Checkpoint::open(&self.checkpoint)?;
        exchange::check_free(&self.to, self.force)?;
        let files = self.format.files(&checkpoint, &self.backend.device()?)?;
        let files: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(name, bytes)| (&name[..], &bytes[..]))
            .collect();
        write_folder(&self.to, &files, self.force)?;
        self.tell(&files)?;
        Ok(ExitCode::SUCCESS)
    }

    fn tell(&self, files: &[(&str, &[u8])]) -> anyhow::Result<()> {
        if self.json {
            let sizes: serde_json::Map<_, _> = files
                .iter()
                .map(|(name, bytes)| ((*name).to_owned(), bytes.len().into()))
                .collect();
            let format = self.format.to_possible_value();
            let json = json!({
                "checkpoint": shown(&self.checkpoint),
                "to": shown(&self.to),
                "format": format.as_ref().map(|format| format.get_name()),
                "files": sizes,
            });
            outln!("{}", serde_json::to_string_pretty(&json)?);
            return Ok(());
        }
        for (name, bytes) in files {
            outln!("{}  {} bytes", shown(&self.to.join(name)), bytes.len());
        }
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
