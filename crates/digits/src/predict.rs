//! `digits predict`: classifies pictures.

use std::{
    io::{IsTerminal, Read, Write, stderr, stdin, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use clap::{ArgGroup, Args};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::{Classifier, PictureInput};
use pictures::{Budget, FrameError};

use crate::{
    BackendArg,
    answer::{Answer, Finding, Input},
    files, ordered,
    review::{Folder, Names},
    show, table,
};

/// What stands for standard input among the files.
const STDIN: &str = "-";

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
    backend: BackendArg,
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
        let classifier = Classifier::load(&self.checkpoint, &self.backend.device()?)?;
        let names = Names::of(classifier.classes());
        let review = self
            .review_dir
            .as_deref()
            .map(|folder| Folder::of_pictures(folder, names))
            .transpose()?;
        let mut run = Run {
            options: self,
            threshold: self.threshold,
            classifier,
            review,
            failed: false,
            bar: ProgressBar::hidden(),
        };
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
        if self.files.iter().any(|file| file == Path::new(STDIN)) {
            run.standard_input()?;
        } else {
            run.files(threads)?;
        }
        if let Some(review) = run.review {
            let line = review.finish();
            if !self.quiet {
                errln!("{line}");
            }
        }
        Ok(match run.failed {
            true => ExitCode::FAILURE,
            false => ExitCode::SUCCESS,
        })
    }
}

/// The pictures of one call.
struct Run<'a> {
    options: &'a Predict,
    classifier: Classifier,
    threshold: Option<f64>,
    review: Option<Folder>,
    failed: bool,
    bar: ProgressBar,
}

impl Run<'_> {
    fn standard_input(&mut self) -> anyhow::Result<()> {
        if self.options.files.len() > 1 {
            bail!("- is one picture from standard input: name no other files beside it");
        }
        if stdin().is_terminal() {
            bail!("- reads a picture from standard input: pipe one into it");
        }
        let mut bytes = Vec::new();
        let read = stdin()
            .take(pictures::MAX_BYTES + 1)
            .read_to_end(&mut bytes);
        let name = "standard input";
        let input = match read {
            Ok(_) => self.input_of(&bytes, name),
            Err(source) => Err(FrameError::Io {
                file: name.into(),
                source,
            }),
        };
        self.hand_on(&[PathBuf::from(STDIN)], vec![input], Some(&bytes))
    }

    /// What there is to classify in the bytes of a picture.
    fn input_of(&self, bytes: &[u8], name: &str) -> Result<Input, FrameError> {
        match self.classifier.manifest().picture {
            PictureInput::Framed => pictures::decode(bytes, name).map(Input::from),
            PictureInput::Whole => {
                let whole = pictures::decode_whole(bytes, name, self.sides())?;
                Ok(Input::Image(whole, None))
            }
        }
    }

    /// Channels, height and width of what the network takes.
    fn sides(&self) -> [usize; 3] {
        let shape = self.classifier.shape();
        [shape.channels, shape.height, shape.width]
    }

    fn files(&mut self, threads: usize) -> anyhow::Result<()> {
        let excluded = self.options.review_dir.as_deref();
        let files = files::expand(&self.options.files, self.options.recursive, excluded);
        for problem in &files.problems {
            errln!("error: {problem}");
        }
        self.failed |= !files.problems.is_empty();
        if !self.options.quiet {
            for note in &files.notes {
                errln!("{note}");
            }
        }
        let pictures = files.pictures;
        self.bar = bar(pictures.len(), self.options.quiet);
        let budget = Budget::new();
        let (picture, sides) = (self.classifier.manifest().picture, self.sides());
        // The first bar, before the first picture is done.
        self.bar.tick();
        let outcome = ordered::each(
            &pictures,
            threads,
            |path| match picture {
                PictureInput::Framed => pictures::read_within(path, &budget).map(Input::from),
                PictureInput::Whole => {
                    let whole = pictures::read_whole(path, sides, &budget)?;
                    Ok(Input::Image(whole, None))
                }
            },
            |first, inputs| {
                let paths = &pictures[first..first + inputs.len()];
                self.hand_on(paths, inputs, None)
            },
        );
        self.bar.finish_and_clear();
        outcome
    }

    /// Classifies some pictures together, and prints the answers.
    fn hand_on(
        &mut self,
        paths: &[PathBuf],
        inputs: Vec<Result<Input, FrameError>>,
        bytes: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let images: Vec<&[u8]> = inputs
            .iter()
            .filter_map(|input| match input {
                Ok(Input::Image(pixels, _)) => Some(&pixels[..]),
                _ => None,
            })
            .collect();
        let images = images.concat();
        let classified = match self.threshold {
            Some(threshold) => self.classifier.classify_all_at(&images, threshold)?,
            None => self.classifier.classify_all(&images)?,
        };
        let mut classified = classified.into_iter();
        let bar = self.bar.clone();
        // Lines push the bar down.
        bar.suspend(|| {
            for (path, input) in paths.iter().zip(inputs) {
                let answer = Answer::new(path, input, &mut classified);
                self.print(&answer)?;
                if let Finding::Unreadable(error) = &answer.finding {
                    self.failed = true;
                    errln!("error: {error}");
                } else if !answer.accepted() {
                    self.send_to_review(&answer, bytes);
                }
            }
            Ok::<_, anyhow::Error>(stdout().flush()?)
        })?;
        bar.inc(paths.len() as u64);
        Ok(())
    }

    /// The answers are worth printing even if the folder can't be written any more.
    fn send_to_review(&mut self, answer: &Answer, bytes: Option<&[u8]>) {
        let Some(folder) = &mut self.review else {
            return;
        };
        if let Err(error) = folder.copy(answer, bytes, self.classifier.classes()) {
            errln!(
                "error: {}; no more pictures are copied for review",
                crate::one_line(&error)
            );
            self.failed = true;
            self.review = None;
        }
    }

    fn print(&self, answer: &Answer) -> anyhow::Result<()> {
        let Predict {
            json, csv, show, ..
        } = *self.options;
        if json {
            writeln!(stdout(), "{}", answer.json(self.classifier.classes()))?;
        } else if csv {
            write!(
                stdout(),
                "{}",
                table::line(&answer.row(self.classifier.classes()), b',')?
            )?;
        } else if !matches!(answer.finding, Finding::Unreadable(_)) {
            writeln!(stdout(), "{}", answer.line(self.classifier.classes()))?;
        }
        if let (true, Some(pixels)) = (show, answer.pixels()) {
            if json || csv {
                let picture =
                    show::picture(self.classifier.shape(), pixels, stderr().is_terminal());
                write!(stderr(), "{picture}")?;
            } else {
                let picture =
                    show::picture(self.classifier.shape(), pixels, stdout().is_terminal());
                write!(stdout(), "{picture}")?;
            }
        }
        Ok(())
    }
}

/// A bar on standard error, if that is a terminal and there is something to wait for.
fn bar(pictures: usize, quiet: bool) -> ProgressBar {
    if quiet || pictures < 2 || !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let target = ProgressDrawTarget::stderr_with_hz(10);
    let bar = ProgressBar::with_draw_target(Some(pictures as u64), target);
    let template = "[{bar:24}] {pos}/{len} pictures  {per_sec}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a threshold is a number from 0 to 1".into()),
    }
}
