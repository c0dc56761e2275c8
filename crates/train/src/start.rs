//! The checkpoint that training begins with in place of random weights.

use std::collections::HashSet;

use anyhow::Context;
use data::{LabelledImages, Spec, Split};
use model::{
    Device, Normalization,
    checkpoint::{Checkpoint, Transferred, model_file},
};

use crate::{Config, Failure, failure::usage, inputs};

/// Fills in which weights each member begins with: those of its own number, or those of the first again
/// where the checkpoint has fewer. Refuses other weights than the recipe asks for.
pub(crate) fn pin(config: &mut Config) -> Result<(), Failure> {
    let Some(path) = &config.training.start_from else {
        return Ok(());
    };
    let checkpoint = Checkpoint::open(path)?;
    let stored = checkpoint.manifest().members;
    let weights = (0..config.training.members)
        .map(|member| {
            let digest = checkpoint.digest(&model_file(member % stored));
            digest.map(str::to_owned)
        })
        .collect::<Option<Vec<_>>>()
        .with_context(|| format!("{}: states no digests", path.display()))?;
    let asked = &mut config.training.start_weights;
    if !asked.is_empty() && *asked != weights {
        return Err(usage(anyhow::anyhow!(
            "{}: holds other weights than training.start_weights asks for; name the checkpoint with those, or \
             leave training.start_weights out",
            path.display()
        )));
    }
    *asked = weights;
    // The same images validate as did there, where they are the same: none that the weights have seen.
    if let Some(theirs) = recipe(&checkpoint)
        && config.data.split_seed.is_none()
        && config.seed != theirs.split_seed()
    {
        config.data.split_seed = Some(theirs.split_seed());
    }
    Ok(())
}

/// The recipe of the run that a checkpoint is of, where this program can read it.
fn recipe(checkpoint: &Checkpoint) -> Option<Config> {
    let stated = checkpoint.manifest().provenance.config.clone();
    serde_json::from_value(stated).ok()
}

/// A checkpoint to begin with.
pub(crate) struct Start(Checkpoint);

impl Start {
    /// The checkpoint that a recipe names, if it names one, and the weights are those that it asks for.
    pub(crate) fn open(
        config: &Config,
        spec: &Spec,
        device: &Device,
    ) -> Result<Option<Self>, Failure> {
        let Some(path) = &config.training.start_from else {
            return Ok(None);
        };
        let start = Start(Checkpoint::open(path)?);
        for member in 0..config.training.members {
            // Found now rather than when its turn comes.
            start.network(&config.member(member), spec, device)?;
        }
        Ok(Some(start))
    }

    /// The network that a member begins with, by its own recipe.
    pub(crate) fn network(
        &self,
        member: &Config,
        spec: &Spec,
        device: &Device,
    ) -> Result<Transferred, Failure> {
        let number = self.number(member)?;
        self.0
            .transfer(number, &member.network, member.seed, spec, device)
            .with_context(|| format!("{}: can't start from it", self.0.path().display()))
            .map_err(|error| usage(anyhow::anyhow!("{error:#}")))
    }

    /// Refuses to validate on what the weights were trained on.
    pub(crate) fn check_unseen(
        &self,
        images: &LabelledImages,
        split: &Split,
    ) -> Result<(), Failure> {
        if self.0.manifest().provenance.data.train != *images.digest() {
            return Ok(());
        }
        let path = self.0.path().display();
        let theirs = recipe(&self.0).with_context(|| {
            format!("{path}: states no recipe that this program knows, so that nothing tells which images it has seen")
        })?;
        let then = inputs::split(&theirs, images)?;
        let seen: HashSet<u32> = then.train.iter().copied().collect();
        match split
            .validation
            .iter()
            .filter(|index| seen.contains(index))
            .count()
        {
            0 => Ok(()),
            count => Err(usage(anyhow::anyhow!(
                "{path}: learned from {count} of the {} images that validate here; validate on those that it was \
                 validated on, by --set data.split_seed={} --set data.validation={}",
                split.validation.len(),
                theirs.split_seed(),
                theirs.data.validation,
            ))),
        }
    }

    /// How raw bytes become what the weights expect.
    pub(crate) fn normalization(&self) -> Normalization {
        self.0.manifest().normalization.clone()
    }

    /// What to tell of a member: where its weights come from.
    pub(crate) fn told(&self, member: &Config, spec: &Spec) -> Result<String, Failure> {
        let (manifest, path) = (self.0.manifest(), self.0.path().display());
        let whose = match manifest.members {
            1 => String::new(),
            _ => format!("member {} of ", 1 + self.number(member)?),
        };
        let mut told = format!("starts from the weights of {whose}{path}");
        if manifest.classes != spec.classes.names() {
            told += "; its classes are others: the last layer is drawn anew";
        }
        // They have no weights, so that any fit.
        let same = |of: fn(&model::BlockConfig) -> (usize, bool)| {
            let [ours, theirs] = [&member.network, &manifest.architecture];
            ours.blocks.iter().map(of).eq(theirs.blocks.iter().map(of))
        };
        if member.network.order != manifest.architecture.order
            || !same(|block| (block.padding, block.pool))
        {
            told += "; warning: order, padding or pools of network are not the checkpoint's";
        }
        Ok(told)
    }

    /// Which of the checkpoint's members has the weights.
    fn number(&self, member: &Config) -> Result<usize, Failure> {
        let asked = member.training.start_weights.first();
        let mut numbers = 0..self.0.manifest().members;
        let found = numbers.find(|&number| {
            let digest = self.0.digest(&model_file(number));
            digest.is_some() && digest == asked.map(String::as_str)
        });
        found
            .with_context(|| {
                format!(
                    "{}: holds other weights than this run began with (training.start_weights); put the same \
                     checkpoint back, name its folder with --start-from, or start a new run",
                    self.0.path().display()
                )
            })
            .map_err(Failure::from)
    }
}
