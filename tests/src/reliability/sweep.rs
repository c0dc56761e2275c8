//! Processes that work on one sweep at once, some of them killed at random moments and started again.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{Sandbox, random::Random};

use crate::{Budget, run};

/// Processes at once, of which the first [`VICTIMS`] are killed.
const PROCESSES: usize = 4;
const VICTIMS: usize = 2;
/// How often each of those is killed at most.
const KILLS: usize = 5;
/// The longest time between two kills.
const BETWEEN: Duration = Duration::from_secs(4);
/// Runs that are made alone, too, and compared.
const COMPARED: usize = 3;
/// Epochs of the smoke recipe.
const EPOCHS: u64 = 2;

pub fn test(sandbox: &Sandbox, budget: &Budget, random: &mut Random) -> Result<String> {
    let (count, recipe) = (budget.count(40), tests::smoke());
    let table = format!("[[runs]]\nrecipe = '{recipe}'\nseeds = {{ count = {count} }}\n");
    fs::write(sandbox.path("table.toml"), table)?;
    let start = |log: &str| -> Result<Child> {
        let args = ["sweep", "table.toml", "--folder", "runs"];
        Ok(sandbox
            .command("train", &args)
            .env("RAYON_NUM_THREADS", "1")
            .stdout(Stdio::null())
            .stderr(fs::File::create(sandbox.path(log))?)
            .spawn()?)
    };
    let mut logs: Vec<String> = (0..PROCESSES)
        .map(|number| format!("log-{number}"))
        .collect();
    let mut children = logs
        .iter()
        .map(|log| start(log))
        .collect::<Result<Vec<_>>>()?;
    let mut kills = 0;
    let mut interrupted = 0;
    for round in 0..KILLS {
        for (victim, child) in children[..VICTIMS].iter_mut().enumerate() {
            thread::sleep(random.time(BETWEEN / VICTIMS as u32));
            if child.try_wait()?.is_some() || budget.is_spent() {
                continue;
            }
            child.kill()?;
            child.wait()?;
            kills += 1;
            interrupted += begun(&sandbox.path("runs"))?;
            let log = format!("log-{victim}-{round}");
            *child = start(&log)?;
            logs.push(log);
        }
    }
    for mut child in children {
        let status = child.wait()?;
        ensure!(status.success(), "a process ended with {status}");
    }
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for log in &logs {
        let text = fs::read_to_string(sandbox.path(log))?;
        ensure!(
            !["failed", "warning", "error"]
                .iter()
                .any(|word| text.contains(word)),
            "{log}: {text}"
        );
        for line in text.lines().filter(|line| line.starts_with('[')) {
            let (_, rest) = line.split_once("] ").context("a line names its run")?;
            let name = rest.split(':').next().unwrap_or_default();
            *told.entry(name.to_owned()).or_default() += 1;
        }
    }
    let twice: Vec<_> = told.iter().filter(|(_, times)| **times > 1).collect();
    ensure!(twice.is_empty(), "made twice: {twice:?}");
    let all: Value = serde_json::from_slice(&fs::read(sandbox.path("runs/sweep.json"))?)?;
    ensure!(all["count"]["done"] == count, "{}", all["count"]);
    for seed in 0..count {
        check(&sandbox.path(&format!("runs/smoke-seed-{seed}")))?;
    }
    let left = run::strays(&sandbox.path("runs"));
    ensure!(left.is_empty(), "left over: {left:?}");
    for _ in 0..COMPARED {
        let seed = random.below(count).to_string();
        let args = [
            "--config",
            &recipe,
            "--seed",
            &seed,
            "--run-dir",
            "alone",
            "--quiet",
        ];
        run::succeed(sandbox, &args.map(String::from))?;
        for file in [
            "config.toml",
            "model/model.bpk",
            "checkpoints/epoch-002/optimizer.bpk",
        ] {
            let [alone, swept] = ["alone", &format!("runs/smoke-seed-{seed}")]
                .map(|run| fs::read(sandbox.path(run).join(file)));
            ensure!(
                alone? == swept?,
                "{file} of seed {seed} differs from that of a run alone"
            );
        }
        fs::remove_dir_all(sandbox.path("alone"))?;
    }
    Ok(format!(
        "{count} runs by {PROCESSES} processes, {VICTIMS} of them killed {kills} times in all, when together {interrupted} \
         runs were begun and not done: {count} results, each epoch of each run once, none told twice ({} told, the others \
         were done when their process was killed); {COMPARED} compared, bit-equal to runs made alone",
        told.len()
    ))
}

/// How many runs have a recipe and no result.
fn begun(folder: &Path) -> Result<usize> {
    let mut begun = 0;
    for entry in fs::read_dir(folder)? {
        let run = entry?.path();
        begun +=
            usize::from(run.join("config.toml").is_file() && !run.join("summary.json").is_file());
    }
    Ok(begun)
}

/// Checks that a run is whole, and that nothing of it was made twice.
fn check(run: &Path) -> Result<()> {
    let text = fs::read_to_string(run.join("metrics.jsonl"))?;
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line)?;
        if line["split"] == "validation" && line["name"] == "accuracy" {
            *times
                .entry(line["epoch"].as_u64().unwrap_or(u64::MAX))
                .or_default() += 1;
        }
    }
    let once: BTreeMap<u64, usize> = (0..=EPOCHS).map(|epoch| (epoch, 1)).collect();
    ensure!(times == once, "{}: epochs {times:?}", run.display());
    let left = run::strays(run);
    ensure!(left.is_empty(), "left over: {left:?}");
    Ok(())
}
