//! From the command line to the recipe of a run.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use data::mnist;
use model::Backend;
use runs::Layout;
use toml::Value;

use crate::{
    Args, Config, Failure,
    config::{ConfigError, ScheduleConfig},
    failure::usage,
    inputs,
    run_dir::RunDirError,
    start,
};

/// Names a backend where neither the command line nor the recipe does.
const BACKEND: &str = "DIGITS_BACKEND";

/// The recipe that a command line asks for, checked as far as it can be without a look at the images.
pub(crate) fn recipe(args: &Args) -> Result<Config, Failure> {
    check_features(args)?;
    let config = resolve(args)?;
    if config.data.dir.is_none() {
        // What MNIST is like is known without a look at it.
        inputs::shapes(&config, &mnist::spec()?)?;
    }
    Ok(config)
}

/// Says how to build a program that has what the options ask for.
pub(crate) fn check_features(args: &Args) -> Result<(), Failure> {
    let asked = [
        (
            "--device",
            !args.devices.is_empty(),
            cfg!(feature = "remote"),
            "remote",
        ),
        (
            "--serve-device",
            args.serve_device.is_some(),
            cfg!(feature = "remote-server"),
            "remote-server",
        ),
        ("--tui", args.tui, cfg!(feature = "tui"), "tui"),
        (
            "--download",
            args.download,
            cfg!(feature = "download"),
            "download",
        ),
    ];
    match asked.iter().find(|(_, asked, built, _)| *asked && !built) {
        Some((option, _, _, name)) => Err(usage(anyhow!(
            "{option}: this program was built without it: cargo build -p train --release --features {name}"
        ))),
        None => Ok(()),
    }
}

/// The recipe with everything that the command line adds.
fn resolve(args: &Args) -> Result<Config, Failure> {
    if let Some(run) = &args.resume {
        let file = Layout::new(run).config();
        if !file.is_file() {
            return Err(RunDirError::NoRun(run.clone()).into());
        }
        let stored = Config::load(Some(&file), &[]).map_err(|error| match error {
            ConfigError::Value { .. } | ConfigError::Network(_) => {
                anyhow!("{}: {error}", file.display())
            }
            other => other.into(),
        })?;
        let named = stored.backend.as_deref().unwrap_or_default();
        named
            .parse::<Backend>()
            .map_err(|error| anyhow!("{}: backend: {error}", file.display()))?;
        let config = Config::load(Some(&file), &args.changes).map_err(usage)?;
        let mut config = extended(&stored, config).map_err(usage)?;
        if let Some(dir) = &args.data_dir {
            // The files may have moved; their digests tell whether they are the same.
            config.data.dir = Some(data_dir(dir, false)?);
        }
        if let Some(checkpoint) = &args.start_from {
            if config.training.start_from.is_none() {
                return Err(usage(anyhow!(
                    "--start-from: the run in {} began with random weights; start a new run from a checkpoint",
                    run.display()
                )));
            }
            config.training.start_from = Some(there(checkpoint, "checkpoint")?);
        }
        config.training.tensorboard |= args.tensorboard;
        return Ok(config);
    }
    let mut changes = args.changes.clone();
    changes.extend(
        args.precision
            .iter()
            .map(|name| format!("training.precision={name}")),
    );
    let mut config = Config::load(args.config.as_deref(), &changes).map_err(usage)?;
    if let Some(seed) = args.seed {
        config.seed = seed;
    }
    let dir = args.data_dir.clone().or(config.data.dir.take());
    config.data.dir = dir
        .as_deref()
        .map(|dir| data_dir(dir, args.download))
        .transpose()?;
    for set in &mut config.data.also {
        set.dir = there(&set.dir, "folder of data.also")?;
    }
    let checkpoint = args.start_from.clone();
    if let Some(checkpoint) = checkpoint.or(config.training.start_from.take()) {
        config.training.start_from = Some(there(&checkpoint, "checkpoint to start from")?);
        start::pin(&mut config)?;
    }
    let asked = args.backend.clone().or_else(|| config.backend.clone());
    let backend = match asked.or_else(|| env::var(BACKEND).ok()) {
        Some(name) => name.parse().map_err(usage)?,
        None => Backend::default(),
    };
    config.backend = Some(backend.name().to_owned());
    config.training.tensorboard |= args.tensorboard;
    Ok(config)
}

/// The folder of the data by a path that holds from anywhere; what is to be downloaded makes it.
fn data_dir(dir: &Path, download: bool) -> Result<PathBuf, Failure> {
    let found = match fs::canonicalize(dir) {
        Err(error) if download && error.kind() == io::ErrorKind::NotFound => {
            std::path::absolute(dir)
        }
        found => found,
    };
    found
        .with_context(|| {
            format!(
                "{}: no such folder of data (--download would fetch MNIST into it)",
                dir.display()
            )
        })
        .map_err(usage)
}

/// A folder by a path that holds from anywhere.
fn there(folder: &Path, what: &str) -> Result<PathBuf, Failure> {
    fs::canonicalize(folder)
        .with_context(|| format!("{}: no such {what}", folder.display()))
        .map_err(usage)
}

/// A stored recipe may be given more time.
pub(crate) fn extended(stored: &Config, config: Config) -> anyhow::Result<Config> {
    let mut same = config.clone();
    same.training.epochs = stored.training.epochs;
    same.training.plain_epochs = stored.training.plain_epochs;
    same.training.patience = stored.training.patience;
    same.training.time_budget = stored.training.time_budget;
    same.training.tensorboard = stored.training.tensorboard;
    if same != *stored {
        let key = difference(&Value::try_from(stored)?, &Value::try_from(&same)?);
        bail!(
            "a resumed run keeps its recipe, but {key} differs; only training.epochs, \
             training.plain_epochs, training.patience, training.time_budget and training.tensorboard \
             may be changed by --set (start a new run for anything else)"
        );
    }
    if config.training.epochs != stored.training.epochs
        && matches!(config.schedule, ScheduleConfig::OneCycle { .. })
    {
        bail!(
            "training.epochs can't be changed: the one-cycle schedule spreads its learning \
             rates over {} epochs, another number would change the rate of every step; \
             start a new run with --set training.epochs={}",
            stored.training.epochs,
            config.training.epochs,
        );
    }
    Ok(config)
}

/// Checks that the epochs that are done would have been the same with the recipe as it is now: that
/// each of them was with augmentation, or without, in both.
pub(crate) fn keeps_what_is_done(done: usize, then: &Config, now: &Config) -> anyhow::Result<()> {
    let bent = now.data.augmentation.unwrap_or_default();
    let (before, after) = (then.training.plain_from(), now.training.plain_from());
    if bent.is_identity() || before.min(done + 1) == after.min(done + 1) {
        return Ok(());
    }
    let epochs = now.training.epochs;
    match before <= done {
        true => bail!(
            "training.epochs can't be {epochs} with training.plain_epochs={}: epochs {before} to \
             {done} are done and were without augmentation, which leaves the later ones without it, \
             by --set training.plain_epochs={}; or start a new run",
            now.training.plain_epochs,
            epochs + 1 - before,
        ),
        false => bail!(
            "training.epochs can't be {epochs} with training.plain_epochs={}: epoch {after} is done \
             and was with augmentation; ask for {} plain epochs at most, or start a new run",
            now.training.plain_epochs,
            epochs - done,
        ),
    }
}

/// The dotted key of the first value that differs.
fn difference(a: &Value, b: &Value) -> String {
    let mut key = Vec::new();
    let (mut a, mut b) = (Some(a), Some(b));
    while let (Some(Value::Table(left)), Some(Value::Table(right))) = (a, b) {
        let names = left.keys().chain(right.keys());
        let Some(name) = names
            .into_iter()
            .find(|&name| left.get(name) != right.get(name))
        else {
            break;
        };
        key.push(name.as_str());
        (a, b) = (left.get(name), right.get(name));
    }
    key.join(".")
}
