//! A lender killed, or stopped so that it hangs, at random moments of a run that computes on it.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tests::{
    Sandbox,
    lender::{Lender, TOKEN},
    random::Random,
};

use crate::{Budget, run};

/// Losses that one run has to bear before it goes on to its end.
const CHAIN: usize = 20;

/// How long a lender may be silent, in seconds.
const PATIENCE: u64 = 2;

/// The longest that the end of a run takes after its lender is lost.
const LONGEST: Duration = Duration::from_secs(PATIENCE + 13);

pub fn test(sandbox: &Sandbox, budget: &Budget, random: &mut Random) -> Result<String> {
    run::write_data(sandbox)?;
    let count = budget.count(100);
    let (mut lost, mut hung, mut resumed, mut runs) = (0, 0, 0, 0);
    let mut slowest = Duration::ZERO;
    while lost < count && !budget.is_spent() {
        let name = format!("run-{runs}");
        let folder = sandbox.path(&name);
        let begin = |epochs: &str| run::begin(&name, &["data.limit=256", epochs]);
        for _ in 0..CHAIN.min(count - lost) {
            let mut lender = Lender::start(sandbox, "flex");
            let mut args = match folder.join("config.toml").is_file() {
                true => run::resume(&name),
                false => begin("training.epochs=100000"),
            };
            let patience = PATIENCE.to_string();
            for option in [
                "--device",
                &lender.address,
                "--token-file",
                TOKEN,
                "--patience",
                &patience,
            ] {
                args.push(option.to_owned());
            }
            let options: Vec<&str> = args.iter().map(String::as_str).collect();
            let mut child = sandbox
                .command("train", &options)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()?;
            thread::sleep(random.time(Duration::from_millis(2500)));
            let hang = random.below(4) == 0;
            match hang {
                true => lender.signal("STOP"),
                false => lender.kill(),
            }
            let began = Instant::now();
            while child.try_wait()?.is_none() {
                ensure!(
                    began.elapsed() < LONGEST,
                    "still running {LONGEST:?} after its lender was lost"
                );
                thread::sleep(Duration::from_millis(10));
            }
            slowest = slowest.max(began.elapsed());
            let status = child.wait()?;
            let text = run::stderr(&mut child)?;
            let errors = text.lines().filter(|line| line.starts_with("error: "));
            let errors: Vec<&str> = errors.collect();
            ensure!(status.code() == Some(1), "it ended with {status}: {text}");
            ensure!(errors.len() == 1, "{text}");
            ensure!(errors[0].contains(&lender.address), "{text}");
            ensure!(!text.contains("panicked"), "{text}");
            if folder.exists() {
                run::check_whole(sandbox, &name)?;
            }
            lost += 1;
            hung += usize::from(hang);
            resumed += usize::from(text.contains("going on"));
        }
        // The run is ended here, on no lender.
        if folder.join("config.toml").is_file() {
            let newest = run::epochs(&folder).last().copied().unwrap_or(1);
            let mut args = run::resume(&name);
            args.extend(["--set".into(), format!("training.epochs={newest}")]);
            run::succeed(sandbox, &args).context("without a lender")?;
            std::fs::remove_dir_all(&folder)?;
        }
        runs += 1;
    }
    Ok(format!(
        "{lost} lenders lost, {hung} of them hung, in {runs} runs: every run ended with one line that named its \
         lender, {:.1} s later at most; no checkpoint was damaged, {resumed} starts went on after one, and every run \
         came to its end without a lender",
        slowest.as_secs_f64()
    ))
}
