//! `digits join`: the answers of machine and person in one table.

use std::{
    collections::HashMap,
    fs,
    io::{Write, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;
use evaluation::review::Reply;
use serde::Serialize;
use serde_json::Value;

use crate::{
    answer::UNREADABLE,
    review::{Review, class},
    table::{self, Table},
};

/// Pending pictures that are named at most.
const NAMED: usize = 10;

#[derive(Args)]
#[command(after_help = "Example:
  digits predict artifacts/pretrained scans/ --csv --review-dir to-check > answers.csv
  # a person fills in the column answer of to-check/review.csv
  digits join answers.csv to-check/review.csv > final.csv

The table has every picture once, in the order of the predictions: file, digit, by, reason. by is
machine (accepted), person, or nobody (not accepted and not answered yet, or not readable). digit is 0
to 9, none where a person found no single digit, or empty where nobody has decided. reason is why the
machine didn't decide. A person's answer goes before the machine's. With --json one object per line
with the same fields; digit is a number, \"none\" or null.

On stderr: how many were decided by whom, and which are pending.")]
pub struct Join {
    /// What `digits predict --csv` or --json printed
    predictions: PathBuf,
    /// review.csv of --review-dir, filled in; several where there are several folders
    #[arg(required = true)]
    reviews: Vec<PathBuf>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

/// Who decided.
#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum By {
    Machine,
    Person,
    Nobody,
}

/// What the machine said of a picture.
#[derive(Clone, PartialEq)]
struct Prediction {
    digit: Option<u8>,
    accepted: bool,
    reason: String,
}

impl Join {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let predictions = predictions(&self.predictions)?;
        let mut replies = HashMap::new();
        for path in &self.reviews {
            collect(path, &mut replies)?;
        }
        if !self.json {
            write!(
                stdout(),
                "{}",
                table::line(&["file", "digit", "by", "reason"], b',')?
            )?;
        }
        let (mut machine, mut person, mut none, mut pending) = (0, 0, 0, Vec::new());
        for (file, prediction) in &predictions {
            let reply = replies.remove(file).flatten();
            let (by, digit) = match reply {
                Some(reply) => {
                    person += 1;
                    none += usize::from(reply == Reply::None);
                    (By::Person, Some(reply))
                }
                None if prediction.accepted => {
                    machine += 1;
                    (By::Machine, prediction.digit.map(Reply::Digit))
                }
                None => {
                    pending.push(file.as_str());
                    (By::Nobody, None)
                }
            };
            self.print(file, by, digit, &prediction.reason)?;
        }
        stdout().flush()?;
        errln!(
            "{} pictures: {machine} by the machine, {person} by a person ({none} without a single digit), {} by nobody yet",
            predictions.len(),
            pending.len()
        );
        if !pending.is_empty() {
            let more = match pending.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let named = pending[..pending.len().min(NAMED)].iter();
            let named: Vec<_> = named.map(|file| pictures::shown(Path::new(file))).collect();
            errln!("pending: {}{more}", named.join(", "));
        }
        if !replies.is_empty() {
            errln!(
                "{} reviewed pictures are not in {}: left out",
                replies.len(),
                self.predictions.display()
            );
        }
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, file: &str, by: By, digit: Option<Reply>, reason: &str) -> anyhow::Result<()> {
        if self.json {
            let digit = match digit {
                Some(Reply::Digit(digit)) => Value::from(digit),
                Some(Reply::None) => "none".into(),
                None => Value::Null,
            };
            let reason = Some(reason).filter(|reason| !reason.is_empty());
            let row =
                serde_json::json!({ "file": file, "digit": digit, "by": by, "reason": reason });
            writeln!(stdout(), "{row}")?;
            return Ok(());
        }
        let digit = match digit {
            Some(Reply::Digit(digit)) => digit.to_string(),
            Some(Reply::None) => "none".to_owned(),
            None => String::new(),
        };
        let by = match by {
            By::Machine => "machine",
            By::Person => "person",
            By::Nobody => "nobody",
        };
        let row = [table::text(file), digit, by.to_owned(), reason.to_owned()];
        write!(stdout(), "{}", table::line(&row, b',')?)?;
        Ok(())
    }
}

/// The machine's answers, each picture once.
fn predictions(path: &Path) -> anyhow::Result<Vec<(String, Prediction)>> {
    let bytes = fs::read(path).with_context(|| format!("{}: can't read", path.display()))?;
    let rows = match bytes.trim_ascii_start().starts_with(b"{") {
        true => from_json(&bytes),
        false => from_csv(&bytes),
    };
    let rows = rows.with_context(|| path.display().to_string())?;
    let mut known = HashMap::new();
    let mut once = Vec::new();
    for (file, prediction) in rows {
        match known.insert(file.clone(), prediction.clone()) {
            None => once.push((file, prediction)),
            Some(other) if other == prediction => {}
            Some(_) => bail!(
                "{}: {file} is there twice, with different answers; keep one of them",
                path.display()
            ),
        }
    }
    Ok(once)
}

fn from_csv(bytes: &[u8]) -> anyhow::Result<Vec<(String, Prediction)>> {
    let table = Table::parse(bytes)?;
    let column = |name: &str| {
        table
            .column(name)
            .with_context(|| format!("no column {name}; give what `digits predict --csv` printed"))
    };
    let (file, digit) = (column("file")?, column("digit")?);
    let (accepted, reason) = (column("accepted")?, column("reason")?);
    table
        .rows()
        .map(|row| {
            let name = table::plain(row.exact(file)).to_owned();
            let wrong = |column: &str| format!("row {} ({name}) has no right {column}", row.number);
            let prediction = Prediction {
                digit: match row.field(digit) {
                    "" => None,
                    text => Some(class(text).with_context(|| wrong("digit"))?),
                },
                accepted: match row.field(accepted).to_ascii_lowercase().as_str() {
                    "true" | "1" => true,
                    "false" | "0" => false,
                    _ => bail!(wrong("value under accepted")),
                },
                reason: row.field(reason).to_owned(),
            };
            if prediction.accepted && prediction.digit.is_none() {
                bail!(wrong("digit"));
            }
            Ok((name, prediction))
        })
        .collect()
}

fn from_json(bytes: &[u8]) -> anyhow::Result<Vec<(String, Prediction)>> {
    let values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    values
        .enumerate()
        .map(|(index, value)| {
            let wrong = || {
                format!(
                    "object {} is not what `digits predict --json` prints",
                    index + 1
                )
            };
            let value = value.with_context(wrong)?;
            let file = value["file"].as_str().with_context(wrong)?.to_owned();
            let prediction = match value.get("error") {
                Some(_) => Prediction {
                    digit: None,
                    accepted: false,
                    reason: UNREADABLE.to_owned(),
                },
                None => Prediction {
                    digit: value["digit"]
                        .as_u64()
                        .and_then(|digit| class(&digit.to_string())),
                    accepted: value["accepted"].as_bool().with_context(wrong)?,
                    reason: value["reason"].as_str().unwrap_or_default().to_owned(),
                },
            };
            if prediction.accepted && prediction.digit.is_none() {
                bail!(wrong());
            }
            Ok((file, prediction))
        })
        .collect()
}

/// Adds the answers of a review table by the path of the picture; the same picture in two rows is no
/// matter while the answers agree.
fn collect(path: &Path, replies: &mut HashMap<String, Option<Reply>>) -> anyhow::Result<()> {
    let review = Review::read(path)?;
    if review.is_test() {
        bail!(
            "{}: holds images of the test set; give it to `digits evaluate --review`",
            path.display()
        );
    }
    for row in review.rows() {
        let reply = replies.entry(row.origin.clone()).or_default();
        match (*reply, row.deferred.reply) {
            (_, None) => {}
            (Some(one), Some(other)) if one != other => bail!(
                "{}: {} has two different answers; keep one of them",
                path.display(),
                row.origin
            ),
            (_, new) => *reply = new,
        }
    }
    Ok(())
}
