//! The pictures of one call of `digits predict`.

use std::{
    io::{IsTerminal, Read, Write, stderr, stdin, stdout},
    path::{Path, PathBuf},
};

use answers::{Answer, Finding, Input};
use anyhow::bail;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::{Classifier, PictureInput};
use pictures::{Budget, FrameError};

use crate::{files, ordered, review::Folder, show, table};

/// What stands for standard input among the files.
const STDIN: &str = "-";

/// What was asked for.
pub struct Options<'a> {
    pub files: &'a [PathBuf],
    pub recursive: bool,
    pub review_dir: Option<&'a Path>,
    pub threshold: Option<f64>,
    pub show: bool,
    pub json: bool,
    pub csv: bool,
    pub quiet: bool,
}

/// The pictures of one call.
pub struct Run<'a> {
    options: Options<'a>,
    classifier: Classifier,
    review: Option<Folder>,
    failed: bool,
    bar: ProgressBar,
}

impl<'a> Run<'a> {
    pub fn new(options: Options<'a>, classifier: Classifier, review: Option<Folder>) -> Self {
        Run {
            options,
            classifier,
            review,
            failed: false,
            bar: ProgressBar::hidden(),
        }
    }

    /// Classifies all of them, with so many threads that read. Whether all could be read.
    pub fn run(mut self, threads: usize) -> anyhow::Result<bool> {
        if self
            .options
            .files
            .iter()
            .any(|file| file == Path::new(STDIN))
        {
            self.standard_input()?;
        } else {
            self.files(threads)?;
        }
        if let Some(review) = self.review {
            let line = review.finish();
            if !self.options.quiet {
                errln!("{line}");
            }
        }
        Ok(!self.failed)
    }

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
            Ok(_) => Input::read(&bytes, name, &self.classifier, &Budget::new()),
            Err(source) => Err(FrameError::Io {
                file: name.into(),
                source,
            }),
        };
        self.hand_on(&[PathBuf::from(STDIN)], vec![input], Some(&bytes))
    }

    /// Channels, height and width of what the network takes.
    fn sides(&self) -> [usize; 3] {
        let shape = self.classifier.shape();
        [shape.channels, shape.height, shape.width]
    }

    fn files(&mut self, threads: usize) -> anyhow::Result<()> {
        let excluded = self.options.review_dir;
        let files = files::expand(self.options.files, self.options.recursive, excluded);
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
        let classified = match self.options.threshold {
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
        let Options {
            json, csv, show, ..
        } = self.options;
        if json {
            writeln!(stdout(), "{}", answer.json(self.classifier.classes()))?;
        } else if csv {
            write!(
                stdout(),
                "{}",
                table::line(&table::row(answer, self.classifier.classes()), b',')?
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
