//! Where a resumed run goes on: after the newest epoch from which it can end as if never stopped.

use data::LabelledImages;
use model::{
    CheckpointError, Device,
    checkpoint::{Checkpoint, LIVE, MANIFEST},
};

use crate::{
    Config, Failure,
    failure::usage,
    progress::say,
    records,
    resolve::{extended, keeps_what_is_done},
    run_dir::RunDir,
    state::{EpochRecord, TrainingState},
};

/// A checkpoint to go on from.
pub(crate) struct Restored {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) state: TrainingState,
}

impl Restored {
    /// The newest whole checkpoint of a run, if it has one, whose best epoch is whole too: without
    /// it the run would end with another model. Those that are passed over are named and set aside, and
    /// counted in what is returned; the epochs that they held are trained again.
    pub(crate) fn newest(
        run: &RunDir,
        config: &Config,
        images: &LabelledImages,
        device: &Device,
    ) -> Result<(Option<Self>, usize), Failure> {
        let mut found = None;
        let mut passed_over = Vec::new();
        for epoch in run.epochs()? {
            match Self::epoch(run, epoch, device) {
                Ok(restored) => {
                    restored.belongs_to(run, config, images)?;
                    found = Some(restored);
                    break;
                }
                Err(error @ (CheckpointError::Newer { .. } | CheckpointError::Read { .. })) => {
                    return Err(error.into());
                }
                Err(error) => passed_over.push((epoch, error)),
            }
        }
        let count = passed_over.len();
        // Only now: what is refused as a whole stays as it is.
        for (epoch, error) in passed_over {
            let aside = run.set_aside(epoch)?;
            say(format_args!(
                "warning: {} is passed over, and kept as {}: {error}",
                run.checkpoint(epoch).display(),
                aside.display(),
            ));
        }
        if let Some(restored) = &found {
            run.keep_only(&restored.needed())?;
        }
        Ok((found, count))
    }

    /// The checkpoint of an epoch, if all is there that the run needs to go on after it.
    fn epoch(run: &RunDir, epoch: usize, device: &Device) -> Result<Self, CheckpointError> {
        let (checkpoint, state) = open(run, epoch)?;
        checkpoint.networks(device)?;
        records::check(&checkpoint, state.step)?;
        best(run, &state)?;
        Ok(Restored { checkpoint, state })
    }

    /// The epochs whose checkpoints the run needs from here: the last and the best.
    fn needed(&self) -> [usize; 2] {
        let last = self.state.epoch;
        [last, self.state.best().unwrap_or(last)]
    }

    /// Whether the checkpoint is of this recipe and of these images.
    fn belongs_to(
        &self,
        run: &RunDir,
        config: &Config,
        images: &LabelledImages,
    ) -> Result<(), Failure> {
        let provenance = &self.checkpoint.manifest().provenance;
        if provenance.data.train != *images.digest() {
            let place = match &config.data.dir {
                Some(dir) => dir.display().to_string(),
                None => "bundled MNIST".to_owned(),
            };
            return Err(anyhow::anyhow!(
                "{place}: the training images are not those that this run began with, from {}; put the same files back, name their folder with --data-dir, or start a new run",
                provenance.data.source,
            )
            .into());
        }
        if config.training.epochs < self.state.epoch {
            return Err(usage(anyhow::anyhow!(
                "training.epochs can't be {}: the run has finished {} epochs",
                config.training.epochs,
                self.state.epoch
            )));
        }
        let stated: Config =
            serde_json::from_value(provenance.config.clone()).map_err(|error| {
                anyhow::anyhow!(
                    "{}: it states no recipe that this program knows: {error}",
                    self.checkpoint.path().display()
                )
            })?;
        let stated = stated.where_files_are(config);
        extended(&stated, config.clone()).map_err(|error| {
            error.context(format!(
                "{} is not the recipe of {}, which someone may have put there",
                run.config().display(),
                self.checkpoint.path().display()
            ))
        })?;
        keeps_what_is_done(self.state.epoch, &stated, config).map_err(usage)
    }
}

/// The best epoch of a run and its checkpoint, which has to be of the same run: what its own history
/// says is how that of the run begins.
pub(crate) fn best(
    run: &RunDir,
    state: &TrainingState,
) -> Result<(usize, Checkpoint), CheckpointError> {
    let epoch = state.best().unwrap_or(state.epoch);
    let (checkpoint, then) = open(run, epoch)?;
    if !state.history.starts_with(&then.history) {
        let problem = "it is the checkpoint of another run";
        return Err(invalid(&checkpoint, problem));
    }
    Ok((epoch, checkpoint))
}

/// The training checkpoint that has the name of an epoch, and is of that epoch.
fn open(run: &RunDir, epoch: usize) -> Result<(Checkpoint, TrainingState), CheckpointError> {
    let checkpoint = Checkpoint::open(run.checkpoint(epoch))?;
    let manifest = checkpoint.manifest();
    let state: TrainingState = manifest
        .training
        .clone()
        .and_then(|state| serde_json::from_value(state).ok())
        .ok_or_else(|| invalid(&checkpoint, "its training state makes no sense"))?;
    let possible = |record: &EpochRecord| {
        let shares = [record.train_accuracy, record.validation_accuracy];
        let losses = [record.train_loss, record.validation_loss];
        shares.iter().all(|share| (0.0..=1.0).contains(share))
            && losses.iter().all(|loss| *loss >= 0.0 && loss.is_finite())
    };
    if !state.history.iter().all(possible) {
        return Err(invalid(&checkpoint, "its history holds impossible values"));
    }
    if state.epoch != epoch || state.history.len() != epoch {
        return Err(invalid(
            &checkpoint,
            "it is the checkpoint of another epoch",
        ));
    }
    let recipe = serde_json::from_value::<Config>(manifest.provenance.config.clone());
    if let Ok(recipe) = recipe {
        if recipe.network != manifest.architecture {
            let problem = "its network is not the one in the recipe that it states";
            return Err(invalid(&checkpoint, problem));
        }
        if recipe.training.ema_decay.is_some() != checkpoint.file(LIVE).is_some() {
            let problem = "training.ema_decay in the recipe that it states and live.bpk are there together or not at all";
            return Err(invalid(&checkpoint, problem));
        }
    }
    Ok((checkpoint, state))
}

fn invalid(checkpoint: &Checkpoint, problem: &str) -> CheckpointError {
    CheckpointError::Invalid {
        path: checkpoint.path().join(MANIFEST),
        problem: problem.to_owned(),
    }
}
