//! Images that a checkpoint has not learned from, as far as its own record tells.

use std::{collections::HashSet, path::Path};

use data::{DataError, FolderOptions, LabelledImages, Observer, Source, Split, SplitDigest, mnist};
use model::{
    Manifest,
    checkpoint::{Checkpoint, model_file},
};
use serde_json::Value;
use thiserror::Error;

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

/// So many checkpoints are followed that started each from the next.
const MOST_STARTS: usize = 16;

/// What a checkpoint has learned from.
#[derive(Default)]
struct Learned {
    /// Of the images that are asked about, where they are those that it was trained on.
    split: Option<Split>,
    /// Whether it is all of these images.
    all: bool,
    /// Others, which are here.
    sets: Vec<Set>,
    untold: Vec<String>,
}

/// Images, and which of them were learned from; all of them where it isn't known.
struct Set(LabelledImages, Option<Vec<u32>>);

impl Set {
    fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        let Set(images, learned) = self;
        let learned = learned.clone();
        let indices = learned.unwrap_or_else(|| (0..images.len() as u32).collect());
        indices
            .into_iter()
            .map(|index| images.image(index as usize))
    }
}

impl Learned {
    /// Adds what the record of a checkpoint says; `images` are those that are asked about, of `source`.
    fn add(
        &mut self,
        manifest: &Manifest,
        source: &Source,
        images: &LabelledImages,
        starts: usize,
    ) -> Result<(), UnseenError> {
        let trained_on = &manifest.provenance.data;
        let is_first = starts == MOST_STARTS;
        let is_main = *images.digest() == trained_on.train;
        match (is_main, split(manifest, images)) {
            (true, Some(split)) if is_first => self.split = Some(split),
            (true, Some(split)) => self.sets.push(Set(images.clone(), Some(split.train))),
            (true, None) => self.all = true,
            (false, _) => {
                let here = [own(manifest), Some(source.clone())];
                let found = here.into_iter().flatten().find_map(|source| {
                    let read = source.train(&()).ok()?;
                    (*read.digest() == trained_on.train).then_some(read)
                });
                match found {
                    Some(read) => {
                        let learned = split(manifest, &read).map(|split| split.train);
                        self.sets.push(Set(read, learned));
                    }
                    None => self.untold.push(trained_on.source.clone()),
                }
            }
        }
        let config = &manifest.provenance.config;
        let also = config.pointer("/data/also").and_then(Value::as_array);
        for set in also.into_iter().flatten() {
            self.add_also(manifest, set, images);
        }
        let started = config.pointer("/training/start_from");
        match started.and_then(Value::as_str) {
            None => Ok(()),
            Some(path) => match start(config, Path::new(path)).filter(|_| starts > 0) {
                Some(start) => self.add(start.manifest(), source, images, starts - 1),
                None => {
                    self.untold.push(format!("what {path} had learned from"));
                    Ok(())
                }
            },
        }
    }

    /// Adds a set of `data.also`.
    fn add_also(&mut self, manifest: &Manifest, set: &Value, images: &LabelledImages) {
        let dir = set["dir"].as_str().unwrap_or("?");
        let stated =
            |part: &str| -> Option<SplitDigest> { serde_json::from_value(set[part].clone()).ok() };
        if stated("train").as_ref() == Some(images.digest()) {
            self.all = true;
            return;
        }
        let read = manifest.spec().ok().and_then(|spec| {
            let source = Source::Folder(dir.into(), plain(manifest));
            source.more(&spec, &()).ok()
        });
        match read.filter(|read| stated("train").as_ref() == Some(read.digest())) {
            Some(read) => self.sets.push(Set(read, None)),
            None => self.untold.push(dir.to_owned()),
        }
    }
}

/// Where the data set of a checkpoint would be.
fn own(manifest: &Manifest) -> Option<Source> {
    let recorded = manifest.provenance.config.pointer("/data/dir");
    match recorded.and_then(Value::as_str).map(Path::new) {
        _ if manifest.provenance.data.train.is(&mnist::TRAIN) => Some(Source::Bundled),
        Some(folder) if folder.is_dir() => {
            Some(Source::Folder(folder.to_owned(), options(manifest)))
        }
        _ => None,
    }
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

/// How `train` reads a folder of `data.also`.
fn plain(manifest: &Manifest) -> FolderOptions {
    FolderOptions {
        seed: options(manifest).seed,
        ..FolderOptions::default()
    }
}

/// Which images of its data set a checkpoint learned from, and which validated; none if its record doesn't tell.
fn split(manifest: &Manifest, images: &LabelledImages) -> Option<Split> {
    let config = &manifest.provenance.config;
    let number = |key| Some(config.pointer(key)?.as_u64()? as usize);
    let (labels, seed) = (images.labels(), options(manifest).seed);
    let bundled = config.pointer("/data/dir").is_none();
    let validation = Split::held_out(number("/data/validation")?, labels.len(), bundled);
    let mut split = data::split(labels, validation, seed).ok()?;
    if let Some(limit) = number("/data/limit") {
        split.limit_training(labels, limit, seed);
    }
    Some(split)
}

/// The checkpoint that a run started from, if it is there still.
fn start(config: &Value, path: &Path) -> Option<Checkpoint> {
    let checkpoint = Checkpoint::open(path).ok()?;
    let weights = config.pointer("/training/start_weights")?.as_array()?;
    let there: Vec<_> = (0..checkpoint.manifest().members)
        .filter_map(|member| checkpoint.digest(&model_file(member)))
        .collect();
    let same = weights.iter().all(|digest| {
        digest
            .as_str()
            .is_some_and(|digest| there.contains(&digest))
    });
    same.then_some(checkpoint)
}
