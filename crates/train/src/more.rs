//! The further images of `data.also`: which of them are learned from, and which judge.
//!
//! What judges is never learned from: test images that are also among the main set's images judge nothing,
//! and training images that are also among those that judge or validate are left out. Images are the same if
//! their bytes are; two scans of one sheet are not.

use std::collections::HashSet;

use anyhow::Context;
use data::{DataError, FolderOptions, LabelledImages, Loader, Source, Spec, Split, SplitDigest};

use crate::{
    Args, Config, Failure,
    config::{AlsoConfig, CalibrateOn},
    failure::usage,
    inputs::{self, Reading},
    progress::say,
};

/// What the sets of `data.also` are for.
pub(crate) struct More {
    /// What is learned from beside the main set.
    sets: Vec<Set>,
    /// The images that judge, which are in none of the others.
    pub(crate) judge: Option<LabelledImages>,
}

struct Set {
    /// Among the images of all.
    indices: Vec<u32>,
    weight: f64,
}

impl More {
    /// Reads the sets, and fills in which images they are; those that a recipe names already have to be the
    /// same. Beside them it returns the main set's images followed by theirs.
    pub(crate) fn read(
        args: &Args,
        config: &mut Config,
        main: &LabelledImages,
        split: &Split,
    ) -> Result<(Self, LabelledImages), Failure> {
        let (spec, seed) = (main.spec(), config.split_seed());
        let mut read = Vec::with_capacity(config.data.also.len());
        for set in &mut config.data.also {
            read.push(set.read(&spec, seed, args.quiet)?);
        }
        let candidates: Vec<_> = read
            .iter()
            .filter_map(|(_, judge)| judge.as_ref())
            .collect();
        let judge = LabelledImages::joined(&candidates).and_then(|judge| {
            let kept = others(&judge, &bytes(main).collect());
            told(
                judge.len() - kept.len(),
                "judge nothing: they are among the main images",
            );
            judge.chosen(&kept)
        });
        let mut apart: HashSet<&[u8]> = judge.iter().flat_map(bytes).collect();
        if !read.is_empty() {
            let held_out = split.validation.iter();
            apart.extend(held_out.map(|&index| main.image(index as usize)));
        }
        let (mut sets, mut first) = (Vec::new(), main.len());
        for ((train, _), config) in read.iter().zip(&config.data.also) {
            let kept = others(train, &apart);
            let what = format!(
                "of {} are not learned from: they are among those that judge or validate",
                config.dir.display()
            );
            told(train.len() - kept.len(), &what);
            sets.push(Set {
                indices: kept.iter().map(|index| index + first as u32).collect(),
                weight: config.weight,
            });
            first += train.len();
        }
        if let Some(set) = sets
            .iter()
            .find(|set| !Loader::can_repeat(first, set.weight))
        {
            return Err(usage(anyhow::anyhow!(
                "data.also: a weight of {} is too much for {first} images",
                set.weight
            )));
        }
        let all: Vec<_> = [main]
            .into_iter()
            .chain(read.iter().map(|(train, _)| train))
            .collect();
        let images = match all.len() {
            1 => main.clone(),
            _ => LabelledImages::joined(&all).context("data.also: its images are others")?,
        };
        if judge.is_none() && config.data.calibrate_on == CalibrateOn::Also {
            return Err(usage(anyhow::anyhow!(
                "data.calibrate_on: \"also\" takes a folder in data.also that has test images (t10k-images-idx3-ubyte \
                 … or test/); add some, or calibrate on \"validation\""
            )));
        }
        Ok((More { sets, judge }, images))
    }

    /// Adds what is learned from to the main set's.
    pub(crate) fn join(&self, loader: Loader, seed: u64) -> Loader {
        let add = |loader: Loader, set: &Set| loader.with_more(&set.indices, set.weight, seed);
        self.sets.iter().fold(loader, add)
    }

    /// Images shown in an epoch beside the main set's.
    pub(crate) fn shown(&self) -> usize {
        let shown = |set: &Set| Loader::shown_more(set.indices.len(), set.weight);
        self.sets.iter().map(shown).sum()
    }

    /// Images to learn from, each once.
    pub(crate) fn len(&self) -> usize {
        self.sets.iter().map(|set| set.indices.len()).sum()
    }
}

impl AlsoConfig {
    /// The training images, and the test images if there are any.
    fn read(
        &mut self,
        spec: &Spec,
        seed: u64,
        quiet: bool,
    ) -> Result<(LabelledImages, Option<LabelledImages>), Failure> {
        let options = FolderOptions {
            seed,
            ..FolderOptions::default()
        };
        let source = Source::Folder(self.dir.clone(), options);
        let unreadable = |error: DataError| match error {
            error @ (DataError::NoFolder { .. } | DataError::Missing { .. }) => {
                anyhow::anyhow!("data.also: {error}")
            }
            error => inputs::unreadable(error).context("data.also"),
        };
        let reading = |part| Reading::new(part, quiet);
        let train = source.more(spec, &reading("further")).map_err(unreadable)?;
        let judge = match source.test(spec, &reading("judging")) {
            Ok(judge) => Some(judge),
            Err(DataError::Missing { .. } | DataError::EmptyClass { .. }) => None,
            Err(error) => return Err(unreadable(error).into()),
        };
        self.pin(train.digest(), judge.as_ref().map(LabelledImages::digest))?;
        Ok((train, judge))
    }

    fn pin(&mut self, train: &SplitDigest, judge: Option<&SplitDigest>) -> Result<(), Failure> {
        let same = (self.train.as_ref(), self.judge.as_ref()) == (Some(train), judge);
        if self.train.is_some() && !same {
            return Err(anyhow::anyhow!(
                "{}: the images are not those that data.also states digests of; put the same files back, or \
                 start a new run without the digests",
                self.dir.display()
            )
            .into());
        }
        (self.train, self.judge) = (Some(train.clone()), judge.cloned());
        Ok(())
    }
}

fn bytes(images: &LabelledImages) -> impl Iterator<Item = &[u8]> {
    (0..images.len()).map(|index| images.image(index))
}

/// The indices of the images that are not among `these`.
fn others(images: &LabelledImages, these: &HashSet<&[u8]>) -> Vec<u32> {
    let apart = (0..).zip(bytes(images));
    let apart = apart.filter(|(_, image)| !these.contains(image));
    apart.map(|(index, _)| index).collect()
}

/// Says that so many images are not used as they might be.
fn told(count: usize, what: &str) {
    if count > 0 {
        say(format_args!("note: {count} images {what}"));
    }
}
