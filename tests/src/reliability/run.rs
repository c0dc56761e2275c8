//! A small run to break: its data, its command line, and what must hold of its folder.

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    path::Path,
    process::{Child, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tests::{Outcome, Sandbox, root};

/// Images in the small data set.
const IMAGES: usize = 2_000;

/// Writes a data set of the first MNIST test images, small enough that a start takes milliseconds.
pub fn write_data(sandbox: &Sandbox) -> Result<()> {
    let folder = sandbox.path("data");
    fs::create_dir_all(&folder)?;
    for (name, header, item) in [("images-idx3", 16, 784), ("labels-idx1", 8, 1)] {
        let file = format!("crates/data/mnist/t10k-{name}-ubyte.gz");
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(fs::File::open(root().join(file))?).read_to_end(&mut bytes)?;
        bytes.truncate(header + IMAGES * item);
        bytes[4..8].copy_from_slice(&(IMAGES as u32).to_be_bytes());
        for split in ["train", "t10k"] {
            fs::write(folder.join(format!("{split}-{name}-ubyte")), &bytes)?;
        }
    }
    Ok(())
}

/// The command line of a new run over that data, with dropout, augmentation and an average of the weights.
pub fn begin(run: &str, changes: &[&str]) -> Vec<String> {
    let smoke = tests::smoke();
    let mut args: Vec<String> = ["--config", &smoke, "--data-dir", "data", "--run-dir", run]
        .map(String::from)
        .into();
    let always = [
        "data.validation=500",
        "network.dropout=0.1",
        "training.plain_epochs=0",
        "training.ema_decay=0.9",
        "schedule={kind=\"constant\"}",
    ];
    for change in always.iter().chain(changes) {
        args.extend(["--set".into(), (*change).into()]);
    }
    args
}

/// The command line that goes on with a run.
pub fn resume(run: &str) -> Vec<String> {
    vec!["--resume".into(), run.into()]
}

pub fn start(sandbox: &Sandbox, args: &[String]) -> Result<Child> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Ok(sandbox
        .command("train", &args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?)
}

/// Runs `train` to its end, which has to be a good one.
pub fn succeed(sandbox: &Sandbox, args: &[String]) -> Result<Outcome> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = sandbox.run("train", &args);
    ensure!(
        outcome.code == Some(0),
        "train {args:?} exits with {:?}: {}",
        outcome.code,
        outcome.stderr
    );
    Ok(outcome)
}

/// What a process that ended has written to standard error.
pub fn stderr(child: &mut Child) -> Result<String> {
    let mut text = Vec::new();
    let pipe = child.stderr.as_mut().context("standard error is piped")?;
    pipe.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The epochs that have a checkpoint, oldest first.
pub fn epochs(run: &Path) -> Vec<usize> {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten();
    let mut epochs: Vec<usize> = entries
        .flatten()
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_prefix("epoch-")?
                .parse()
                .ok()
        })
        .collect();
    epochs.sort_unstable();
    epochs
}

/// Checks that every checkpoint of the run is whole and of the epoch that its name says.
pub fn check_whole(sandbox: &Sandbox, run: &str) -> Result<()> {
    let path = sandbox.path(run);
    let epochs = epochs(&path);
    if epochs.is_empty() {
        return Ok(());
    }
    let outcome = sandbox.run("digits", &["verify", run]);
    ensure!(
        outcome.code == Some(0),
        "a checkpoint is not whole: {}",
        outcome.stdout
    );
    for epoch in epochs {
        let file = path.join(format!("checkpoints/epoch-{epoch:03}/checkpoint.json"));
        let manifest: Value = serde_json::from_slice(&fs::read(&file)?)?;
        let state = &manifest["training"];
        let history = state["history"].as_array().map_or(0, Vec::len);
        ensure!(
            state["epoch"] == epoch && history == epoch,
            "{} is not of epoch {epoch}",
            file.display()
        );
    }
    Ok(())
}

/// Everything in a run folder that unfinished writes left.
pub fn strays(run: &Path) -> BTreeSet<String> {
    [run.to_owned(), run.join("checkpoints")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten())
        .map(|entry| entry.path().display().to_string())
        .filter(|path| path.contains(".partial") || path.contains(".replaced"))
        .collect()
}

/// Checks that two finished runs have ended in the same bits.
pub fn check_equal(a: &Path, b: &Path) -> Result<()> {
    let last = epochs(a)
        .last()
        .copied()
        .context("a finished run has checkpoints")?;
    let checkpoint = format!("checkpoints/epoch-{last:03}");
    let files = [
        "checkpoint.json",
        "live.bpk",
        "model.bpk",
        "optimizer.bpk",
        "scheduler.bpk",
    ]
    .map(|name| format!("{checkpoint}/{name}"));
    let published = ["checkpoint.json", "model.bpk"].map(|name| format!("model/{name}"));
    for file in files.iter().chain(&published) {
        let read = |run: &Path| -> Result<Vec<u8>> {
            let bytes = fs::read(run.join(file))?;
            match file.ends_with(".json") {
                true => without_length(&bytes),
                false => Ok(bytes),
            }
        };
        if read(a)? != read(b)? {
            bail!("{file} differs between {} and {}", a.display(), b.display());
        }
    }
    ensure!(metrics(a)? == metrics(b)?, "the metrics differ");
    for part in ["test", "validation", "epochs"] {
        let of = |run: &Path| -> Result<Value> {
            let summary: Value = serde_json::from_slice(&fs::read(run.join("summary.json"))?)?;
            Ok(summary[part].clone())
        };
        ensure!(of(a)? == of(b)?, "{part} differs in summary.json");
    }
    Ok(())
}

/// A manifest but for the number of epochs asked for, which a run may be given more of.
fn without_length(manifest: &[u8]) -> Result<Vec<u8>> {
    let mut manifest: Value = serde_json::from_slice(manifest)?;
    manifest["provenance"]["config"]["training"]["epochs"] = Value::Null;
    Ok(serde_json::to_vec(&manifest)?)
}

/// What a run has measured, but for times, which no two runs share.
fn metrics(run: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(run.join("metrics.jsonl"))?;
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut line: Value = serde_json::from_str(line)?;
        if let Some(line) = line.as_object_mut() {
            line.remove("seconds");
        }
        if line["name"] != "images_per_second" {
            lines.push(line);
        }
    }
    Ok(lines)
}
