//! What a run that goes on finds in its folder, and what it makes of it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
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

/// Copies a folder over another.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let left = ["run/.partial-summary", "run/checkpoints/.partial-file"];
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
    for (from, to, key) in [
        ("seed = 0", "seed = 1", "seed"),
        ("beta_2 = 0.999", "beta_2 = 0.99", "optimizer.beta_2"),
        ("limit = 4000", "limit = 3000", "data.limit"),
    ] {
        edit(&sandbox, "run/config.toml", from, to);
        let error = sandbox.fail("train", &["--resume", "run"]);
        assert!(
            error.contains("config.toml") && error.contains("epoch-002") && error.contains(key),
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
    fs::write(sandbox.path("run/config.toml"), &text).unwrap();
    for (from, to, key) in [
        ("epochs = 2", "epochs = 0", "training.epochs"),
        ("backend = \"", "backend = \"abacus-", "backend"),
        (
            "channels = ",
            "channels = 9000",
            "network.blocks[0].channels",
        ),
    ] {
        edit(&sandbox, "run/config.toml", from, to);
        let error = sandbox.fail("train", &["--resume", "run"]);
        assert!(
            error.contains("run/config.toml") && error.contains(key),
            "{error}"
        );
        fs::write(sandbox.path("run/config.toml"), &text).unwrap();
    }
}

#[test]
fn what_was_measured_after_the_epoch_that_a_run_goes_on_from_is_kept() {
    let sandbox = Sandbox::new();
    let more = [&CONSTANT[..], &["--set", "training.epochs=4"]].concat();
    sandbox.train("run", &more);
    let whole = sandbox.bytes("run/metrics.jsonl");
    for epoch in 1..=4 {
        let _ = fs::remove_dir_all(sandbox.path(&format!("run/checkpoints/epoch-00{epoch}")));
    }
    let outcome = sandbox.succeed("train", &["--resume", "run"]);
    for warning in [
        "checkpoints: there is no checkpoint to go on from",
        "epochs 1 to 4 is kept in run/passed-over-metrics.jsonl",
    ] {
        assert!(outcome.stderr.contains(warning), "{}", outcome.stderr);
    }
    assert_eq!(sandbox.bytes("run/passed-over-metrics.jsonl"), whole);

    // One epoch more than the checkpoints tell of is the one in flight when a process dies, and is
    // trained again; unless its checkpoint was there and is passed over.
    sandbox.train(
        "short",
        &[&CONSTANT[..], &["--set", "training.epochs=1"]].concat(),
    );
    let aside = sandbox.path("short/passed-over-metrics.jsonl");
    fs::remove_dir_all(sandbox.path("short/checkpoints")).unwrap();
    sandbox.succeed("train", &["--resume", "short"]);
    assert!(!aside.exists());
    let whole = sandbox.bytes("short/metrics.jsonl");
    fs::write(sandbox.path("short/checkpoints/epoch-001/notes"), "mine").unwrap();
    sandbox.succeed("train", &["--resume", "short"]);
    assert_eq!(fs::read(aside).unwrap(), whole);
}

#[test]
fn a_resumed_run_is_not_given_other_data_by_its_recipe() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let error = sandbox.fail("train", &["--resume", "run", "--set", "data.dir=elsewhere"]);
    assert!(error.contains("data.dir differs"), "{error}");
}

#[test]
fn the_result_is_told_even_if_it_can_not_be_written_down() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    for file in ["summary.json", "report.html"] {
        let path = sandbox.path("run").join(file);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::remove_dir_all(sandbox.path("run/model")).unwrap();
        let outcome = sandbox.run("train", &["--resume", "run"]);
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(file), "{}", outcome.stderr);
        assert!(
            outcome.stdout.contains("test accuracy"),
            "{}",
            outcome.stdout
        );
        sandbox.succeed("digits", &["verify", "run"]);
        fs::remove_dir(&path).unwrap();
        sandbox.succeed("train", &["--resume", "run"]);
    }
}

#[test]
fn a_finished_run_that_is_resumed_says_again_what_it_cost() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let first = sandbox.json("run/summary.json");
    assert!(first["train"]["images_per_second"].as_f64().unwrap() > 0.0);
    sandbox.succeed("train", &["--resume", "run"]);
    assert_eq!(sandbox.json("run/summary.json")["train"], first["train"]);
}

#[test]
fn a_finished_run_that_is_resumed_is_calibrated_to_the_same_bits() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let manifest = "run/model/checkpoint.json";
    let first = sandbox.bytes(manifest);
    assert!(sandbox.json(manifest)["calibration"]["deferral"]["n"].as_u64() > Some(0));
    fs::remove_dir_all(sandbox.path("run/model")).unwrap();
    sandbox.succeed("train", &["--resume", "run"]);
    assert_eq!(sandbox.bytes(manifest), first);
}

#[test]
fn a_history_that_can_not_have_happened_is_passed_over() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let file = "run/checkpoints/epoch-002/checkpoint.json";
    let mut manifest = sandbox.json(file);
    manifest["training"]["history"][0]["validation_accuracy"] = 2.into();
    fs::write(sandbox.path(file), manifest.to_string()).unwrap();
    sandbox.reseal("run/checkpoints/epoch-002");
    let outcome = sandbox.succeed("train", &["--resume", "run"]);
    assert!(
        outcome.stderr.contains("impossible values"),
        "{}",
        outcome.stderr
    );
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
fn what_is_passed_over_is_kept() {
    let sandbox = Sandbox::new();
    sandbox.train("whole", &CONSTANT);
    copy(&sandbox.path("whole"), &sandbox.path("run"));
    // Someone's file in the one, and the other says that an epoch that is gone was the best.
    fs::write(sandbox.path("run/checkpoints/epoch-002/notes.txt"), "").unwrap();
    sandbox.succeed("train", &["--resume", "run"]);
    let aside = "run/checkpoints/passed-over-epoch-002";
    assert!(sandbox.path(aside).join("notes.txt").is_file());
    let manifest = "run/checkpoints/epoch-002/checkpoint.json";
    let mut json = sandbox.json(manifest);
    json["training"]["history"][0]["validation_accuracy"] = 1.0.into();
    fs::write(sandbox.path(manifest), serde_json::to_vec(&json).unwrap()).unwrap();
    sandbox.reseal("run/checkpoints/epoch-002");
    let outcome = sandbox.succeed("train", &["--resume", "run"]);
    let text = outcome.stderr;
    assert!(
        text.contains(&format!("kept as {aside}: run/checkpoints/epoch-001: ")),
        "{text}"
    );
    sandbox.succeed("digits", &["verify", aside, "run"]);
    assert_eq!(
        sandbox.bytes("whole/model/model.bpk"),
        sandbox.bytes("run/model/model.bpk")
    );
}

#[test]
fn a_run_without_normalization_goes_on() {
    let sandbox = Sandbox::new();
    let plain = [&CONSTANT[..], &["--set", "network.norm=false"]].concat();
    sandbox.train("run", &plain);
    let more = ["--resume", "run", "--set", "training.epochs=3"];
    let outcome = sandbox.succeed("train", &more);
    assert!(
        outcome.stderr.contains("going on after epoch 2"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_run_can_be_named_from_inside_of_it() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    for (inside, name) in [("run", "../run"), ("run", "."), ("run/model", "..")] {
        let mut command = sandbox.command("train", &["--resume", name]);
        let output = command.current_dir(sandbox.path(inside)).output().unwrap();
        assert!(output.status.success(), "{name} from {inside}: {output:?}");
    }
}

#[test]
fn checkpoints_that_a_newer_program_wrote_are_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let folder = sandbox.path("run/checkpoints/epoch-002");
    edit(
        &sandbox,
        "run/checkpoints/epoch-002/checkpoint.json",
        "\"version\": 3",
        "\"version\": 9",
    );
    sandbox.reseal("run/checkpoints/epoch-002");
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
fn a_best_epoch_of_another_run_is_not_published() {
    let sandbox = Sandbox::new();
    sandbox.train("whole", &CONSTANT);
    let another = ["--seed", "1", "--set", "training.epochs=1"];
    sandbox.train("other", &[&CONSTANT[..], &another].concat());
    copy(&sandbox.path("whole"), &sandbox.path("run"));
    // The last epoch now says that the first was the best, and that one comes from elsewhere.
    let manifest = "run/checkpoints/epoch-002/checkpoint.json";
    let mut json = sandbox.json(manifest);
    json["training"]["history"][0]["validation_accuracy"] = 1.0.into();
    fs::write(sandbox.path(manifest), serde_json::to_vec(&json).unwrap()).unwrap();
    sandbox.reseal("run/checkpoints/epoch-002");
    let first = "checkpoints/epoch-001";
    copy(
        &sandbox.path(&format!("other/{first}")),
        &sandbox.path(&format!("run/{first}")),
    );
    let error = sandbox.fail("train", &["--resume", "run"]);
    assert!(error.contains("epoch-001, which someone"), "{error}");
    assert!(sandbox.path("run/checkpoints/epoch-002").is_dir());
    assert_eq!(
        sandbox.bytes("whole/model/model.bpk"),
        sandbox.bytes("run/model/model.bpk")
    );
}

#[test]
fn files_of_another_network_or_another_step_are_passed_over() {
    let sandbox = Sandbox::new();
    sandbox.train("whole", &[]);
    sandbox.train("wider", &["--set", "network.dense=[48]"]);
    sandbox.train("longer", &["--set", "data.limit=4200"]);
    let last = "checkpoints/epoch-002";
    for (file, from) in [
        ("optimizer.bpk", format!("whole/{last}/model.bpk")),
        ("optimizer.bpk", format!("whole/{last}/scheduler.bpk")),
        ("optimizer.bpk", format!("wider/{last}/optimizer.bpk")),
        ("optimizer.bpk", format!("longer/{last}/optimizer.bpk")),
        ("scheduler.bpk", format!("longer/{last}/scheduler.bpk")),
        ("scheduler.bpk", format!("whole/{last}/model.bpk")),
        ("model.bpk", format!("wider/{last}/model.bpk")),
        ("*", format!("wider/{last}")),
    ] {
        let _ = fs::remove_dir_all(sandbox.path("run"));
        copy(&sandbox.path("whole"), &sandbox.path("run"));
        let checkpoint = format!("run/{last}");
        if file == "*" {
            // All of the other network but what is stated of its recipe.
            let mut manifest = sandbox.json(&format!("{from}/checkpoint.json"));
            manifest["provenance"] =
                sandbox.json(&format!("{checkpoint}/checkpoint.json"))["provenance"].take();
            copy(&sandbox.path(&from), &sandbox.path(&checkpoint));
            let manifest = serde_json::to_vec(&manifest).unwrap();
            fs::write(
                sandbox.path(&format!("{checkpoint}/checkpoint.json")),
                manifest,
            )
            .unwrap();
        } else {
            fs::copy(
                sandbox.path(&from),
                sandbox.path(&format!("{checkpoint}/{file}")),
            )
            .unwrap();
        }
        sandbox.reseal(&checkpoint);
        let outcome = sandbox.succeed("train", &["--resume", "run"]);
        let named = if file == "*" { "checkpoint.json" } else { file };
        assert!(
            outcome.stderr.contains(&format!("epoch-002/{named}")),
            "{file} from {from}: {}",
            outcome.stderr
        );
        assert_eq!(
            sandbox.bytes("whole/model/model.bpk"),
            sandbox.bytes("run/model/model.bpk"),
            "{file} from {from}"
        );
    }
}

#[test]
fn damaged_metrics_cost_the_damaged_lines_only_and_are_named() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &CONSTANT);
    let mut bytes = sandbox.bytes("run/metrics.jsonl");
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
    bytes[1] = 0;
    bytes.truncate(bytes.len() - 30);
    bytes.extend(b"\xff\xfe\0garbage");
    fs::write(sandbox.path("run/metrics.jsonl"), bytes).unwrap();
    let resumed = sandbox.succeed("train", &["--resume", "run", "--set", "training.epochs=3"]);
    let warning = "metrics.jsonl: lines that are no measurements, removed: 1";
    assert!(resumed.stderr.contains(warning), "{}", resumed.stderr);
    let text = String::from_utf8(sandbox.bytes("run/metrics.jsonl")).unwrap();
    let epochs: Vec<u64> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["epoch"].as_u64().unwrap())
        .collect();
    let finished = epochs.iter().filter(|&&epoch| epoch < 3).count();
    assert_eq!(finished, lines - 2);
    assert!(epochs.contains(&3));

    fs::remove_file(sandbox.path("run/metrics.jsonl")).unwrap();
    let resumed = sandbox.succeed("train", &["--resume", "run", "--set", "training.epochs=4"]);
    assert!(
        resumed
            .stderr
            .contains("metrics.jsonl: it says nothing of 3 of the 3 epochs"),
        "{}",
        resumed.stderr
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_or_an_endless_file_is_not_waited_for() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    for name in [".lock", "metrics.jsonl"] {
        let path = sandbox.path(&format!("run/{name}"));
        for endless in [false, true] {
            fs::remove_file(&path).unwrap();
            if endless {
                std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
            } else {
                let made = Command::new("mkfifo").arg(&path).status().unwrap();
                assert!(made.success());
            }
            let error = sandbox.fail("train", &["--resume", "run"]);
            assert!(
                error.contains(name) && error.contains("not a regular"),
                "{error}"
            );
        }
        fs::remove_file(&path).unwrap();
    }
    sandbox.succeed("train", &["--resume", "run"]);
    let error = sandbox.fail("train", &["--config", "/dev/zero"]);
    assert!(error.contains("megabyte"), "{error}");
}

#[test]
fn other_epochs_are_refused_where_they_would_change_those_that_are_done() {
    let sandbox = Sandbox::new();
    sandbox.train("constant", &CONSTANT);
    let fewer = ["--resume", "constant", "--set", "training.epochs=1"];
    let error = sandbox.fail("train", &fewer);
    assert!(error.contains("finished 2 epochs"), "{error}");
    sandbox.train("run", &[]);
    let more = ["--resume", "run", "--set", "training.epochs=3"];
    let error = sandbox.fail("train", &more);
    assert!(error.contains("one-cycle"), "{error}");
    sandbox.train("plain", &CONSTANT[..2]);
    let error = sandbox.fail(
        "train",
        &["--resume", "plain", "--set", "training.epochs=3"],
    );
    for part in ["epochs 2 to 2", "augmentation", "training.plain_epochs=2"] {
        assert!(error.contains(part), "{error}");
    }
    let plain = |count: usize| format!("training.plain_epochs={count}");
    let with = |epochs: &str, plain: &str| {
        let epochs = format!("training.epochs={epochs}");
        sandbox.run(
            "train",
            &["--resume", "plain", "--set", &epochs, "--set", plain],
        )
    };
    let outcome = with("4", &plain(4));
    assert!(
        outcome.stderr.contains("epochs 2 to 2"),
        "{}",
        outcome.stderr
    );
    assert_eq!(with("4", &plain(3)).code, Some(0));
}

#[test]
fn a_run_with_plain_epochs_is_extended_where_none_of_them_is_done() {
    let sandbox = Sandbox::new();
    let with = |changes: &[&str]| {
        let common = ["schedule.kind=constant", "training.min_gain=0.9"];
        let all = common.iter().chain(changes);
        all.flat_map(|change| ["--set", change])
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let train = |run: &str, changes: &[&str]| {
        let args = with(changes);
        sandbox.train(run, &args.iter().map(String::as_str).collect::<Vec<_>>());
    };
    train("whole", &["training.epochs=4", "training.patience=50"]);
    // Ends at a plateau before its third epoch, which would have been the plain one.
    train("run", &["training.epochs=3", "training.patience=1"]);
    assert_eq!(sandbox.json("run/summary.json")["epochs"], 2);
    let mut more = vec!["--resume", "run", "--set", "training.epochs=4"];
    more.extend(["--set", "training.patience=50"]);
    let too_plain = [&more[..], &["--set", "training.plain_epochs=3"]].concat();
    let error = sandbox.fail("train", &too_plain);
    assert!(
        error.contains("epoch 2 is done") && error.contains("2 plain epochs"),
        "{error}"
    );
    sandbox.succeed("train", &more);
    let model = |run: &str| sandbox.bytes(&format!("{run}/checkpoints/epoch-004/model.bpk"));
    assert_eq!(model("whole"), model("run"));
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

#[cfg(unix)]
#[test]
fn a_run_resumed_through_a_link_stays_where_it_is_when_the_link_moves_on() {
    use std::os::unix::fs::symlink;
    let sandbox = Sandbox::new();
    sandbox.train("one", &CONSTANT);
    sandbox.train("other", &["--seed", "1"]);
    let link = sandbox.path("latest");
    symlink("one", &link).unwrap();
    let mut child = sandbox
        .command(
            "train",
            &["--resume", "latest", "--set", "training.epochs=5"],
        )
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("going on")));
    fs::remove_file(&link).unwrap();
    symlink("other", &link).unwrap();
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(sandbox.json("one/summary.json")["epochs"], 5);
    assert_eq!(sandbox.json("other/summary.json")["epochs"], 2);
    sandbox.succeed("digits", &["verify", "other"]);
}

#[test]
fn golden_training_checkpoints_can_still_be_trained_on() {
    for version in ["v1", "v2"] {
        let golden = root().join("crates/model/tests/golden").join(version);
        let sandbox = Sandbox::new();
        copy(
            &golden.join("training"),
            &sandbox.path("run/checkpoints/epoch-002"),
        );
        fs::copy(
            golden.join("training-config.toml"),
            sandbox.path("run/config.toml"),
        )
        .unwrap();
        let more = ["--resume", "run", "--set", "training.epochs=3"];
        let outcome = sandbox.succeed("train", &more);
        assert!(
            outcome.stderr.contains("going on after epoch 2"),
            "{}",
            outcome.stderr
        );
        assert_eq!(sandbox.json("run/summary.json")["epochs"], 3);
    }
}
