//! Images that a checkpoint has not learned from, as far as its own record tells.

use std::{collections::HashSet, path::Path};

use data::{DataError, FolderOptions, LabelledImages, Observer, Source};
use model::Manifest;
use thiserror::Error;

use crate::learned::{Learned, MOST_STARTS, Set, own};
use crate::test_images::options;

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The test images.
    Test,
    /// The training images.
    Train,
    /// Those of the training images that validated while the checkpoint was trained.
    Validation,
}

impl Part {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Part::Test => "test",
            Part::Train => "train",
            Part::Validation => "validation",
        }
    }
}

/// Why there are no images that a checkpoint hasn't learned from.
#[derive(Debug, Error)]
pub enum UnseenError {
    /// The data set that it was trained on is not here.
    #[error(
        "this checkpoint was trained on {trained_on}, which is not here; name a folder of images"
    )]
    Absent {
        /// Where the training images came from, in words.
        trained_on: String,
    },
    /// The images that validated are those of another data set.
    #[error(
        "{origin}: holds other training images than the checkpoint was trained on, or its record doesn't tell which of \
         them validated; take another part"
    )]
    NotItsOwn {
        /// The folder.
        origin: String,
    },
    /// It has learned from all of them.
    #[error(
        "{origin}: the checkpoint has learned from all {count} images, by its own record; take others"
    )]
    Learned {
        /// The folder.
        origin: String,
        /// How many there are.
        count: usize,
    },
    /// They can't be read.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// Images that a checkpoint hasn't learned from.
#[derive(Clone, Debug)]
pub struct Unseen {
    /// All images of the part, as they were read.
    pub images: LabelledImages,
    /// Which of them it hasn't learned from: at least one.
    pub indices: Vec<u32>,
    /// How many it has learned from.
    pub learned: usize,
    /// Where they come from, in words.
    pub source: String,
    /// What it learned from that isn't here, in words, so that nothing tells whether that are these images.
    pub untold: Vec<String>,
}

/// The images of a part of the folder that was named, or else of the data set that the checkpoint was trained on,
/// but for those that it has learned from.
///
/// What it has learned from is what its record says: the training images of its data set that didn't validate, those
/// of `data.also`, and what the checkpoint had learned from that it started from. Images are the same if their bytes
/// are.
///
/// # Errors
/// If there are none, or they can't be read.
pub fn unseen(
    manifest: &Manifest,
    named: Option<&Path>,
    part: Part,
    observer: &dyn Observer,
) -> Result<Unseen, UnseenError> {
    let trained_on = &manifest.provenance.data;
    let source = match named {
        Some(folder) => folder_of(manifest, folder),
        None => own(manifest).ok_or_else(|| UnseenError::Absent {
            trained_on: trained_on.source.clone(),
        })?,
    };
    let spec = manifest.spec()?;
    let images = match part {
        Part::Test => source.test(&spec, observer)?,
        Part::Train | Part::Validation => source.more(&spec, observer)?,
    };
    let origin = source.name();
    let mut learned = Learned::default();
    learned.add(manifest, &source, &images, MOST_STARTS)?;
    let indices = match (part, &learned.split) {
        (Part::Validation, Some(split)) => split.validation.clone(),
        (Part::Validation, None) => return Err(UnseenError::NotItsOwn { origin }),
        (_, Some(split)) => {
            let seen: HashSet<u32> = split.train.iter().copied().collect();
            let all = 0..images.len() as u32;
            all.filter(|index| !seen.contains(index)).collect()
        }
        (_, None) => (0..images.len() as u32).collect(),
    };
    let bytes: HashSet<&[u8]> = learned.sets.iter().flat_map(Set::bytes).collect();
    let indices: Vec<u32> = match learned.all {
        true => Vec::new(),
        false => indices
            .into_iter()
            .filter(|index| !bytes.contains(images.image(*index as usize)))
            .collect(),
    };
    let count = images.len();
    if indices.is_empty() {
        return Err(UnseenError::Learned { origin, count });
    }
    let asked = match part {
        Part::Validation => learned.split.map_or(count, |split| split.validation.len()),
        Part::Test | Part::Train => count,
    };
    Ok(Unseen {
        learned: asked - indices.len(),
        images,
        indices,
        source: origin,
        untold: learned.untold,
    })
}

/// A folder whose images are brought to the shape of the checkpoint's.
fn folder_of(manifest: &Manifest, folder: &Path) -> Source {
    let known = FolderOptions {
        size: None,
        channels: None,
        ..options(manifest)
    };
    Source::Folder(folder.to_owned(), known)
}
