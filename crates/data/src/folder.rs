//! Which of the files in a folder are those of a data set, by the names under which such sets are
//! published.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{DataError, LabelledImages, idx};

/// Reads the images of a split, and their labels, from wherever they lie in the folder.
pub(crate) fn read(folder: &Path, splits: &[&str]) -> Result<LabelledImages, DataError> {
    let (place, set) = data_set(folder)?;
    let images = one(&place, &set, splits, &IMAGES)?;
    let labels = one(&place, &set, splits, &LABELS)?;
    let read = LabelledImages::read(&images, &labels)?;
    // All of EMNIST's files are made so, those with the images of MNIST too.
    Ok(match set.starts_with("emnist-") {
        true => read.turned(),
        false => read,
    })
}

/// What a file holds, as its name says after that of the split.
struct Content {
    /// The usual ending.
    ending: &'static str,
    /// Others, of which the reader may say that it can't read them.
    others: &'static [&'static str],
}

const IMAGES: Content = Content {
    ending: "-images-idx3-ubyte",
    others: &["-images.idx3-ubyte"],
};

const LABELS: Content = Content {
    ending: "-labels-idx1-ubyte",
    // The last is QMNIST's.
    others: &["-labels.idx1-ubyte", "-labels-idx2-int"],
};

const ALL_SPLITS: [&str; 3] = ["train", "t10k", "test"];

/// Where the files lie, the folder or one below it, and what their names have before that of the
/// split: mostly nothing.
fn data_set(folder: &Path) -> Result<(PathBuf, String), DataError> {
    let sets = |place: &Path| -> Result<BTreeSet<String>, DataError> {
        let names = names(place)?;
        let sets = names.iter().filter_map(|name| {
            let splits = ALL_SPLITS.iter();
            splits.filter_map(|split| set(name, split, &IMAGES)).next()
        });
        Ok(sets.map(str::to_owned).collect())
    };
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    let here = sets(folder)?;
    // Files by the plain names are what a folder is named for, whatever else lies in it.
    match here.contains("") {
        true => found.push((folder.to_owned(), String::new())),
        false => found.extend(here.into_iter().map(|set| (folder.to_owned(), set))),
    }
    if found.is_empty() {
        let below = names(folder)?
            .into_iter()
            .map(|name| folder.join(name).join("raw"));
        for place in below
            .chain([folder.join("raw")])
            .filter(|place| place.is_dir())
        {
            found.extend(sets(&place)?.into_iter().map(|set| (place.clone(), set)));
        }
    }
    if found.len() > 1 {
        let name = |(place, set): &(PathBuf, String)| {
            let place = place.strip_prefix(folder).unwrap_or(place);
            place.join(format!("{set}…")).display().to_string()
        };
        return Err(DataError::Several {
            folder: folder.to_owned(),
            names: found.iter().map(name).collect::<Vec<_>>().join(", "),
        });
    }
    // What is missing is said by its plain name.
    Ok(found.pop().unwrap_or((folder.to_owned(), String::new())))
}

/// The file of a split with that content: where it is there more than once, the first by its name,
/// and all the others are the same.
fn one(
    place: &Path,
    set_name: &str,
    splits: &[&str],
    content: &Content,
) -> Result<PathBuf, DataError> {
    let is_meant = |name: &str| {
        splits
            .iter()
            .any(|split| set(name, split, content) == Some(set_name))
    };
    let (mut files, mut others) = (Vec::new(), Vec::new());
    for name in names(place)?.into_iter().filter(|name| is_meant(name)) {
        let path = place.join(name);
        if !path.is_dir() {
            files.push(path);
            continue;
        }
        let inside = names(&path)?.into_iter().filter(|name| is_meant(name));
        files.extend(
            inside
                .map(|name| path.join(name))
                .filter(|path| !path.is_dir()),
        );
        others.push(path);
    }
    if files.is_empty() {
        files = others;
    }
    let mut files = files.into_iter();
    let first = files.next().ok_or_else(|| DataError::Missing {
        folder: place.to_owned(),
        name: format!("{set_name}{}{}", splits[0], content.ending),
    })?;
    for other in files {
        if !idx::same_content(&first, &other)? {
            return Err(DataError::Contradiction {
                file: first.display().to_string(),
                other: other.display().to_string(),
            });
        }
    }
    Ok(first)
}

/// What the name of a file of that split and content has before them: `emnist-digits-`, or nothing.
fn set<'a>(name: &'a str, split: &str, content: &Content) -> Option<&'a str> {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let before = std::iter::once(&content.ending)
        .chain(content.others)
        .find_map(|ending| name.strip_suffix(ending))?;
    let set = before.strip_suffix(split)?;
    (set.is_empty() || set.ends_with('-')).then_some(set)
}

/// The names in a folder, sorted: plain ones come before those with `.gz`. Names that are no text are
/// none of a data set.
fn names(folder: &Path) -> Result<Vec<String>, DataError> {
    let read = || {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    };
    read().map_err(|source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => DataError::NoFolder {
            folder: folder.to_owned(),
        },
        _ => DataError::Io {
            action: "read the folder",
            file: folder.display().to_string(),
            source,
        },
    })
}
