//! What a run that goes on finds in its folder, and what it makes of it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use tests::{Sandbox, root};

/// Changes that let a finished run be given more epochs.
const CONSTANT: [&str; 4] = [
    "--set",
    "schedule={kind=\"constant\"}",
    "--set",
    "training.plain_epochs=0",
];

fn edit(sandbox: &Sandbox, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(sandbox.path(file)).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(sandbox.path(file), text.replacen(from, to, 1)).unwrap();
}

fn flip(sandbox: &Sandbox, file: &str) {
    let mut bytes = sandbox.bytes(file);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(sandbox.path(file), bytes).unwrap();
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let left = [
        "run/.partial-summary",
        "run/checkpoints/.partial-file",
        "run/metrics.jsonl.partial",
    ];
    for name in left {
        fs::write(sandbox.path(name), "half").unwrap();
    }
    fs::create_dir(sandbox.path("run/checkpoints/.partial-folder")).unwrap();
    sandbox.succeed("train", &["--resume", "run"]);
    for name in left.iter().chain(&["run/checkpoints/.partial-folder"]) {
        assert!(!sandbox.path(name).exists(), "{name}");
    }
}

#[test]
fn a_run_that_died_before_it_had_a_recipe_can_be_started_again_in_its_folder() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("run")).unwrap();
    fs::write(sandbox.path("run/.lock"), "").unwrap();
    fs::write(sandbox.path("run/.partial-config"), "seed = ").unwrap();
    sandbox.train("run", &[]);
    assert!(!sandbox.path("run/.partial-config").exists());
}

#[test]
fn an_edited_recipe_is_not_the_one_that_the_checkpoints_state() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    for (from, to) in [
        ("seed = 0", "seed = 1"),
        ("beta_2 = 0.999", "beta_2 = 0.99"),
        ("limit = 4000", "limit = 3000"),
    ] {
        edit(&sandbox, "run/config.toml", from, to);
        let error = sandbox.fail("train", &["--resume", "run"]);
        assert!(
            error.contains("config.toml") && error.contains("epoch-002"),
            "{error}"
        );
        edit(&sandbox, "run/config.toml", to, from);
    }
    sandbox.succeed("train", &["--resume", "run"]);
}

#[test]
fn a_damaged_recipe_is_named() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let text = sandbox.bytes("run/config.toml");
    fs::write(sandbox.path("run/config.toml"), &text[..100]).unwrap();
    let error = sandbox.fail("train", &["--resume", "run"]);
    assert!(error.contains("run/config.toml"), "{error}");
}

#[test]
fn without_its_best_epoch_a_run_goes_back_to_where_it_ends_the_same() {
    let sandbox = Sandbox::new();
    sandbox.train("whole", &[]);
    sandbox.train("run", &[]);
    // The last epoch stands, but says that an epoch that is gone was the best.
    fs::create_dir(sandbox.path("run/checkpoints/epoch-001")).unwrap();
    flip(&sandbox, "run/checkpoints/epoch-002/optimizer.bpk");
    let outcome = sandbox.succeed("train", &["--resume", "run"]);
    assert!(
        outcome.stderr.contains("epoch-002/optimizer.bpk"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("epoch-001"), "{}", outcome.stderr);
    assert_eq!(
        sandbox.bytes("whole/model/model.bpk"),
        sandbox.bytes("run/model/model.bpk")
    );
    let metrics = |run: &str| {
        let text = String::from_utf8(sandbox.bytes(&format!("{run}/metrics.jsonl"))).unwrap();
        text.lines().count()
    };
    assert_eq!(
        metrics("whole"),
        metrics("run"),
        "begun again, nothing is noted twice"
    );
}

#[test]
fn checkpoints_that_a_newer_program_wrote_are_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let folder = sandbox.path("run/checkpoints/epoch-002");
    edit(
        &sandbox,
        "run/checkpoints/epoch-002/checkpoint.json",
        "\"version\": 1",
        "\"version\": 9",
    );
    let sums = std::process::Command::new("sha256sum")
        .args([
            "checkpoint.json",
            "model.bpk",
            "optimizer.bpk",
            "scheduler.bpk",
        ])
        .current_dir(&folder)
        .output()
        .unwrap();
    fs::write(folder.join("SHA256SUMS"), sums.stdout).unwrap();
    let error = sandbox.fail("train", &["--resume", "run"]);
    assert!(
        error.contains("version 9") && error.contains("update"),
        "{error}"
    );
    assert!(folder.join("optimizer.bpk").is_file());
}

#[test]
fn a_checkpoint_of_another_epoch_is_passed_over() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &CONSTANT);
    let checkpoints = sandbox.path("run/checkpoints");
    fs::rename(checkpoints.join("epoch-002"), checkpoints.join("epoch-007")).unwrap();
    let outcome = sandbox.succeed("train", &["--resume", "run"]);
    assert!(outcome.stderr.contains("epoch-007"), "{}", outcome.stderr);
    assert_eq!(sandbox.json("run/summary.json")["epochs"], 2);
}

#[test]
fn damaged_metrics_cost_the_damaged_lines_only() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &CONSTANT);
    let mut bytes = sandbox.bytes("run/metrics.jsonl");
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
    bytes.truncate(bytes.len() - 30);
    bytes.extend(b"\xff\xfe\0garbage");
    fs::write(sandbox.path("run/metrics.jsonl"), bytes).unwrap();
    sandbox.succeed("train", &["--resume", "run", "--set", "training.epochs=3"]);
    let text = String::from_utf8(sandbox.bytes("run/metrics.jsonl")).unwrap();
    let epochs: Vec<u64> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["epoch"].as_u64().unwrap())
        .collect();
    let finished = epochs.iter().filter(|&&epoch| epoch < 3).count();
    assert_eq!(finished, lines - 1);
    assert!(epochs.contains(&3));
}

#[test]
fn more_epochs_are_refused_where_they_would_change_those_that_are_done() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let more = ["--resume", "run", "--set", "training.epochs=3"];
    let error = sandbox.fail("train", &more);
    assert!(error.contains("one-cycle"), "{error}");
    sandbox.train("plain", &CONSTANT[..2]);
    let error = sandbox.fail(
        "train",
        &["--resume", "plain", "--set", "training.epochs=3"],
    );
    assert!(error.contains("augmentation"), "{error}");
}

#[test]
fn values_that_only_the_end_of_a_run_needs_are_checked_at_its_beginning() {
    let sandbox = Sandbox::new();
    for (change, key) in [
        ("calibration.target_risk=2", "calibration.target_risk"),
        (
            "calibration.conformal_levels=[0.9,1.0]",
            "calibration.conformal_levels",
        ),
        (
            "calibration.in_distribution_share=0",
            "calibration.in_distribution_share",
        ),
    ] {
        let error = sandbox.fail("train", &["--set", change]);
        assert!(error.contains(key), "{change}: {error}");
    }
}

#[test]
fn a_run_whose_reader_goes_away_trains_to_its_end() {
    let sandbox = Sandbox::new();
    let smoke = tests::smoke();
    let mut child = sandbox
        .command("train", &["--config", &smoke, "--run-dir", "run"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // `train 2>&1 | head -1`
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    reader.read_line(&mut String::new()).unwrap();
    drop(reader);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    sandbox.succeed("digits", &["verify", "run"]);
}

#[test]
fn the_golden_training_checkpoint_can_still_be_trained_on() {
    let golden = root().join("crates/model/tests/golden/v1");
    let sandbox = Sandbox::new();
    let checkpoint = sandbox.path("run/checkpoints/epoch-002");
    fs::create_dir_all(&checkpoint).unwrap();
    fs::copy(
        golden.join("training-config.toml"),
        sandbox.path("run/config.toml"),
    )
    .unwrap();
    for entry in fs::read_dir(golden.join("training")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), checkpoint.join(entry.file_name())).unwrap();
    }
    let more = ["--resume", "run", "--set", "training.epochs=3"];
    let outcome = sandbox.succeed("train", &more);
    assert!(
        outcome.stderr.contains("going on after epoch 2"),
        "{}",
        outcome.stderr
    );
    assert_eq!(sandbox.json("run/summary.json")["epochs"], 3);
}
