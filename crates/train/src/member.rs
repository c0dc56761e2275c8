//! The members of a run: networks that differ in nothing but their random numbers, each with a run
//! folder of its own. A run of one network is its only member.

use std::sync::Arc;

use data::LabelledImages;
use model::Device;
use runs::Layout;

use crate::{
    Config, Failure,
    restore::Restored,
    run_dir::{RunDir, RunDirError},
};

/// A network that is trained.
pub(crate) struct Member {
    /// The recipe of a run of this network alone.
    pub(crate) config: Config,
    pub(crate) run: Arc<RunDir>,
    pub(crate) restored: Option<Restored>,
    /// How many newer checkpoints were passed over.
    pub(crate) passed_over: usize,
}

impl Member {
    /// Opens the folders of all members, finds where each goes on, and writes their recipes.
    pub(crate) fn open(
        run: &Arc<RunDir>,
        config: &Config,
        images: &LabelledImages,
        device: &Device,
    ) -> Result<Vec<Self>, Failure> {
        let count = config.training.members;
        let mut members = Vec::with_capacity(count);
        for index in 0..count {
            let config = config.member(index);
            let run = match count {
                1 => Arc::clone(run),
                _ => Arc::new(folder(run.member(index + 1))?),
            };
            let (restored, passed_over) = Restored::newest(&run, &config, images, device)?;
            members.push(Member {
                config,
                run,
                restored,
                passed_over,
            });
        }
        // Only now: what is refused as a whole stays as it is.
        if count > 1 {
            for Member { config, run, .. } in &members {
                run.write(&run.config(), config.to_toml()?.as_bytes())?;
            }
        }
        Ok(members)
    }
}

/// The folder of a member; a process that died may not have come to make it.
fn folder(member: Layout) -> Result<RunDir, RunDirError> {
    match member.config().is_file() {
        true => RunDir::open(member.path()),
        false => RunDir::create(member.path()),
    }
}
