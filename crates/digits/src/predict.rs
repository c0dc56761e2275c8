//! `digits predict`: classifies image files.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use image::{ImageReader, imageops::FilterType};
use model::{Classification, Classifier, Decision, HEIGHT, PIXELS, WIDTH};
use serde_json::{Value, json};

use crate::BackendArg;

#[derive(Args)]
#[command(after_help = "Example: digits predict artifacts/pretrained three.png

With --json one object per line: file, digit, probabilities, confidence, accepted, or file and
error. Exit code 1 if a file could not be read.")]
pub struct Predict {
    /// Checkpoint folder
    checkpoint: PathBuf,
    /// Images of one digit each: 28×28 pixels in MNIST's manner, light on dark
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendArg,
}

impl Predict {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let classifier = Classifier::load(&self.checkpoint, &self.backend.device()?)?;
        let mut code = ExitCode::SUCCESS;
        for file in &self.files {
            match read(file) {
                Ok(image) => self.show(file, &classifier.classify(&image)),
                Err(error) => {
                    code = ExitCode::FAILURE;
                    eprintln!("error: {error:#}");
                }
            }
        }
        Ok(code)
    }

    fn show(&self, file: &Path, answer: &Classification) {
        let accepted = answer.decision == Decision::Accept;
        if self.json {
            let json: Value = json!({
                "file": file,
                "digit": answer.digit,
                "confidence": answer.confidence,
                "probabilities": answer.probabilities,
                "accepted": accepted,
            });
            println!("{json}");
            return;
        }
        let mut order: Vec<_> = (0..answer.probabilities.len()).collect();
        order.sort_by(|&a, &b| answer.probabilities[b].total_cmp(&answer.probabilities[a]));
        let percent = |class: usize| format!("{class} {:.1} %", 100.0 * answer.probabilities[class]);
        println!(
            "{}: {}  (then {}, {}){}",
            file.display(),
            percent(order[0]),
            percent(order[1]),
            percent(order[2]),
            if accepted { "" } else { "  → review" },
        );
    }
}

/// Reads an image as 28×28 bytes, light ink on dark ground.
fn read(file: &Path) -> anyhow::Result<[u8; PIXELS]> {
    let image = ImageReader::open(file)
        .and_then(ImageReader::with_guessed_format)
        .with_context(|| format!("{}: can't read", file.display()))?
        .decode()
        .with_context(|| format!("{}: not an image that can be read; save it as PNG", file.display()))?
        .to_luma8();
    let image = image::imageops::resize(&image, WIDTH as u32, HEIGHT as u32, FilterType::Triangle);
    let mut pixels = [0; PIXELS];
    pixels.copy_from_slice(image.as_raw());
    Ok(pixels)
}
