//! `digits stress`: what a checkpoint does with corrupted digits and with images of something else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;
use data::{PIXELS, idx};
use model::Classifier;
use report::{Examination, Page};
use serde_json::json;

use crate::{
    BackendArg,
    evaluate::{history, source},
};

#[derive(Args)]
#[command(
    after_help = "Example: digits stress artifacts/pretrained --report stress.html

Sixteen corruptions in the manner of MNIST-C are applied to test images; blank images, noise,
checkerboards and single strokes show no digit at all, and an accepted one is a mistake.

With --json the result is an object: checkpoint (path), seed, and rows with name, images, accuracy
(null where there is no digit), accepted, errors and risk among the accepted, deferral_rate,
out_of_distribution and low_confidence (why images go to a person), accepted_by_confidence_alone,
mean_confidence and energy (least, median, greatest; nats); shares are fractions."
)]
pub struct Stress {
    /// Checkpoint folder
    checkpoint: PathBuf,
    /// Folder with t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or .gz [default: MNIST]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Folder with a file of letters in MNIST's format, such as EMNIST's test images
    #[arg(long, value_name = "DIR")]
    letters: Option<PathBuf>,
    /// Folder with Fashion-MNIST's test images
    #[arg(long, value_name = "DIR")]
    fashion: Option<PathBuf>,
    /// Images of each kind
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Seed of the corruptions
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Write the whole report, with this test in it, as one HTML file
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    #[command(flatten)]
    backend: BackendArg,
}

impl Stress {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let classifier = Classifier::load(&self.checkpoint, &self.backend.device()?)?;
        let images = source(self.data_dir.as_deref()).test()?;
        let limit = self.limit as usize;
        let mut stress = report::Stress::new(&classifier, &images, limit, self.seed)?;
        for (name, dir) in [("letters", &self.letters), ("fashion items", &self.fashion)] {
            if let Some(dir) = dir {
                let others = test_images(dir)?;
                let count = others.len().min(limit);
                stress.add(&classifier, name, &others[..count])?;
            }
        }
        if let Some(file) = &self.report {
            let history = history(&self.checkpoint);
            let page = Page {
                classifier: &classifier,
                images: &images,
                examination: &Examination::new(&classifier, &images)?,
                history: history.as_ref(),
                stress: Some(&stress),
            };
            fs::write(file, page.html()?)
                .with_context(|| format!("{}: can't write", file.display()))?;
        }
        if self.json {
            let json =
                json!({ "checkpoint": self.checkpoint, "seed": stress.seed, "rows": stress.rows });
            outln!("{}", serde_json::to_string_pretty(&json)?);
        } else {
            out!("{stress}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The images of a folder's test file: `t10k-images-idx3-ubyte`, or a name that ends in
/// `test-images-idx3-ubyte`, plain or `.gz`. Labels are not needed.
fn test_images(dir: &Path) -> anyhow::Result<Vec<[u8; PIXELS]>> {
    let cannot_read = || format!("{}: can't read", dir.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(cannot_read)? {
        let path = entry.with_context(cannot_read)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        if plain == "t10k-images-idx3-ubyte" || plain.ends_with("test-images-idx3-ubyte") {
            files.push(path);
        }
    }
    files.sort();
    let Some(file) = files.first() else {
        bail!(
            "{}: no test images here; put t10k-images-idx3-ubyte or …-test-images-idx3-ubyte (plain or .gz) into it",
            dir.display()
        );
    };
    let bytes = fs::read(file).with_context(|| format!("{}: can't read", file.display()))?;
    let pixels = idx::read_images(&bytes, &file.display().to_string())?;
    Ok(pixels.as_chunks::<PIXELS>().0.to_vec())
}
