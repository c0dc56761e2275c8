//! What a folder holds: IDX files by the names under which such sets are published, or pictures by
//! class.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::idx::{self, Input};
use crate::listing::entries;
use crate::{
    Classes, DataError, FolderOptions, ImageShape, LabelledImages, Observer, Spec, names, tree,
};

/// Reads the training images of the set in a folder.
pub(crate) fn train(
    folder: &Path,
    options: &FolderOptions,
    observer: &dyn Observer,
) -> Result<LabelledImages, DataError> {
    match data_set(folder)? {
        Some(set) => set.read(&["train"], options, None, observer),
        None => tree::read(folder, tree::Part::Train, options, None, observer),
    }
}

/// Reads the test images of the set in a folder.
pub(crate) fn test(
    folder: &Path,
    options: &FolderOptions,
    spec: &Spec,
    observer: &dyn Observer,
) -> Result<LabelledImages, DataError> {
    match data_set(folder)? {
        Some(set) => set.read(&["t10k", "test"], options, Some(&spec.classes), observer),
        None => tree::read(folder, tree::Part::Test, options, Some(spec), observer),
    }
}

/// Reads the training images of a set in a folder that adds to one of which shape and classes are known.
pub(crate) fn more(
    folder: &Path,
    options: &FolderOptions,
    spec: &Spec,
    observer: &dyn Observer,
) -> Result<LabelledImages, DataError> {
    match data_set(folder)? {
        Some(set) => set.read(&["train"], options, Some(&spec.classes), observer),
        None => tree::read(folder, tree::Part::Train, options, Some(spec), observer),
    }
}

/// IDX files that belong together.
struct DataSet {
    /// Where they lie: the folder or one below it.
    place: PathBuf,
    /// What their names have before that of the split: mostly nothing.
    name: String,
}

impl DataSet {
    /// Reads a split, by its names. Classes that aren't known yet are those of its labels.
    fn read(
        &self,
        splits: &[&str],
        options: &FolderOptions,
        known: Option<&Classes>,
        observer: &dyn Observer,
    ) -> Result<LabelledImages, DataError> {
        if options.size.is_some() || options.channels.is_some() {
            return Err(DataError::Misplaced {
                folder: self.place.clone(),
                problem: "IDX files, which state size and channels themselves: leave data.size and \
                          data.channels out",
            });
        }
        let images = self.file(splits, &IMAGES)?;
        let labels = self.file(splits, &LABELS)?;
        let read =
            idx::read_split(
                Input::open(&images)?,
                Input::open(&labels)?,
                |labels| match known {
                    Some(classes) => Ok(classes.clone()),
                    None => names::classes(&self.place, &self.name, idx::distinct(labels)),
                },
            )?;
        // All of EMNIST's files are made so, those with the images of MNIST too.
        let emnist = self.name.starts_with("emnist-");
        if !options.transpose.unwrap_or(emnist) {
            return Ok(read);
        }
        observer.note(match emnist {
            true => "EMNIST's files hold rows and columns exchanged: the images are turned".into(),
            false => "rows and columns of the images are exchanged, as asked".into(),
        });
        transposed(&read)
    }
}

/// The same images with rows and columns exchanged.
fn transposed(images: &LabelledImages) -> Result<LabelledImages, DataError> {
    let ImageShape {
        channels,
        height,
        width,
    } = images.shape();
    let mut pixels = Vec::with_capacity(images.pixels().len());
    for plane in images.pixels().chunks_exact(height * width) {
        pixels.extend((0..height * width).map(|at| plane[at % height * width + at / height]));
    }
    LabelledImages::new(
        ImageShape::new(channels, width, height)?,
        images.classes().clone(),
        pixels,
        images.labels().to_vec(),
    )
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
    others: &[
        "-images.idx3-ubyte",
        "-images-idx4-ubyte",
        "-images.idx4-ubyte",
    ],
};

const LABELS: Content = Content {
    ending: "-labels-idx1-ubyte",
    // The last is QMNIST's.
    others: &["-labels.idx1-ubyte", "-labels-idx2-int"],
};

const ALL_SPLITS: [&str; 3] = ["train", "t10k", "test"];

/// The set of IDX files in a folder, if there is one.
fn data_set(folder: &Path) -> Result<Option<DataSet>, DataError> {
    let sets = |place: &Path| -> Result<BTreeSet<String>, DataError> {
        let names = entries(place)?;
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
        let below = entries(folder)?
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
    Ok(found.pop().map(|(place, name)| DataSet { place, name }))
}

impl DataSet {
    /// The file of a split with that content: where it is there more than once, the first by its name,
    /// and all the others are the same.
    fn file(&self, splits: &[&str], content: &Content) -> Result<PathBuf, DataError> {
        let (place, set_name) = (&self.place, &*self.name);
        let is_meant = |name: &str| {
            splits
                .iter()
                .any(|split| set(name, split, content) == Some(set_name))
        };
        let (mut files, mut others) = (Vec::new(), Vec::new());
        for name in entries(place)?.into_iter().filter(|name| is_meant(name)) {
            let path = place.join(name);
            if !path.is_dir() {
                files.push(path);
                continue;
            }
            let inside = entries(&path)?.into_iter().filter(|name| is_meant(name));
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
