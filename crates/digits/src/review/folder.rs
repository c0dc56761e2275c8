//! A folder of images for a person to decide.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use answers::Answer;
use anyhow::{Context, bail};
use data::LabelledImages;
use model::Classification;

use super::columns::{INDEX, Names, SOURCE, TABLE, test_name};
use crate::{
    png,
    table::{self, Table},
};

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
    pub fn of_pictures(path: &Path, names: Names) -> anyhow::Result<Self> {
        Folder::open(path, SOURCE, names)
    }

    /// Opens or starts one for images of the test set.
    pub fn of_test(path: &Path, names: Names) -> anyhow::Result<Self> {
        Folder::open(path, INDEX, names)
    }

    fn open(path: &Path, origin: &'static str, names: Names) -> anyhow::Result<Self> {
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
                    names.column(),
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
    pub fn copy(
        &mut self,
        answer: &Answer,
        bytes: Option<&[u8]>,
        names: &[String],
    ) -> anyhow::Result<()> {
        let source = answers::name(answer.file);
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
        let [_, class, confidence, runner_up, _, reason] = table::row(answer, names);
        self.row(&name, &source, [class, confidence, runner_up], &reason)?;
        self.known.entry(source).or_default().push(name);
        Ok(())
    }

    /// Writes the test images that a classifier doesn't accept; `names` are those of its classes.
    pub fn write_test(
        &mut self,
        images: &LabelledImages,
        answers: &[Classification],
        names: &[String],
    ) -> anyhow::Result<()> {
        for (index, class) in answers.iter().enumerate() {
            let Some(reason) = answers::reason(class) else {
                continue;
            };
            if self.known.contains_key(&index.to_string()) {
                self.there += 1;
                continue;
            }
            let (name, file) = self.new_file(Path::new(&test_name(index)))?;
            png::write(images, index, file)
                .with_context(|| format!("{}: can't write", self.path.join(&name).display()))?;
            self.row(
                &name,
                &index.to_string(),
                table::guess(class, names),
                reason,
            )?;
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
        [class, confidence, runner_up]: [String; 3],
        reason: &str,
    ) -> anyhow::Result<()> {
        let (name, source) = (table::text(name), table::text(source));
        let fields: Vec<&str> = self
            .columns
            .iter()
            .map(|column| match column.as_str() {
                "file" => &name,
                "digit" | "class" => &class,
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
            part.map(|part| answers::name(Path::new(part)))
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
