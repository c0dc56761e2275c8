//! A folder of digits for a person to decide, and the answers that come back.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use data::{HEIGHT, LabelledImages, PIXELS, WIDTH};
use evaluation::review::{ReviewReport, Verdict, merge_review};
use image::{GrayImage, ImageFormat};
use model::{Classification, Decision};
use serde::Serialize;

use crate::{
    answer::{self, Answer},
    csv,
};

const TABLE: &str = "review.csv";
const HEADER: [&str; 6] = [
    "file",
    "digit",
    "confidence",
    "runner_up",
    "reason",
    "answer",
];
/// What a picture of the test set is called, with its index, from 0.
const TEST: &str = "test-";

/// The folder: pictures, and `review.csv` with a row for each. Nothing in it is ever overwritten.
pub struct Folder {
    path: PathBuf,
    table: File,
    count: usize,
}

impl Folder {
    /// Starts one; the folder may hold other things, but no `review.csv`.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(path)
            .with_context(|| format!("{}: can't make the folder", path.display()))?;
        let table = path.join(TABLE);
        let mut file = match File::create_new(&table) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(
                "{}: is there already and may hold answers; name another folder with --review-dir",
                table.display()
            ),
            result => result.with_context(|| format!("{}: can't write", table.display()))?,
        };
        writeln!(file, "{}", csv::line(&HEADER))?;
        Ok(Folder {
            path: path.to_owned(),
            table: file,
            count: 0,
        })
    }

    /// Copies a picture that wasn't accepted, under its own name or, if that is taken, with a number.
    pub fn copy(&mut self, answer: &Answer) -> anyhow::Result<()> {
        let (name, mut file) = self.new_file(&answer.file)?;
        let mut source = File::open(&answer.file)
            .with_context(|| format!("{}: can't read", answer.file.display()))?;
        io::copy(&mut source, &mut file)
            .with_context(|| format!("{name}: can't copy to {}", self.path.display()))?;
        let [_, digit, confidence, runner_up, _, reason] = answer.row();
        self.row(&name, [digit, confidence, runner_up], &reason)
    }

    /// Writes the test images that a classifier doesn't accept.
    pub fn write_test(
        &mut self,
        images: &LabelledImages,
        classes: &[Classification],
    ) -> anyhow::Result<()> {
        for (index, class) in classes.iter().enumerate() {
            let Some(reason) = answer::reason(class) else {
                continue;
            };
            let name = test_name(index);
            let path = self.path.join(&name);
            let image =
                GrayImage::from_raw(WIDTH as u32, HEIGHT as u32, images.image(index).to_vec());
            File::create_new(&path)
                .map_err(anyhow::Error::from)
                .and_then(|mut file| {
                    Ok(image
                        .unwrap_or_default()
                        .write_to(&mut file, ImageFormat::Png)?)
                })
                .with_context(|| format!("{}: can't write", path.display()))?;
            self.row(&name, answer::guess(class), reason)?;
        }
        Ok(())
    }

    /// What to tell the user.
    pub fn finish(mut self) -> anyhow::Result<String> {
        self.table.flush()?;
        let table = self.path.join(TABLE);
        Ok(format!(
            "{} to review: fill in the column answer of {}",
            self.count,
            table.display()
        ))
    }

    fn row(
        &mut self,
        name: &str,
        [digit, confidence, runner_up]: [String; 3],
        reason: &str,
    ) -> anyhow::Result<()> {
        self.count += 1;
        let row = [name, &digit, &confidence, &runner_up, reason, ""];
        writeln!(self.table, "{}", csv::line(&row)).with_context(|| format!("{TABLE}: can't write"))
    }

    fn new_file(&self, original: &Path) -> anyhow::Result<(String, File)> {
        let part = |part: Option<&OsStr>| {
            part.map(|part| part.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let (stem, extension) = (part(original.file_stem()), part(original.extension()));
        let dot = if extension.is_empty() { "" } else { "." };
        for number in 1.. {
            let suffix = if number == 1 {
                String::new()
            } else {
                format!("-{number}")
            };
            let name = format!("{stem}{suffix}{dot}{extension}");
            match File::create_new(self.path.join(&name)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    let file = result.with_context(|| {
                        format!("{}: can't write", self.path.join(&name).display())
                    })?;
                    return Ok((name, file));
                }
            }
        }
        bail!(
            "{}: no free name in {}",
            original.display(),
            self.path.display()
        )
    }
}

fn test_name(index: usize) -> String {
    format!("{TEST}{index:05}.png")
}

/// A person's answer to a picture.
#[derive(Clone, Copy, PartialEq)]
enum Reply {
    Digit(u8),
    /// It shows no digit, or several.
    None,
}

struct Row {
    file: String,
    machine: Option<u8>,
    reply: Option<Reply>,
}

/// A filled-in `review.csv`.
pub struct Review {
    path: PathBuf,
    rows: Vec<Row>,
}

/// What the answers say.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// For the test set, whose labels are known: machine and person together.
    Test(ReviewReport),
    /// For pictures of one's own: how often the person agreed with the machine's guess.
    Pictures {
        /// Pictures in the table.
        deferred: usize,
        /// Those with an answer.
        answered: usize,
        /// Those to which the answer is a digit, and the one that the machine guessed.
        agreed: usize,
        /// Those that show no single digit, by the answer.
        no_digit: usize,
        /// Those without an answer.
        pending: usize,
    },
}

impl Review {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("{}: can't read", path.display()))?;
        let mut table = csv::parse(&text).into_iter();
        let header = table.next().unwrap_or_default();
        let column = |name: &str| {
            header
                .iter()
                .position(|field| field.trim().eq_ignore_ascii_case(name))
                .with_context(|| {
                    format!(
                        "{}: no column {name}; give the {TABLE} that --review-dir wrote, as CSV",
                        path.display()
                    )
                })
        };
        let (file, digit, answer) = (column("file")?, column("digit")?, column("answer")?);
        let rows = table.enumerate().map(|(index, row)| {
            let field = |column: usize| row.get(column).map_or("", |field| field.trim());
            let reply = match field(answer) {
                "" => None,
                text if text.eq_ignore_ascii_case("none") => Some(Reply::None),
                text => Some(Reply::Digit(class(text).with_context(|| {
                    let file = field(file);
                    format!("{}: row {} ({file}) has the answer {text:?}; write a digit, none, or nothing", path.display(), index + 2)
                })?)),
            };
            Ok(Row { file: field(file).to_owned(), machine: class(field(digit)), reply })
        });
        Ok(Review {
            path: path.to_owned(),
            rows: rows.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Whether the pictures are from the test set.
    pub fn is_test(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| test_index(&row.file).is_some())
    }

    /// Takes the answers for test images into account. The table must be the one that the same
    /// checkpoint wrote: it holds exactly the images that were not accepted.
    pub fn merge_test(
        &self,
        images: &LabelledImages,
        classes: &[Classification],
    ) -> anyhow::Result<Outcome> {
        let mut replies = HashMap::new();
        for row in &self.rows {
            let index = test_index(&row.file).filter(|&index| index < classes.len());
            let deferred = index.filter(|&index| {
                classes[index].decision != Decision::Accept
                    && row.machine == Some(classes[index].digit)
            });
            let Some(index) = deferred else {
                bail!(
                    "{}: {} is not an image that this checkpoint defers; evaluate the checkpoint and data that --review-dir was used with",
                    self.path.display(),
                    row.file
                );
            };
            if replies.insert(index, row.reply).is_some() {
                bail!(
                    "{}: {} is there twice; keep one row",
                    self.path.display(),
                    row.file
                );
            }
        }
        let verdicts: Vec<Verdict> = classes.iter().map(Verdict::from).collect();
        let answers: Vec<Option<u8>> = (0..classes.len())
            .map(|index| match replies.get(&index) {
                Some(Some(Reply::Digit(digit))) => Some(*digit),
                _ => None,
            })
            .collect();
        Ok(Outcome::Test(merge_review(
            data::CLASSES,
            &verdicts,
            images.labels(),
            &answers,
        )?))
    }

    /// Counts the answers for pictures whose labels nobody else knows.
    pub fn count(&self) -> Outcome {
        let replies = || {
            self.rows
                .iter()
                .filter_map(|row| Some((row.machine, row.reply?)))
        };
        let answered = replies().count();
        Outcome::Pictures {
            deferred: self.rows.len(),
            answered,
            agreed: replies()
                .filter(|&(machine, reply)| machine.map(Reply::Digit) == Some(reply))
                .count(),
            no_digit: replies().filter(|&(_, reply)| reply == Reply::None).count(),
            pending: self.rows.len() - answered,
        }
    }
}

impl Outcome {
    /// As text for a terminal.
    pub fn text(&self) -> String {
        match self {
            Outcome::Test(report) => {
                let together = report
                    .accuracy
                    .map_or("none handled yet".to_owned(), |accuracy| {
                        format!(
                            "{:.2} % right of the {} handled (95 % interval {:.2} to {:.2} %)",
                            100.0 * accuracy.value,
                            report.accepted + report.answered,
                            100.0 * accuracy.lower,
                            100.0 * accuracy.upper,
                        )
                    });
                format!(
                    "machine and person: {together}\n  accepted by the machine: {}, {} of them wrong\n  answered by the person: {}, {} of them wrong; the machine alone would have had {} of them wrong\n  still to answer: {}\nmachine alone: {:.2} % right of all {}\n",
                    report.accepted,
                    report.machine_errors,
                    report.answered,
                    report.person_errors,
                    report.machine_errors_on_answered,
                    report.pending,
                    100.0 * report.machine_accuracy.value,
                    report.n,
                )
            }
            Outcome::Pictures {
                deferred,
                answered,
                agreed,
                no_digit,
                pending,
            } => format!(
                "{deferred} pictures were deferred, {answered} of them answered: {agreed} as the machine had guessed, {no_digit} without a single digit; {pending} still to answer\n"
            ),
        }
    }
}

fn class(text: &str) -> Option<u8> {
    text.parse()
        .ok()
        .filter(|&digit: &u8| usize::from(digit) < data::CLASSES)
}

fn test_index(file: &str) -> Option<usize> {
    file.strip_prefix(TEST)?.strip_suffix(".png")?.parse().ok()
}

/// The decisions for all images of a set.
pub fn classify(classifier: &model::Classifier, images: &LabelledImages) -> Vec<Classification> {
    classifier.classify_all(images.pixels().as_chunks::<PIXELS>().0)
}
