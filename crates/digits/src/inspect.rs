//! `digits inspect`: what is in a checkpoint, without loading weights.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use model::{PictureInput, checkpoint::Checkpoint};
use serde_json::{Value, json};

#[derive(Args)]
#[command(after_help = "Example: digits inspect artifacts/pretrained")]
pub struct Inspect {
    /// Checkpoint folder
    checkpoint: PathBuf,
    /// Print checkpoint.json with the sizes of the files instead of text
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let checkpoint = Checkpoint::open(&self.checkpoint)?;
        let manifest = checkpoint.manifest();
        if self.json {
            let files: serde_json::Map<_, _> = checkpoint
                .files()
                .map(|(name, size)| (name.to_owned(), size.into()))
                .collect();
            let json = json!({ "manifest": manifest, "files": files });
            outln!("{}", serde_json::to_string_pretty(&json)?);
            return Ok(ExitCode::SUCCESS);
        }
        outln!("{}", manifest.summary());
        if (manifest.members, manifest.views.count()) != (1, 1) {
            outln!("members         {} such networks", manifest.members);
            outln!("views           {} of each image", manifest.views.count());
            outln!("in all          {} parameters", manifest.parameters());
            outln!(
                "                {} multiply-adds per image",
                manifest.multiply_adds()
            );
        }
        outln!("format version  {}", manifest.version);
        outln!("images          {}", manifest.input);
        outln!(
            "pictures        {}",
            match manifest.picture {
                PictureInput::Framed => "their one symbol is found and framed as MNIST's were",
                PictureInput::Whole => "are taken as a whole",
            }
        );
        let channels = manifest.normalization.mean.iter();
        for (mean, std) in channels.zip(&manifest.normalization.std) {
            outln!("normalization   (pixel/255 - {mean}) / {std}");
        }
        let classes = &manifest.classes;
        outln!("classes         {}: {}", classes.len(), classes.join(", "));
        let provenance = &manifest.provenance;
        outln!("trained on      {}", provenance.data.source);
        outln!("  images        sha256 {}", provenance.data.train.images);
        outln!("  labels        sha256 {}", provenance.data.train.labels);
        let stated = |pointer| provenance.config.pointer(pointer);
        for set in stated("/data/also")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |pointer| set.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
            let weight = set["weight"].as_f64().unwrap_or(1.0);
            outln!("and on          {}, weight {weight}", text("/dir"));
            outln!("  images        sha256 {}", text("/train/images"));
            outln!("  labels        sha256 {}", text("/train/labels"));
        }
        if let Some(start) = stated("/training/start_from").and_then(Value::as_str) {
            outln!("started from    {start}");
            let weights = stated("/training/start_weights").and_then(Value::as_array);
            for weights in weights.into_iter().flatten().filter_map(Value::as_str) {
                outln!("  weights       sha256 {weights}");
            }
        }
        outln!("seed            {}", provenance.seed);
        outln!("backend         {}", provenance.computed_on());
        outln!(
            "written by      version {} with Burn {}",
            provenance.versions.digits,
            provenance.versions.burn
        );
        for (name, value) in &manifest.metrics {
            outln!("{name:<22}{value:.6}");
        }
        if let Some(on) = &manifest.calibrated_on {
            outln!("calibrated on   {on}");
            outln!("  images        sha256 {}", on.data.images);
            outln!("  labels        sha256 {}", on.data.labels);
        }
        if manifest.calibration.is_none() {
            outln!(
                "accepted        not calibrated: nothing is accepted (digits calibrate changes that)"
            );
        }
        if let Some(calibration) = &manifest.calibration {
            let deferral = &calibration.deferral;
            outln!("temperature     {:.4}", calibration.temperature.value());
            match deferral.is_reliable() {
                true => outln!(
                    "accepted from   {:.4} confidence on, {}",
                    deferral.threshold,
                    deferral.promise()
                ),
                false => outln!("accepted        nothing; {}", deferral.promise()),
            }
            outln!("energy up to    {:.4} nats", calibration.energy.value);
            if let Some(distance) = &calibration.distance {
                let features = distance.whitening.len();
                outln!(
                    "distance up to  {:.4} in {features} features",
                    distance.value
                );
            }
            if let Some(fared) = &calibration.augmented {
                outln!("in other hands  {fared}");
            }
        }
        match &manifest.training {
            Some(state) => outln!("training        can go on after epoch {}", state["epoch"]),
            None => outln!("training        not included (no optimizer state)"),
        }
        for (name, size) in checkpoint.files() {
            outln!("{name:<18}{size:>10} bytes");
        }
        Ok(ExitCode::SUCCESS)
    }
}
