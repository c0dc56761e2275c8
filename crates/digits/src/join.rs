//! `digits join`: the answers of machine and person in one table.

use std::{
    collections::{BTreeSet, HashMap},
    io::{Write, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::{
    predictions::{predictions, written},
    review::{NONE, Names, Review, is_digit},
    table,
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
        let what = if digits {
            "without a single digit"
        } else {
            "of no class"
        };
        errln!(
            "{} pictures: {machine} by the machine, {person} by a person ({none} {what}), {} by nobody yet",
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
