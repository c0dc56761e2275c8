//! Damage to the files of a checkpoint: all of it is refused, and the file named.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::Sandbox;

use tests::random::Random;

use crate::{Budget, run};

const FILES: [&str; 6] = [
    "SHA256SUMS",
    "checkpoint.json",
    "live.bpk",
    "model.bpk",
    "optimizer.bpk",
    "scheduler.bpk",
];
/// Copies of the checkpoint that one `digits verify` reads.
const BATCH: usize = 64;

/// Flips single bits, half of them in proportion to size, half evenly over the files.
pub fn flip(sandbox: &Sandbox, budget: &Budget, random: &mut Random) -> Result<String> {
    let sizes = copies(sandbox)?;
    let total: usize = sizes.iter().sum();
    let count = budget.count(10_000);
    let mut flips = [0; FILES.len()];
    let mut done = 0;
    while done < count && !budget.is_spent() {
        let batch: Vec<_> = (0..BATCH.min(count - done))
            .map(|copy| {
                let file = if (done + copy) % 2 == 0 {
                    let mut place = random.below(total);
                    let before = |size: &&usize| {
                        let beyond = place >= **size;
                        place -= if beyond { **size } else { 0 };
                        beyond
                    };
                    sizes.iter().take_while(before).count()
                } else {
                    random.below(FILES.len())
                };
                (file, random.below(sizes[file]), 1 << random.below(8))
            })
            .collect();
        let toggle = || -> Result<()> {
            for (copy, &(file, place, bit)) in batch.iter().enumerate() {
                toggle(&sandbox.path(&name(copy)).join(FILES[file]), place, bit)?;
            }
            Ok(())
        };
        toggle()?;
        let damaged: Vec<_> = batch.iter().map(|&(file, ..)| FILES[file]).collect();
        check_refused(sandbox, &damaged)
            .with_context(|| format!("file, byte and bit of each copy: {batch:?}"))?;
        toggle()?;
        batch.iter().for_each(|&(file, ..)| flips[file] += 1);
        done += batch.len();
    }
    check_whole(sandbox)?;
    let each: Vec<_> = FILES
        .iter()
        .zip(flips)
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    Ok(format!(
        "{done} single-bit flips over {total} bytes ({}), all refused by name",
        each.join(", ")
    ))
}

/// Cuts every file at every 4 KiB, then takes away, adds and swaps files.
pub fn truncate(sandbox: &Sandbox, budget: &Budget) -> Result<String> {
    let sizes = copies(sandbox)?;
    let cuts: Vec<(usize, usize)> = (0..FILES.len())
        .flat_map(|file| {
            let last = sizes[file] - 1;
            (0..last)
                .step_by(4096)
                .chain([last])
                .map(move |length| (file, length))
        })
        .collect();
    let mut done = 0;
    for cuts in cuts.chunks(BATCH) {
        if budget.is_spent() {
            break;
        }
        let mut whole = Vec::new();
        for (copy, &(file, length)) in cuts.iter().enumerate() {
            let path = sandbox.path(&name(copy)).join(FILES[file]);
            whole.push((path.clone(), fs::read(&path)?));
            File::options()
                .write(true)
                .open(&path)?
                .set_len(length as u64)?;
        }
        let damaged: Vec<_> = cuts.iter().map(|&(file, _)| FILES[file]).collect();
        check_refused(sandbox, &damaged).with_context(|| format!("cut at {cuts:?}"))?;
        for (path, bytes) in whole {
            fs::write(path, bytes)?;
        }
        done += cuts.len();
    }
    check_whole(sandbox)?;
    let others = misplace(sandbox)?;
    Ok(format!(
        "{done} cuts and {others} missing, added and swapped files, all refused by name"
    ))
}

/// One file missing, added, or swapped with another in each copy.
fn misplace(sandbox: &Sandbox) -> Result<usize> {
    let mut damaged = Vec::new();
    let mut next = |file: &'static str| -> PathBuf {
        damaged.push(file);
        sandbox.path(&name(damaged.len() - 1))
    };
    for file in FILES {
        fs::remove_file(next(file).join(file))?;
    }
    for added in ["notes.txt", "model.bpk.bak", ".hidden"] {
        fs::write(next(added).join(added), "mine")?;
    }
    for (index, &file) in FILES.iter().enumerate() {
        for other in &FILES[index + 1..] {
            let folder = next(file);
            fs::rename(folder.join(file), folder.join("aside"))?;
            fs::rename(folder.join(other), folder.join(file))?;
            fs::rename(folder.join("aside"), folder.join(other))?;
        }
    }
    check_refused(sandbox, &damaged)?;
    Ok(damaged.len())
}

/// Copies of a training checkpoint of the default network, and the sizes of its files.
fn copies(sandbox: &Sandbox) -> Result<Vec<usize>> {
    run::write_data(sandbox)?;
    let network = "network.blocks=[{channels=16,kernel=3},{channels=32,kernel=3}]";
    let changes = [
        network,
        "network.dense=[128]",
        "training.epochs=1",
        "data.limit=256",
    ];
    run::succeed(sandbox, &run::begin("run", &changes))?;
    let checkpoint = sandbox.path("run/checkpoints/epoch-001");
    for copy in 0..BATCH {
        fs::create_dir(sandbox.path(&name(copy)))?;
        for file in FILES {
            fs::copy(checkpoint.join(file), sandbox.path(&name(copy)).join(file))?;
        }
    }
    let size = |file| Ok(fs::metadata(checkpoint.join(file))?.len() as usize);
    FILES.iter().map(size).collect()
}

fn name(copy: usize) -> String {
    format!("copy-{copy}")
}

fn toggle(path: &PathBuf, place: usize, bit: u8) -> Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(place as u64))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(place as u64))?;
    file.write_all(&[byte[0] ^ bit])?;
    Ok(())
}

/// What `digits verify` says of the first copies, one answer each.
fn verify(sandbox: &Sandbox, count: usize) -> Result<Vec<Value>> {
    let names: Vec<_> = (0..count).map(name).collect();
    let mut args = vec!["verify", "--json"];
    args.extend(names.iter().map(String::as_str));
    let outcome = sandbox.run("digits", &args);
    let lines = outcome.stdout.lines().map(serde_json::from_str);
    let answers = lines.collect::<Result<Vec<Value>, _>>()?;
    ensure!(
        answers.len() == count,
        "{count} checkpoints, {}",
        outcome.stderr
    );
    Ok(answers)
}

fn check_refused(sandbox: &Sandbox, damaged: &[&str]) -> Result<()> {
    for (answer, file) in verify(sandbox, damaged.len())?.iter().zip(damaged) {
        let problem = answer["problem"].as_str().unwrap_or_default();
        ensure!(
            answer["whole"] == false && problem.contains(file),
            "damage to {file} of {}: {problem:?}",
            answer["path"]
        );
    }
    Ok(())
}

fn check_whole(sandbox: &Sandbox) -> Result<()> {
    let answers = verify(sandbox, BATCH)?;
    ensure!(
        answers.iter().all(|answer| answer["whole"] == true),
        "undamaged: {answers:?}"
    );
    Ok(())
}
