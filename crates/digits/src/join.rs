//! `digits join`: the answers of machine and person in one table.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    io::{Write, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::{
    answer::UNREADABLE,
    review::{NONE, Names, Review, is_digit, whole},
    table::{self, Table},
};

/// Pending pictures that are named at most.
const NAMED: usize = 10;

#[derive(Args)]
#[command(after_help = "Example:
  digits predict artifacts/pretrained scans/ --csv --review-dir to-check > answers.csv
  # a person fills in the column answer of to-check/review.csv
  digits join answers.csv to-check/review.csv > final.csv

The table has every picture once, in the order of the predictions: file, digit (class, where classes are
others than the ten digits), by, reason. by is machine (accepted), person, or nobody (not accepted and not
answered yet, or not readable). digit is 0 to 9, none where a person found no single digit, or empty where
nobody has decided. reason is why the machine didn't decide. A person's answer goes before the machine's.
With --json one object per line with the same fields; digit is a number, class a name, or \"none\" or null.

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
    class: Option<String>,
    accepted: bool,
    reason: String,
}

impl Join {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let predictions = predictions(&self.predictions)?;
        let guesses: BTreeSet<&str> = predictions
            .iter()
            .filter_map(|(_, prediction)| prediction.class.as_deref())
            .collect();
        let digits = guesses.iter().all(|name| is_digit(name));
        let names = Names::digits_if(digits);
        let mut replies = HashMap::new();
        for path in &self.reviews {
            collect(path, digits, &mut replies)?;
        }
        if !self.json {
            write!(
                stdout(),
                "{}",
                table::line(&["file", names.column(), "by", "reason"], b',')?
            )?;
        }
        let (mut machine, mut person, mut none, mut pending) = (0, 0, 0, Vec::new());
        // Classes that only a person has answered.
        let mut new = BTreeSet::new();
        for (file, prediction) in &predictions {
            let reply = replies.remove(file).flatten();
            let (by, class) = match reply {
                Some(reply) => {
                    person += 1;
                    none += usize::from(reply == NONE);
                    if reply != NONE && !guesses.contains(&*reply) {
                        new.insert(reply.clone());
                    }
                    (By::Person, Some(reply))
                }
                None if prediction.accepted => {
                    machine += 1;
                    (By::Machine, prediction.class.clone())
                }
                None => {
                    pending.push(file.as_str());
                    (By::Nobody, None)
                }
            };
            self.print(file, by, (names, class.as_deref()), &prediction.reason)?;
        }
        stdout().flush()?;
        errln!(
            "{} pictures: {machine} by the machine, {person} by a person ({none} of no class), {} by nobody yet",
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
        if !digits && !new.is_empty() {
            let new: Vec<_> = new.into_iter().collect();
            errln!("answers that the machine never gave: {}", new.join(", "));
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

    fn print(
        &self,
        file: &str,
        by: By,
        (names, class): (Names, Option<&str>),
        reason: &str,
    ) -> anyhow::Result<()> {
        if self.json {
            let value = match class {
                Some(class) if is_digit(class) && names.are_digits() => {
                    class.parse::<u8>().map_or(Value::Null, Value::from)
                }
                class => Value::from(class),
            };
            let reason = Some(reason).filter(|reason| !reason.is_empty());
            let row = serde_json::json!({
                "file": file, names.column(): value, "by": by, "reason": reason
            });
            writeln!(stdout(), "{row}")?;
            return Ok(());
        }
        let by = match by {
            By::Machine => "machine",
            By::Person => "person",
            By::Nobody => "nobody",
        };
        let class = table::text(class.unwrap_or_default());
        let row = [table::text(file), class, by.to_owned(), reason.to_owned()];
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
    let column = |names: &[&str]| {
        let found = names.iter().find_map(|name| table.column(name));
        found.with_context(|| {
            format!(
                "no column {}; give what `digits predict --csv` printed",
                names[0]
            )
        })
    };
    let (file, class) = (column(&["file"])?, column(&["digit", "class"])?);
    let (accepted, reason) = (column(&["accepted"])?, column(&["reason"])?);
    let digits = table.column("digit").is_some();
    table
        .rows()
        .map(|row| {
            let name = table::plain(row.exact(file)).to_owned();
            let wrong = |column: &str| format!("row {} ({name}) has no right {column}", row.number);
            let prediction = Prediction {
                class: match table::plain(row.field(class)) {
                    "" => None,
                    text => Some(written(text, digits).with_context(|| wrong("digit"))?),
                },
                accepted: match row.field(accepted).to_ascii_lowercase().as_str() {
                    "true" | "1" => true,
                    "false" | "0" => false,
                    _ => bail!(wrong("value under accepted")),
                },
                reason: row.field(reason).to_owned(),
            };
            if prediction.accepted && prediction.class.is_none() {
                bail!(wrong("class"));
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
                    class: None,
                    accepted: false,
                    reason: UNREADABLE.to_owned(),
                },
                None => Prediction {
                    class: match (&value["class"], &value["digit"]) {
                        (Value::String(name), _) => Some(name.clone()),
                        // Printed before there were names.
                        (_, Value::Number(digit)) => written(&digit.to_string(), true),
                        _ => None,
                    },
                    accepted: value["accepted"].as_bool().with_context(wrong)?,
                    reason: value["reason"].as_str().unwrap_or_default().to_owned(),
                },
            };
            if prediction.accepted && prediction.class.is_none() {
                bail!(wrong());
            }
            Ok((file, prediction))
        })
        .collect()
}

/// Adds the answers of a review table by the path of the picture; the same picture in two rows is no
/// matter while the answers agree.
fn collect(
    path: &Path,
    digits: bool,
    replies: &mut HashMap<String, Option<String>>,
) -> anyhow::Result<()> {
    let review = Review::read(path)?;
    if review.is_test() {
        bail!(
            "{}: holds images of the test set; give it to `digits evaluate --review`",
            path.display()
        );
    }
    for row in review.rows() {
        let new = row.reply.as_deref().map(|text| {
            written(text, digits).with_context(|| {
                let (path, origin) = (path.display(), &row.origin);
                format!("{path}: {origin} has the answer {text:?}; write a digit, none, or nothing")
            })
        });
        let reply = replies.entry(row.origin.clone()).or_default();
        match (reply.as_ref(), new.transpose()?) {
            (_, None) => {}
            (Some(one), Some(other)) if *one != other => bail!(
                "{}: {} has two different answers; keep one of them",
                path.display(),
                row.origin
            ),
            (_, new) => *reply = new,
        }
    }
    Ok(())
}

/// A class or [`NONE`] as it is meant where someone wrote it so: `8.0` is 8. Nothing if it should be a
/// digit and isn't.
fn written(text: &str, digits: bool) -> Option<String> {
    if text.eq_ignore_ascii_case(NONE) {
        return Some(NONE.to_owned());
    }
    let text = whole(text).map_or_else(|| text.to_owned(), |number| number.to_string());
    (!digits || is_digit(&text)).then_some(text)
}
