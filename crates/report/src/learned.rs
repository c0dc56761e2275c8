//! What a checkpoint has learned from, as far as its own record tells.

use std::path::Path;

use data::{DataError, FolderOptions, LabelledImages, Source, Split, SplitDigest, mnist};
use model::{
    Manifest,
    checkpoint::{Checkpoint, model_file},
};
use serde_json::Value;

use crate::test_images::options;

/// So many checkpoints are followed that started each from the next.
pub(crate) const MOST_STARTS: usize = 16;

/// What a checkpoint has learned from.
#[derive(Default)]
pub(crate) struct Learned {
    /// Of the images that are asked about, where they are those that it was trained on.
    pub(crate) split: Option<Split>,
    /// Whether it is all of these images.
    pub(crate) all: bool,
    /// Others, which are here.
    pub(crate) sets: Vec<Set>,
    /// Others, which aren't, in words.
    pub(crate) untold: Vec<String>,
}

/// Images, and which of them were learned from; all of them where it isn't known.
pub(crate) struct Set(LabelledImages, Option<Vec<u32>>);

impl Set {
    pub(crate) fn bytes(&self) -> impl Iterator<Item = &[u8]> {
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
    pub(crate) fn add(
        &mut self,
        manifest: &Manifest,
        source: &Source,
        images: &LabelledImages,
        starts: usize,
    ) -> Result<(), DataError> {
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
pub(crate) fn own(manifest: &Manifest) -> Option<Source> {
    let recorded = manifest.provenance.config.pointer("/data/dir");
    match recorded.and_then(Value::as_str).map(Path::new) {
        _ if manifest.provenance.data.train.is(&mnist::TRAIN) => Some(Source::Bundled),
        Some(folder) if folder.is_dir() => {
            Some(Source::Folder(folder.to_owned(), options(manifest)))
        }
        _ => None,
    }
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
