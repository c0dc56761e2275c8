//! `digits predict`: classifies pictures.

mod run;

use std::{
    io::{Write, stdout},
    path::PathBuf,
    process::ExitCode,
};

use clap::{ArgGroup, Args};
use model::InferencePrecision;

use crate::{
    Computing,
    review::{Folder, Names},
    table,
};
use run::{Options, Run};

#[derive(Args)]
#[command(
    group = ArgGroup::new("format").args(["json", "csv"]),
    after_help = "Examples:
  digits predict artifacts/pretrained three.png
  digits predict artifacts/pretrained scans/ --recursive --csv > answers.csv
  digits predict artifacts/pretrained scans/ --csv --review-dir to-check > answers.csv
  scanimage --format=png | digits predict artifacts/pretrained -

Pictures are PNG, JPEG, WebP or BMP of any size. Those for digits, or other symbols in MNIST's frame, show
one: dark on light or light on dark, drawn, scanned or photographed; it is found. Of other pictures the whole
is what counts: digits inspect says which. What a file is follows from its content. A folder stands for its pictures, in
the order of their names; other files in it are named on stderr. - is one picture from standard input.
All of it takes at most 512 MB of memory, on however many cores.

With --json one object per line:
  file         the path as given; bytes that are no UTF-8 as \\xE4
  digit        index of the class, for digits the digit; null if there is nothing to classify
  class        its name, or null
  confidence   calibrated probability of the class, 0 to 1, or null
  probabilities  of all classes, or null
  runner_up, runner_up_class  the second likeliest class, or null
  accepted     whether the class may be kept without a person
  reason       why not, or null: low_confidence, out_of_distribution, unreliable (nothing that this
               network says may be accepted, see digits inspect), mark (around, under or through
               the digit), no_digit, several_digits, or orientation_unclear (programs disagree on
               how this file is to be turned)
  region       left, top, width, height of the digit in pixels of the picture, or null
or, if the file can't be read, file and error. With --csv: file, digit (class, where classes are others
than the ten digits), confidence, runner_up, accepted, reason, under a header; classes by name; the reason for a file that can't be read is unreadable. A path that
a spreadsheet would take for a formula has a ' before it.

--review-dir copies the pictures that are not accepted into a folder, with review.csv: file, source
(the path as given), digit (or class), confidence, runner_up, reason, answer. A person writes the class,
or none, under answer. Further pictures can go to the same folder: nothing in it is overwritten, and a picture
that is there already is not added again. `digits join answers.csv to-check/review.csv` then makes one
table of all answers.

Exit code 1 if a file could not be read; the others are classified all the same."
)]
pub struct Predict {
    /// Checkpoint folder
    checkpoint: PathBuf,
    /// Pictures and folders of pictures; - for one picture from standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Look into the folders in folders, too
    #[arg(long, short)]
    recursive: bool,
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
    /// Print no progress and no notes, only results and errors
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    computing: Computing,
}

/// Threads that classify: the network takes some MB on each of them, and with a few it is many times as
/// fast as pictures are read.
const CLASSIFYING: usize = 8;

impl Predict {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let threads = rayon::current_num_threads();
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.min(CLASSIFYING))
            .build()?
            .install(|| self.run_with(threads))
    }

    /// On a thread of the pool that classifies, with so many threads that read pictures.
    fn run_with(&self, threads: usize) -> anyhow::Result<ExitCode> {
        let classifier = self.computing.classifier(&self.checkpoint)?;
        if classifier.manifest().calibration.is_none() && !self.quiet {
            errln!(
                "note: this checkpoint is not calibrated: no answer is accepted (digits calibrate changes that)"
            );
        }
        if classifier.precision() != InferencePrecision::F32 && !self.quiet {
            errln!(
                "note: computed in {}, calibrated in f32",
                classifier.precision()
            );
        }
        let names = Names::of(classifier.classes());
        let review = self
            .review_dir
            .as_deref()
            .map(|folder| Folder::of_pictures(folder, names))
            .transpose()?;
        if self.csv {
            let header = [
                "file",
                names.column(),
                "confidence",
                "runner_up",
                "accepted",
                "reason",
            ];
            write!(stdout(), "{}", table::line(&header, b',')?)?;
        }
        let options = Options {
            files: &self.files,
            recursive: self.recursive,
            review_dir: self.review_dir.as_deref(),
            threshold: self.threshold,
            show: self.show,
            json: self.json,
            csv: self.csv,
            quiet: self.quiet,
        };
        Ok(match Run::new(options, classifier, review).run(threads)? {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a threshold is a number from 0 to 1".into()),
    }
}
