//! Stopped after every epoch and killed at random moments, a run ends in the same bits.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tests::Sandbox;

use tests::random::Random;

use crate::{Budget, run};

const EPOCHS: usize = 6;

pub fn test(sandbox: &Sandbox, budget: &Budget, random: &mut Random) -> Result<String> {
    run::write_data(sandbox)?;
    let kills = budget.count(20);
    let mut done = String::new();
    for backend in ["ndarray", "flex"] {
        let begin = |name: &str| {
            let epochs = format!("training.epochs={EPOCHS}");
            let changes = [epochs.as_str(), "schedule={kind=\"one-cycle\",warmup=0.3}"];
            let mut args = run::begin(name, &changes);
            args.extend(["--backend".into(), backend.into()]);
            args
        };
        let began = Instant::now();
        run::succeed(sandbox, &begin("whole"))?;
        let whole = sandbox.path("whole");
        let length = began.elapsed();

        let mut stops = 0;
        for epoch in 1..EPOCHS {
            let stopped_after = stop_after(sandbox, &begin("stopped"), epoch)?;
            ensure!(
                (epoch..EPOCHS).contains(&stopped_after),
                "{backend}: stopped after epoch {stopped_after} instead of {epoch}"
            );
            run::succeed(sandbox, &run::resume("stopped"))?;
            run::check_equal(&whole, &sandbox.path("stopped"))?;
            std::fs::remove_dir_all(sandbox.path("stopped"))?;
            stops += 1;
        }
        let mut killed = 0;
        while killed < kills && !budget.is_spent() {
            let mut child = run::start(sandbox, &begin("killed"))?;
            thread::sleep(random.time(length));
            child.kill()?;
            child.wait()?;
            match sandbox.path("killed/config.toml").is_file() {
                true => run::succeed(sandbox, &run::resume("killed"))?,
                false => run::succeed(sandbox, &begin("killed"))?,
            };
            run::check_equal(&whole, &sandbox.path("killed"))?;
            std::fs::remove_dir_all(sandbox.path("killed"))?;
            killed += 1;
        }
        std::fs::remove_dir_all(whole)?;
        done += &format!("{backend}: {stops} stops and {killed} kills, ");
    }
    Ok(format!(
        "{done}all bit-equal to the run that was never stopped"
    ))
}

/// Trains until an epoch is saved, then sends SIGTERM; returns the epoch after which it stopped.
fn stop_after(sandbox: &Sandbox, args: &[String], epoch: usize) -> Result<usize> {
    let mut child = run::start(sandbox, args)?;
    let saved = sandbox.path(&format!("stopped/checkpoints/epoch-{epoch:03}"));
    while !saved.is_dir() {
        ensure!(child.try_wait()?.is_none(), "it ended before epoch {epoch}");
        thread::sleep(Duration::from_millis(1));
    }
    Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()?;
    let status = child.wait()?;
    let text = run::stderr(&mut child)?;
    ensure!(
        status.code() == Some(143),
        "SIGTERM ends it with {status}: {text}"
    );
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("stopped after epoch "));
    let number = line.and_then(|line| line.split(' ').next()?.parse().ok());
    ensure!(text.contains("train --resume stopped"), "{text}");
    Ok(number.unwrap_or_default())
}
