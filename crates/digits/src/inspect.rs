//! `digits inspect`: what is in a checkpoint, without loading weights.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use model::checkpoint::Checkpoint;
use serde_json::json;

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
            println!("{}", serde_json::to_string_pretty(&json)?);
            return Ok(ExitCode::SUCCESS);
        }
        println!("{}", manifest.architecture.summary());
        println!("format version  {}", manifest.version);
        println!(
            "normalization   (pixel/255 - {}) / {}",
            manifest.normalization.mean, manifest.normalization.std
        );
        println!("classes         {}", manifest.classes.join(" "));
        let provenance = &manifest.provenance;
        println!("trained on      {}", provenance.data.source);
        println!("  images        sha256 {}", provenance.data.train.images);
        println!("  labels        sha256 {}", provenance.data.train.labels);
        println!("seed            {}", provenance.seed);
        println!("backend         {}", provenance.backend);
        println!(
            "written by      version {} with Burn {}",
            provenance.versions.digits, provenance.versions.burn
        );
        for (name, value) in &manifest.metrics {
            println!("{name:<22}{value:.6}");
        }
        match &manifest.training {
            Some(state) => println!("training        can go on after epoch {}", state["epoch"]),
            None => println!("training        not included (no optimizer state)"),
        }
        for (name, size) in checkpoint.files() {
            println!("{name:<18}{size:>10} bytes");
        }
        Ok(ExitCode::SUCCESS)
    }
}
