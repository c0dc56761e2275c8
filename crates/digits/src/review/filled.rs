//! The answers that come back.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use data::LabelledImages;
use evaluation::review::{Deferred, Reply, Verdict, count, merge_review};
use model::{Classification, Decision};

use super::columns::{INDEX, SOURCE, TABLE, meant, test_index, whole};
use super::outcome::Outcome;
use crate::table::{self, Row, Table};

/// A picture in a filled-in table.
pub struct Reviewed {
    /// Where the picture came from, as the table says, without a sign against formulas.
    pub origin: String,
    /// What the machine had guessed, as it stands there.
    pub machine: Option<String>,
    /// What the person says, if anything.
    pub reply: Option<String>,
    /// The row of the table, as people count.
    number: usize,
}

/// What a person writes where an image is of no class, or of several.
pub const NONE: &str = "none";

/// A filled-in `review.csv`.
pub struct Review {
    path: PathBuf,
    /// Whether the pictures are images of the test set, and their origins indices.
    test: bool,
    rows: Vec<Reviewed>,
}

impl Review {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let table = Table::read(path)?;
        let column = |names: &[&str]| {
            let found = names.iter().find_map(|name| table.column(name));
            found.with_context(|| {
                format!(
                    "{}: no column {}; give the {TABLE} that --review-dir wrote, as CSV",
                    path.display(),
                    names[0]
                )
            })
        };
        let (file, class, answer) = (
            column(&["file"])?,
            column(&["digit", "class"])?,
            column(&["answer"])?,
        );
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
        let written = |text: &str| (!text.is_empty()).then(|| table::plain(text).to_owned());
        let rows = table.rows().map(|row| Reviewed {
            origin: origin(&row),
            machine: written(row.field(class)),
            reply: written(row.field(answer)),
            number: row.number,
        });
        Ok(Review {
            path: path.to_owned(),
            test,
            rows: rows.collect(),
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
        names: &[String],
    ) -> anyhow::Result<Outcome> {
        let mut answers = vec![None; classes.len()];
        let mut seen = HashSet::new();
        for (row, deferred) in self.rows.iter().zip(self.deferred(names)?) {
            let index = whole(&row.origin).filter(|&index| index < classes.len());
            let index = index.filter(|&index| {
                classes[index].decision != Decision::Accept
                    && deferred.machine == Some(classes[index].class)
            });
            let (path, image) = (self.path.display(), &row.origin);
            let Some(index) = index else {
                bail!(
                    "{path}: test image {image} is not an image that this checkpoint defers; evaluate the checkpoint and data that --review-dir was used with"
                );
            };
            if !seen.insert(index) {
                bail!("{path}: test image {image} is there twice; keep one row");
            }
            if let Some(Reply::Class(class)) = deferred.reply {
                answers[index] = Some(class);
            }
        }
        let verdicts: Vec<Verdict> = classes.iter().map(Verdict::from).collect();
        Ok(Outcome::Test(merge_review(
            names.len(),
            &verdicts,
            images.labels(),
            &answers,
        )?))
    }

    /// Counts the answers for pictures whose labels nobody else knows.
    pub fn count(&self, names: &[String]) -> anyhow::Result<Outcome> {
        Ok(Outcome::Pictures(count(self.deferred(names)?)))
    }

    /// Guesses and replies by the classes of these names.
    fn deferred(&self, names: &[String]) -> anyhow::Result<Vec<Deferred>> {
        let rows = self.rows.iter().map(|row| {
            let wrong = |column: &str, text: &str, way: &str| {
                format!(
                    "{}: row {} ({}) has the {column} {text:?}; {way}",
                    self.path.display(),
                    row.number,
                    row.origin
                )
            };
            let machine = row.machine.as_deref().map(|text| {
                meant(text, names)
                    .with_context(|| wrong("class", text, "leave what the machine wrote there"))
            });
            let reply = row.reply.as_deref().map(|text| match meant(text, names) {
                Some(class) => Ok(Reply::Class(class)),
                None if text.eq_ignore_ascii_case(NONE) => Ok(Reply::None),
                None => bail!(wrong(
                    "answer",
                    text,
                    &format!("write a class ({}), none, or nothing", shown(names))
                )),
            });
            Ok(Deferred {
                machine: machine.transpose()?,
                reply: reply.transpose()?,
            })
        });
        rows.collect()
    }
}

/// The first of many names.
fn shown(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}
