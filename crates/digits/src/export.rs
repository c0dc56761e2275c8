//! `digits export`: a checkpoint as other programs have it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use exchange::{ExchangeError, hub, onnx, write_folder};
use model::{Classifier, Device, checkpoint::Checkpoint};
use serde_json::json;

use crate::BackendArg;

#[derive(Args)]
#[command(after_help = "Examples:
  digits export artifacts/pretrained --to exported --format onnx
  digits export artifacts/pretrained --to exported --format safetensors
  digits export artifacts/pretrained --to mnist-digits --format hub --license mit

onnx is one file, model.onnx: raw bytes in, and out come logits, calibrated probabilities, class, accepted and
reason (0 accepted, 1 out_of_distribution, 2 unreliable, 3 low_confidence), as `digits predict` says them. It
runs in onnxruntime, OpenVINO and whatever else reads ONNX.

safetensors is model.safetensors with PyTorch's names and layouts, network.py, which builds the network there and
loads it (load(\"model.safetensors\")(images): bytes in, logits of one view out, not calibrated), and config.json,
with which digits import takes weights back.

hub is a folder for the Hugging Face Hub: README.md, a model card with what was measured, the files of both
formats above, and the checkpoint in checkpoint/. Nothing is uploaded.

The folder appears as a whole or not at all, with SHA256SUMS. What was written is read again and compared with
the checkpoint, weights for PyTorch by what they answer, model.onnx node by node; a program that was built with
--features tract also runs model.onnx and compares its answers. With --json the result is an object: checkpoint,
to, format, files with the size of each, and checked, how each was compared.")]
pub struct Export {
    /// Checkpoint folder
    checkpoint: PathBuf,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    format: Format,
    /// The licence for the model card, as the Hub abbreviates it: mit, apache-2.0, …
    #[arg(long, value_name = "ID", default_value = "unknown")]
    license: String,
    /// The data set for the model card, as the Hub names it [default: ylecun/mnist, if that it was]
    #[arg(long, value_name = "ID")]
    dataset: Option<String>,
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
    /// The weights for PyTorch, and the network that takes them
    Safetensors,
    /// A folder for the Hugging Face Hub, with all of it
    Hub,
}

impl Export {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let checkpoint = Checkpoint::open(&self.checkpoint)?;
        exchange::check_free(&self.to, self.force)?;
        let files = self.files(&checkpoint, &self.backend.device()?)?;
        let files: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(name, bytes)| (&name[..], &bytes[..]))
            .collect();
        write_folder(&self.to, &files, self.force)?;
        self.tell(&files)?;
        Ok(ExitCode::SUCCESS)
    }

    /// The files of the export, checked.
    fn files(
        &self,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let onnx =
            || Ok::<_, ExchangeError>((onnx::FILE.to_owned(), onnx::export(checkpoint, device)?));
        let classifier = || Classifier::from_checkpoint(checkpoint, device);
        Ok(match self.format {
            Format::Onnx => vec![onnx()?],
            Format::Safetensors => hub::pytorch(checkpoint, classifier()?.networks())?,
            Format::Hub => {
                let name = self.to.file_name().unwrap_or_default().to_string_lossy();
                let card = hub::Card {
                    name: &name,
                    license: &self.license,
                    dataset: self.dataset.as_deref(),
                    onnx: true,
                };
                let mut files = hub::folder(checkpoint, classifier()?.networks(), &card)?;
                files.push(onnx()?);
                files
            }
        })
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
                "checked": self.checked(),
            });
            outln!("{}", serde_json::to_string_pretty(&json)?);
            return Ok(());
        }
        for (name, bytes) in files {
            outln!("{}  {} bytes", shown(&self.to.join(name)), bytes.len());
        }
        for (name, checked) in self.checked() {
            outln!("checked {name}: {checked}");
        }
        Ok(())
    }

    /// How the files were compared with the checkpoint before they were written, by name.
    fn checked(&self) -> BTreeMap<&'static str, String> {
        let images = exchange::CHECK_IMAGES;
        let weights = || {
            let how = format!("taken back, the same logits for {images} images");
            (exchange::MODEL_SAFETENSORS, how)
        };
        let onnx = || {
            let how = match cfg!(feature = "tract") {
                true => format!("run by tract, the same answers to {images} images"),
                false => "read again, the same nodes and tensors".to_owned(),
            };
            (onnx::FILE, how)
        };
        match self.format {
            Format::Onnx => BTreeMap::from([onnx()]),
            Format::Safetensors => BTreeMap::from([weights()]),
            Format::Hub => BTreeMap::from([weights(), onnx()]),
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
