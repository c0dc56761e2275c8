//! Where a resumed run goes on: after the newest epoch from which it can end as if never stopped.

use data::LabelledImages;
use model::{
    CheckpointError, Device,
    checkpoint::{Checkpoint, MANIFEST},
};

use crate::{
    Config, Failure, checkpointer, journal::TrainingState, progress::say, resolve::extended,
    run_dir::RunDir,
};

/// A checkpoint to go on from.
pub(crate) struct Restored {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) state: TrainingState,
}

impl Restored {
    /// The newest whole checkpoint of a run, if it has one, whose best epoch is whole too: without
    /// it the run would end with another model. Damaged ones are named, then removed with whatever
    /// else isn't needed; the epochs that they held are trained again.
    pub(crate) fn newest(
        run: &RunDir,
        config: &Config,
        images: &LabelledImages,
        device: &Device,
        quiet: bool,
    ) -> Result<Option<Self>, Failure> {
        for epoch in run.epochs()? {
            match Self::epoch(run, epoch, device) {
                Ok(restored) => {
                    restored.belongs_to(config, images)?;
                    run.keep_only(&restored.needed())?;
                    return Ok(Some(restored));
                }
                Err(error @ (CheckpointError::Newer { .. } | CheckpointError::Read { .. })) => {
                    return Err(error.into());
                }
                Err(error) if quiet => drop(error),
                Err(error) => say(format_args!("warning: {error}")),
            }
        }
        run.keep_only(&[])?;
        Ok(None)
    }

    /// The checkpoint of an epoch, if all is there that the run needs to go on after it.
    fn epoch(run: &RunDir, epoch: usize, device: &Device) -> Result<Self, CheckpointError> {
        let checkpoint = Checkpoint::open(run.checkpoint(epoch))?;
        let invalid = |problem: &str| CheckpointError::Invalid {
            path: checkpoint.path().join(MANIFEST),
            problem: problem.to_owned(),
        };
        let state = checkpoint.manifest().training.clone();
        let state: TrainingState = state
            .and_then(|state| serde_json::from_value(state).ok())
            .ok_or_else(|| invalid("its training state makes no sense"))?;
        if state.epoch != epoch || state.history.len() != epoch {
            return Err(invalid("it is the checkpoint of another epoch"));
        }
        checkpointer::check_records(&checkpoint)?;
        checkpoint.network(device)?;
        let restored = Restored { checkpoint, state };
        for &needed in restored.needed().iter().filter(|&&needed| needed != epoch) {
            Checkpoint::open(run.checkpoint(needed))?;
        }
        Ok(restored)
    }

    /// The epochs whose checkpoints the run needs from here: the last and the best.
    fn needed(&self) -> [usize; 2] {
        let last = self.state.epoch;
        [last, self.state.best().unwrap_or(last)]
    }

    /// Whether the checkpoint is of this recipe and of these images.
    fn belongs_to(&self, config: &Config, images: &LabelledImages) -> Result<(), Failure> {
        let provenance = &self.checkpoint.manifest().provenance;
        if provenance.data.train != *images.digest() {
            return Err(anyhow::anyhow!(
                "the training images are not those that this run began with; put the same files back, or start a new run"
            )
            .into());
        }
        let mut stated: Config =
            serde_json::from_value(provenance.config.clone()).map_err(|error| {
                anyhow::anyhow!(
                    "{}: it states no recipe that this program knows: {error}",
                    self.checkpoint.path().display()
                )
            })?;
        // The files may have moved; their digests tell whether they are the same.
        stated.data.dir.clone_from(&config.data.dir);
        extended(&stated, config.clone()).map_err(|error| {
            error.context(format!(
                "config.toml is no longer the recipe of {}",
                self.checkpoint.path().display()
            ))
        })?;
        Ok(())
    }
}
