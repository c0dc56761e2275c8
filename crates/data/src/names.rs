//! What the classes of a set of IDX files are called.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::{Classes, DataError};

/// A name a line.
const CLASSES: &str = "classes.txt";

/// The classes with these labels: named by `classes.txt` beside the files or by EMNIST's mapping, whose
/// name begins as those of the files, else by their labels.
pub(crate) fn classes(place: &Path, set: &str, labels: Vec<u16>) -> Result<Classes, DataError> {
    let file = place.join(CLASSES);
    if let Some(text) = text(&file)? {
        let names: Vec<&str> = text.trim_end().lines().map(str::trim).collect();
        return named(&names, labels).map_err(|error| error.of_file(file.display().to_string()));
    }
    let file = place.join(format!("{set}mapping.txt"));
    if let Some(text) = text(&file)? {
        return mapped(&text, labels).map_err(|error| error.of_file(file.display().to_string()));
    }
    Classes::numbered(labels)
}

/// A name for each label that is there, or for each number from 0 to the last of them.
fn named(names: &[&str], labels: Vec<u16>) -> Result<Classes, DataError> {
    let last = labels.last().map_or(0, |&label| usize::from(label));
    let names: Vec<String> = if names.len() == labels.len() {
        names.iter().map(|&name| name.to_owned()).collect()
    } else if names.len() == last + 1 {
        labels
            .iter()
            .map(|&label| names[usize::from(label)].to_owned())
            .collect()
    } else {
        return Err(DataError::Classes {
            problem: format!(
                "{} names, a line each, for {} classes with labels up to {last}",
                names.len(),
                labels.len()
            ),
        });
    };
    Classes::new(names, labels)
}

/// A label and the codes of its characters a line, as in `1 65 97`: the characters are its name.
fn mapped(text: &str, labels: Vec<u16>) -> Result<Classes, DataError> {
    let rows: Vec<Vec<u32>> = text
        .lines()
        .map(|line| line.split_whitespace().flat_map(str::parse).collect())
        .collect();
    let name = |label: &u16| {
        let row = rows
            .iter()
            .find(|row| row.first() == Some(&u32::from(*label)));
        let codes = row.map_or(&[][..], |row| &row[1..]);
        let name: String = codes.iter().copied().filter_map(char::from_u32).collect();
        if name.is_empty() {
            label.to_string()
        } else {
            name
        }
    };
    Classes::new(labels.iter().map(name).collect(), labels)
}

/// The text of a file, if it is there.
fn text(file: &Path) -> Result<Option<String>, DataError> {
    // No list of 1,000 names is larger.
    const LIMIT: u64 = 1 << 20;
    match fs::metadata(file) {
        Ok(metadata) if metadata.is_file() && metadata.len() <= LIMIT => {}
        Ok(_) => {
            return Err(DataError::NotAFile {
                file: file.display().to_string(),
            });
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(cannot_read(file, source)),
    }
    let text = fs::read_to_string(file).map_err(|source| cannot_read(file, source))?;
    Ok(Some(text.trim_start_matches('\u{feff}').to_owned()))
}

fn cannot_read(file: &Path, source: std::io::Error) -> DataError {
    DataError::Io {
        action: "read",
        file: file.display().to_string(),
        source,
    }
}
