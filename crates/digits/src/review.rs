//! A folder of digits for a person to decide, and the answers that come back.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use data::{HEIGHT, LabelledImages, WIDTH};
use evaluation::review::{
    AnswersReport, Deferred, Reply, ReviewReport, Verdict, count, merge_review,
};
use image::{GrayImage, ImageFormat};
use model::{Classification, Decision};
use serde::Serialize;

use crate::{
    answer::{self, Answer},
    files,
    table::{self, Row, Table},
};

const TABLE: &str = "review.csv";
/// Where a picture came from: its path as given.
const SOURCE: &str = "source";
/// Which image of the test set it is, from 0. A table has this column or [`SOURCE`].
const INDEX: &str = "index";

/// The folder: pictures, and `review.csv` with a row for each. Nothing in it is ever overwritten.
pub struct Folder {
    path: PathBuf,
    table: File,
    /// The columns of the table and what separates them, as whoever saved it last left them.
    columns: Vec<String>,
    separator: u8,
    /// [`SOURCE`] or [`INDEX`].
    origin: &'static str,
    /// For each picture that was there before, by its origin, the name of its copies.
    known: HashMap<String, Vec<String>>,
    added: usize,
    there: usize,
}

impl Folder {
    /// Opens or starts one for pictures of one's own.
    pub fn of_pictures(path: &Path) -> anyhow::Result<Self> {
        Folder::open(path, SOURCE)
    }

    /// Opens or starts one for images of the test set.
    pub fn of_test(path: &Path) -> anyhow::Result<Self> {
        Folder::open(path, INDEX)
    }

    fn open(path: &Path, origin: &'static str) -> anyhow::Result<Self> {
        fs::create_dir_all(path)
            .with_context(|| format!("{}: can't make the folder", path.display()))?;
        let table = path.join(TABLE);
        let cannot = || format!("{}: can't write", table.display());
        let mut folder = match File::create_new(&table) {
            Ok(file) => Folder {
                path: path.to_owned(),
                table: file,
                columns: [
                    "file",
                    origin,
                    "digit",
                    "confidence",
                    "runner_up",
                    "reason",
                    "answer",
                ]
                .map(str::to_owned)
                .to_vec(),
                separator: b',',
                origin,
                known: HashMap::new(),
                added: 0,
                there: 0,
            },
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Folder::go_on(path, origin);
            }
            Err(error) => return Err(error).with_context(cannot),
        };
        let header = table::line(&folder.columns, folder.separator)?;
        folder
            .table
            .write_all(header.as_bytes())
            .with_context(cannot)?;
        Ok(folder)
    }

    /// Adds to the table that is there, in the form in which a spreadsheet may have saved it.
    fn go_on(path: &Path, origin: &'static str) -> anyhow::Result<Self> {
        let file = path.join(TABLE);
        let shown = file.display();
        let table = Table::read(&file)?;
        if !table.utf8 {
            bail!("{shown}: is not in UTF-8: save it as CSV in UTF-8 to add to it");
        }
        let (Some(name), Some(source), Some(_)) = (
            table.column("file"),
            table.column(origin),
            table.column("answer"),
        ) else {
            bail!(
                "{shown}: is there already, but has not the columns file, {origin} and answer, to which rows could be added; name another folder with --review-dir"
            );
        };
        let mut known = HashMap::<_, Vec<_>>::new();
        for row in table.rows() {
            let copies = known.entry(table::plain(row.exact(source)).to_owned());
            let name = table::plain(row.exact(name)).to_owned();
            copies.or_default().push(name);
        }
        let ends = fs::read(&file).is_ok_and(|bytes| bytes.last().is_none_or(|&end| end == b'\n'));
        let mut folder = Folder {
            path: path.to_owned(),
            table: OpenOptions::new()
                .append(true)
                .open(&file)
                .with_context(|| format!("{shown}: can't write"))?,
            columns: table.header().map(str::to_lowercase).collect(),
            separator: table.separator,
            origin,
            known,
            added: 0,
            there: 0,
        };
        if !ends {
            folder
                .table
                .write_all(b"\n")
                .with_context(|| format!("{shown}: can't write"))?;
        }
        Ok(folder)
    }

    /// Copies a picture that wasn't accepted, or these bytes of it, under its own name or, if that is
    /// taken, with a number; not if it is there already.
    pub fn copy(&mut self, answer: &Answer, bytes: Option<&[u8]>) -> anyhow::Result<()> {
        let source = files::name(answer.file);
        let open = || -> anyhow::Result<Box<dyn Read + '_>> {
            Ok(match bytes {
                Some(bytes) => Box::new(bytes),
                None => Box::new(
                    File::open(answer.file)
                        .with_context(|| format!("{}: can't read", answer.file.display()))?,
                ),
            })
        };
        for copy in self.known.get(&source).into_iter().flatten() {
            // A copy that someone has put away was this picture, as far as anyone can tell.
            let there = File::open(self.path.join(copy)).map(|copy| is_same(copy, open()?));
            match there {
                Ok(Ok(false)) => {}
                Ok(Err(error)) => return Err(error),
                _ => {
                    self.there += 1;
                    return Ok(());
                }
            }
        }
        let (name, mut file) = self.new_file(answer.file)?;
        io::copy(&mut open()?, &mut file)
            .with_context(|| format!("{name}: can't copy to {}", self.path.display()))?;
        let [_, digit, confidence, runner_up, _, reason] = answer.row();
        self.row(&name, &source, [digit, confidence, runner_up], &reason)?;
        self.known.entry(source).or_default().push(name);
        Ok(())
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
            if self.known.contains_key(&index.to_string()) {
                self.there += 1;
                continue;
            }
            let (name, mut file) = self.new_file(Path::new(&test_name(index)))?;
            let image =
                GrayImage::from_raw(WIDTH as u32, HEIGHT as u32, images.image(index).to_vec());
            image
                .unwrap_or_default()
                .write_to(&mut file, ImageFormat::Png)
                .with_context(|| format!("{}: can't write", self.path.join(&name).display()))?;
            self.row(&name, &index.to_string(), answer::guess(class), reason)?;
        }
        Ok(())
    }

    /// What to tell the user.
    pub fn finish(self) -> String {
        let there = match self.there {
            0 => String::new(),
            there => format!(", {there} more were there already"),
        };
        format!(
            "{} to review{there}: fill in the column answer of {}",
            self.added,
            self.path.join(TABLE).display()
        )
    }

    fn row(
        &mut self,
        name: &str,
        source: &str,
        [digit, confidence, runner_up]: [String; 3],
        reason: &str,
    ) -> anyhow::Result<()> {
        let (name, source) = (table::text(name), table::text(source));
        let fields: Vec<&str> = self
            .columns
            .iter()
            .map(|column| match column.as_str() {
                "file" => &name,
                "digit" => &digit,
                "confidence" => &confidence,
                "runner_up" => &runner_up,
                "reason" => reason,
                column if column == self.origin => &source,
                _ => "",
            })
            .collect();
        let line = table::line(&fields, self.separator)?;
        self.table
            .write_all(line.as_bytes())
            .with_context(|| format!("{}: can't write", self.path.join(TABLE).display()))?;
        self.added += 1;
        Ok(())
    }

    fn new_file(&self, original: &Path) -> anyhow::Result<(String, File)> {
        let part = |part: Option<&std::ffi::OsStr>| {
            part.map(|part| files::name(Path::new(part)))
                .unwrap_or_default()
        };
        let stem = match part(original.file_stem()) {
            stem if stem == "-" => "standard-input".to_owned(),
            stem => stem,
        };
        let extension = part(original.extension());
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

/// Whether two files hold the same bytes.
fn is_same(one: impl Read, other: impl Read) -> anyhow::Result<bool> {
    let (mut one, mut other) = (
        io::BufReader::new(one).bytes(),
        io::BufReader::new(other).bytes(),
    );
    loop {
        match (one.next().transpose()?, other.next().transpose()?) {
            (None, None) => return Ok(true),
            (a, b) if a != b => return Ok(false),
            _ => {}
        }
    }
}

fn test_name(index: usize) -> String {
    format!("test-{index:05}.png")
}

/// A picture in a filled-in table.
pub struct Reviewed {
    /// Where the picture came from, as the table says, without a sign against formulas.
    pub origin: String,
    /// What the machine had guessed, and what the person says, if anything.
    pub deferred: Deferred,
}

/// A filled-in `review.csv`.
pub struct Review {
    path: PathBuf,
    /// Whether the pictures are images of the test set, and their origins indices.
    test: bool,
    rows: Vec<Reviewed>,
}

/// What the answers say.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// For the test set, whose labels are known: machine and person together.
    Test(ReviewReport),
    /// For pictures of one's own: how often the machine's guess was right, by the person.
    Pictures(AnswersReport),
}

impl Review {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let table = Table::read(path)?;
        let column = |name: &str| {
            table.column(name).with_context(|| {
                format!(
                    "{}: no column {name}; give the {TABLE} that --review-dir wrote, as CSV",
                    path.display()
                )
            })
        };
        let (file, digit, answer) = (column("file")?, column("digit")?, column("answer")?);
        let (index, source) = (table.column(INDEX), table.column(SOURCE));
        // Tables without either column are from before there were any.
        let named_like_test = index.is_none()
            && source.is_none()
            && table.rows().next().is_some()
            && table
                .rows()
                .all(|row| test_index(row.field(file)).is_some());
        let test = index.is_some() || named_like_test;
        let origin = |row: &Row| match (index, test_index(row.field(file))) {
            (Some(index), _) => row.field(index).to_owned(),
            (None, Some(index)) if test => index.to_string(),
            _ => table::plain(row.exact(source.unwrap_or(file))).to_owned(),
        };
        let rows = table.rows().map(|row| {
            let wrong = |column: &str, text: &str, way: &str| {
                format!(
                    "{}: row {} ({}) has the {column} {text:?}; {way}",
                    path.display(),
                    row.number,
                    row.field(file)
                )
            };
            let machine =
                match row.field(digit) {
                    "" => None,
                    text => Some(class(text).with_context(|| {
                        wrong("digit", text, "leave what the machine wrote there")
                    })?),
                };
            let reply = match row.field(answer) {
                "" => None,
                text if text.eq_ignore_ascii_case("none") => Some(Reply::None),
                text => Some(Reply::Digit(class(text).with_context(|| {
                    wrong("answer", text, "write a digit, none, or nothing")
                })?)),
            };
            Ok(Reviewed {
                origin: origin(&row),
                deferred: Deferred { machine, reply },
            })
        });
        Ok(Review {
            path: path.to_owned(),
            test,
            rows: rows.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Whether the pictures are from the test set.
    pub fn is_test(&self) -> bool {
        self.test
    }

    /// The rows of the table.
    pub fn rows(&self) -> &[Reviewed] {
        &self.rows
    }

    /// Takes the answers for test images into account. The table must be the one that the same
    /// checkpoint wrote: it holds exactly the images that were not accepted.
    pub fn merge_test(
        &self,
        images: &LabelledImages,
        classes: &[Classification],
    ) -> anyhow::Result<Outcome> {
        let mut answers = vec![None; classes.len()];
        let mut seen = HashSet::new();
        for row in &self.rows {
            let index = whole(&row.origin).filter(|&index| index < classes.len());
            let deferred = index.filter(|&index| {
                classes[index].decision != Decision::Accept
                    && row.deferred.machine == Some(classes[index].digit)
            });
            let (path, image) = (self.path.display(), &row.origin);
            let Some(index) = deferred else {
                bail!(
                    "{path}: test image {image} is not an image that this checkpoint defers; evaluate the checkpoint and data that --review-dir was used with"
                );
            };
            if !seen.insert(index) {
                bail!("{path}: test image {image} is there twice; keep one row");
            }
            if let Some(Reply::Digit(digit)) = row.deferred.reply {
                answers[index] = Some(digit);
            }
        }
        let verdicts: Vec<Verdict> = classes.iter().map(Verdict::from).collect();
        Ok(Outcome::Test(merge_review(
            data::CLASSES,
            &verdicts,
            images.labels(),
            &answers,
        )?))
    }

    /// Counts the answers for pictures whose labels nobody else knows.
    pub fn count(&self) -> Outcome {
        Outcome::Pictures(count(self.rows.iter().map(|row| row.deferred)))
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
            Outcome::Pictures(report) => {
                let right = report.accuracy.map_or(String::new(), |share| {
                    format!(
                        " ({:.1} %; 95 % interval {:.1} to {:.1} %)",
                        100.0 * share.value,
                        100.0 * share.lower,
                        100.0 * share.upper
                    )
                });
                format!(
                    "{} pictures went to a person: {} answered, {} still to answer\n  the machine's guess was right for {} of the {} for which it had one and the person a digit{right}\n  {} show no single digit, by the person\n",
                    report.deferred,
                    report.answered,
                    report.pending,
                    report.agreed,
                    report.guessed,
                    report.no_digit,
                )
            }
        }
    }
}

/// A class as people, spreadsheets and data frames write it: `8`, `8.0` or `8,0`.
pub fn class(text: &str) -> Option<u8> {
    whole(text)
        .and_then(|class| u8::try_from(class).ok())
        .filter(|&class| usize::from(class) < data::CLASSES)
}

/// A whole number, be it written with decimals.
fn whole(text: &str) -> Option<usize> {
    let (whole, decimals) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(whole) && decimals.bytes().all(|byte| byte == b'0'))
        .then(|| whole.parse().ok())
        .flatten()
}

/// The index in the name of a test image.
fn test_index(file: &str) -> Option<usize> {
    let index = file
        .strip_prefix("test-")?
        .strip_suffix(".png")?
        .parse()
        .ok()?;
    (test_name(index) == file).then_some(index)
}
