//! What `digits predict` printed, read back.

use std::{collections::HashMap, fs, path::Path};

use answers::UNREADABLE;
use anyhow::{Context, bail};
use serde_json::Value;

use crate::{
    review::{NONE, is_digit, whole},
    table::{self, Table},
};

/// What the machine said of a picture.
#[derive(Clone, PartialEq)]
pub struct Prediction {
    pub class: Option<String>,
    pub accepted: bool,
    pub reason: String,
}

/// The machine's answers, each picture once.
pub fn predictions(path: &Path) -> anyhow::Result<Vec<(String, Prediction)>> {
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

/// A class or [`NONE`] as it is meant where someone wrote it so: `8.0` is 8. Nothing if it should be a
/// digit and isn't.
pub fn written(text: &str, digits: bool) -> Option<String> {
    if text.eq_ignore_ascii_case(NONE) {
        return Some(NONE.to_owned());
    }
    let text = whole(text).map_or_else(|| text.to_owned(), |number| number.to_string());
    (!digits || is_digit(&text)).then_some(text)
}
