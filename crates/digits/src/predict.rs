//! `digits predict`: classifies pictures.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    path::PathBuf,
    process::ExitCode,
};

use clap::{ArgGroup, Args};
use model::{Classifier, PIXELS};
use pictures::Framing;
use rayon::prelude::*;

use crate::{
    BackendArg,
    answer::{Answer, Finding},
    csv, files,
    review::Folder,
    show,
};

/// Pictures that are read before they are classified together: enough to keep the cores busy, few
/// enough that the first answers come soon.
const CHUNK: usize = 64;

#[derive(Args)]
#[command(
    group = ArgGroup::new("format").args(["json", "csv"]),
    after_help = "Examples:
  digits predict artifacts/pretrained three.png
  digits predict artifacts/pretrained scans/ --csv --review-dir to-check

Pictures are PNG or JPEG of any size with one digit: dark on light or light on dark, drawn, scanned
or photographed. A folder stands for its PNG and JPEG files, in the order of their names.

With --json one object per line:
  file         the path
  digit        0 to 9; null if the picture shows no single digit
  confidence   calibrated probability of the digit, 0 to 1, or null
  probabilities  of the ten digits, or null
  runner_up    the second likeliest digit, or null
  accepted     whether the digit may be kept without a person
  reason       why not: low_confidence, out_of_distribution, no_digit or several_digits, or null
  region       left, top, width, height of the digit in pixels of the picture, or null
or, if the file can't be read, file and error. With --csv: file, digit, confidence, runner_up,
accepted, reason, under a header.

--review-dir copies the pictures that are not accepted into a folder, with review.csv: file, digit,
confidence, runner_up, reason, answer. A person writes the digit, or none, under answer; `digits
evaluate CHECKPOINT --review review.csv` counts the answers. Nothing in the folder is overwritten.

Exit code 1 if a file could not be read; the others are classified all the same."
)]
pub struct Predict {
    /// Checkpoint folder
    checkpoint: PathBuf,
    /// Pictures and folders of pictures
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Show what the network sees: on stderr with --json or --csv
    #[arg(long)]
    show: bool,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Print a table of comma-separated values
    #[arg(long)]
    csv: bool,
    /// Accept from this confidence on, instead of the checkpoint's threshold; nothing is guaranteed
    #[arg(long, value_name = "0..1", value_parser = share)]
    threshold: Option<f64>,
    /// Copy what is not accepted here, with review.csv for a person to fill in
    #[arg(long, value_name = "DIR")]
    review_dir: Option<PathBuf>,
    #[command(flatten)]
    backend: BackendArg,
}

impl Predict {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let classifier = Classifier::load(&self.checkpoint, &self.backend.device()?)?;
        let mut review = self.review_dir.as_deref().map(Folder::create).transpose()?;
        let (files, mut problems) = files::expand(&self.files);
        if self.csv {
            writeln!(stdout(), "file,digit,confidence,runner_up,accepted,reason")?;
        }
        for files in files.chunks(CHUNK) {
            for answer in self.answers(&classifier, files) {
                if let Finding::Unreadable(error) = &answer.finding {
                    problems.push(error.to_string());
                    errln!("error: {error}");
                } else if let Some(review) = review.as_mut().filter(|_| !answer.accepted()) {
                    review.copy(&answer)?;
                }
                self.print(&answer)?;
            }
        }
        if let Some(review) = review {
            errln!("{}", review.finish()?);
        }
        Ok(if problems.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Frames the pictures on all cores, then classifies those that show a digit together.
    fn answers(&self, classifier: &Classifier, files: &[PathBuf]) -> Vec<Answer> {
        let framings: Vec<_> = files.par_iter().map(pictures::read).collect();
        let digits: Vec<[u8; PIXELS]> = framings
            .iter()
            .filter_map(|framing| match framing {
                Ok(Framing::Digit(framed)) => Some(framed.pixels),
                _ => None,
            })
            .collect();
        let threshold = self
            .threshold
            .unwrap_or(classifier.calibration().deferral.threshold);
        let mut classified = classifier.classify_all_at(&digits, threshold).into_iter();
        files
            .iter()
            .zip(framings)
            .map(|(file, framing)| Answer::new(file, framing, &mut classified))
            .collect()
    }

    fn print(&self, answer: &Answer) -> anyhow::Result<()> {
        if self.json {
            writeln!(stdout(), "{}", answer.json())?;
        } else if matches!(answer.finding, Finding::Unreadable(_)) {
            return Ok(());
        } else if self.csv {
            writeln!(stdout(), "{}", csv::line(&answer.row()))?;
        } else {
            writeln!(stdout(), "{answer}")?;
        }
        if let (true, Some(pixels)) = (self.show, answer.pixels()) {
            if self.json || self.csv {
                write!(
                    stderr(),
                    "{}",
                    show::picture(pixels, stderr().is_terminal())
                )?;
            } else {
                write!(
                    stdout(),
                    "{}",
                    show::picture(pixels, stdout().is_terminal())
                )?;
            }
        }
        Ok(())
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a threshold is a number from 0 to 1".into()),
    }
}
