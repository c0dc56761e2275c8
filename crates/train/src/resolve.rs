//! From the command line to the recipe of a run.

use std::fs;

use anyhow::{Context, bail};
use model::Backend;

use crate::{Args, Config, Failure, config::ScheduleConfig, run::usage, run_dir::RunDirError};

/// The recipe with everything that the command line adds.
pub(crate) fn resolve(args: &Args) -> Result<Config, Failure> {
    if let Some(run) = &args.resume {
        let file = run.join("config.toml");
        if !file.is_file() {
            return Err(RunDirError::NoRun(run.clone()).into());
        }
        let stored = Config::load(Some(&file), &[])?;
        let config = Config::load(Some(&file), &args.changes).map_err(usage)?;
        return extended(&stored, config).map_err(usage);
    }
    let mut config = Config::load(args.config.as_deref(), &args.changes).map_err(usage)?;
    if let Some(seed) = args.seed {
        config.seed = seed;
    }
    let dir = args.data_dir.clone().or(config.data.dir.take());
    config.data.dir = dir
        .map(|dir| {
            fs::canonicalize(&dir)
                .with_context(|| format!("{}: no such folder of data", dir.display()))
        })
        .transpose()
        .map_err(usage)?;
    let backend = match args.backend.as_ref().or(config.backend.as_ref()) {
        Some(name) => name.parse().map_err(usage)?,
        None => Backend::default(),
    };
    config.backend = Some(backend.name().to_owned());
    Ok(config)
}

/// A stored recipe may be given more time, where that doesn't change what was done so far.
pub(crate) fn extended(stored: &Config, config: Config) -> anyhow::Result<Config> {
    let mut same = config.clone();
    same.training.epochs = stored.training.epochs;
    same.training.patience = stored.training.patience;
    same.training.time_budget = stored.training.time_budget;
    if same != *stored {
        bail!(
            "a resumed run keeps its recipe; only training.epochs, training.patience and \
             training.time_budget may be changed by --set (start a new run for anything else)"
        );
    }
    if config.training.epochs != stored.training.epochs {
        if matches!(config.schedule, ScheduleConfig::OneCycle { .. }) {
            bail!(
                "training.epochs can't be changed: the one-cycle schedule spreads its learning \
                 rates over {} epochs, another number would change the epochs that are done; \
                 start a new run with --set training.epochs={}",
                stored.training.epochs,
                config.training.epochs,
            );
        }
        if config.training.plain_epochs > 0 {
            bail!(
                "training.epochs can't be changed: the last {} epochs were to be without \
                 augmentation; start a new run",
                config.training.plain_epochs,
            );
        }
    }
    Ok(config)
}
