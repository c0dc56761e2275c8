//! SIGKILL at random moments of training with a checkpoint every few milliseconds.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use tests::Sandbox;

use tests::random::Random;

use crate::{Budget, run};

/// Kills that one run has to bear before it is compared with one that was never killed.
const CHAIN: usize = 50;

pub fn test(sandbox: &Sandbox, budget: &Budget, random: &mut Random) -> Result<String> {
    run::write_data(sandbox)?;
    let count = budget.count(1000);
    let (mut kills, mut resumed, mut runs, mut epochs) = (0, 0, 0, 0);
    while kills < count && !budget.is_spent() {
        let name = format!("run-{runs}");
        let chain = chain(sandbox, budget, random, &name, CHAIN.min(count - kills))?;
        kills += chain.kills;
        resumed += chain.resumed;
        epochs += chain.epochs;
        runs += 1;
        std::fs::remove_dir_all(sandbox.path(&name))?;
    }
    Ok(format!(
        "{kills} kills in {runs} runs; {resumed} starts were seen to go on after the last whole \
         checkpoint; after {epochs} epochs in all, every run had the bits of one that was never killed"
    ))
}

#[derive(Default)]
struct Chain {
    kills: usize,
    resumed: usize,
    epochs: usize,
}

fn chain(
    sandbox: &Sandbox,
    budget: &Budget,
    random: &mut Random,
    name: &str,
    count: usize,
) -> Result<Chain> {
    let folder = sandbox.path(name);
    let seed = format!("seed={}", random.below(1 << 30));
    let begin = |name: &str, epochs: usize| {
        let epochs = format!("training.epochs={epochs}");
        run::begin(
            name,
            &[&seed, &epochs, "data.limit=256", "network.dense=[16]"],
        )
    };
    let mut chain = Chain::default();
    let mut last = 0;
    let mut strays = Default::default();
    while chain.kills < count && !budget.is_spent() {
        // Without a recipe on disk there is no run yet.
        let args = match folder.join("config.toml").is_file() {
            true => run::resume(name),
            false => begin(name, 100_000),
        };
        let mut child = run::start(sandbox, &args)?;
        thread::sleep(random.time(Duration::from_millis(400)));
        child.kill()?;
        let status = child.wait()?;
        let text = run::stderr(&mut child)?;
        ensure!(status.code().is_none(), "it ended by itself: {text}");
        ensure!(
            !text.contains("warning") && !text.contains("error"),
            "{text}"
        );
        chain.kills += 1;
        if let Some(line) = text.lines().find(|line| line.starts_with("going on")) {
            ensure!(
                line == format!("going on after epoch {last}"),
                "{line}, but the last whole checkpoint was that of epoch {last}"
            );
            chain.resumed += 1;
        }
        if text.contains("run folder:") {
            ensure!(
                last == 0 || text.contains("going on"),
                "it began again: {text}"
            );
        }
        // Once the first epoch is done, all preparations are behind it.
        if text.lines().any(|line| line.starts_with("epoch ")) {
            let left = run::strays(&folder);
            let stray: Vec<_> = left.intersection(&strays).collect();
            ensure!(
                stray.is_empty(),
                "left over by an earlier process: {stray:?}"
            );
        }
        run::check_whole(sandbox, name)?;
        let newest = run::epochs(&folder).last().copied().unwrap_or(0);
        ensure!(
            newest >= last,
            "epoch {last} was lost: the newest is {newest}"
        );
        last = newest;
        strays = run::strays(&folder);
    }
    chain.epochs = last.max(1);
    // Ends the run where it is, and makes another of the same length in one go.
    let epochs = format!("training.epochs={}", chain.epochs);
    let mut args = run::resume(name);
    args.extend(["--set".into(), epochs]);
    if !folder.join("config.toml").is_file() {
        args = begin(name, chain.epochs);
    }
    run::succeed(sandbox, &args)?;
    run::succeed(sandbox, &begin("whole", chain.epochs))?;
    run::check_equal(&sandbox.path("whole"), &folder).context("after the last kill")?;
    let left = run::strays(&folder);
    ensure!(left.is_empty(), "left over at the end: {left:?}");
    std::fs::remove_dir_all(sandbox.path("whole"))?;
    Ok(chain)
}
