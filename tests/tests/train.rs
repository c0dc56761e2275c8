//! Training as a user sees it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command},
    time::Duration,
};

use tests::Sandbox;

#[test]
fn training_learns_and_leaves_a_whole_run_folder() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.train("run", &[]);
    let summary = sandbox.json("run/summary.json");
    let accuracy = summary["test"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.8, "{accuracy}");
    let errors = summary["test"]["errors"].as_u64().unwrap();
    assert!((accuracy - (1.0 - errors as f64 / 10_000.0)).abs() < 1e-12);
    assert!(
        outcome.stdout.contains(&format!("{errors} of 10000")),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stderr.contains("before training"),
        "{}",
        outcome.stderr
    );
    for name in [
        "config.toml",
        "metrics.jsonl",
        "summary.json",
        "model/SHA256SUMS",
        "model/model.bpk",
    ] {
        assert!(sandbox.path("run").join(name).is_file(), "{name}");
    }
    for path in ["run/model", "run"] {
        sandbox.succeed("digits", &["verify", path]);
    }
}

#[test]
fn the_recipes_of_a_size_keep_to_it() {
    let sandbox = Sandbox::new();
    for (recipe, most) in [("small", 100_000), ("tiny", 2_000)] {
        let path = tests::root().join(format!("configs/{recipe}.toml"));
        let path = path.display().to_string();
        let moment = "data.limit=300,data.validation=50,training.epochs=1,training.plain_epochs=0";
        let changes = moment.split(',').flat_map(|change| ["--set", change]);
        let arguments = ["--config", &path, "--run-dir", recipe].into_iter();
        sandbox.succeed("train", &arguments.chain(changes).collect::<Vec<_>>());
        let summary = sandbox.json(&format!("{recipe}/summary.json"));
        let parameters = summary["parameters"].as_u64().unwrap();
        assert!(parameters < most, "{recipe}: {parameters}");
    }
}

#[test]
fn an_untrained_network_is_right_about_one_time_in_ten() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let text = String::from_utf8(sandbox.bytes("run/metrics.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        (first["epoch"].as_u64(), first["name"].as_str()),
        (Some(0), Some("accuracy"))
    );
    let accuracy = first["value"].as_f64().unwrap();
    assert!((0.02..0.3).contains(&accuracy), "{accuracy}");
}

#[test]
fn evaluation_finds_exactly_the_accuracy_that_training_reported() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let outcome = sandbox.succeed("digits", &["evaluate", "run/model", "--json"]);
    let evaluation: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let summary = sandbox.json("run/summary.json");
    assert_eq!(evaluation["test"]["accuracy"], summary["test"]["accuracy"]);
    assert_eq!(evaluation["test"]["errors"], summary["test"]["errors"]);
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_does_not() {
    let sandbox = Sandbox::new();
    for (run, seed) in [("a", "7"), ("b", "7"), ("c", "8")] {
        sandbox.train(run, &["--seed", seed]);
    }
    for file in [
        "model/model.bpk",
        "checkpoints/epoch-002/model.bpk",
        "checkpoints/epoch-002/optimizer.bpk",
    ] {
        assert_eq!(
            sandbox.bytes(&format!("a/{file}")),
            sandbox.bytes(&format!("b/{file}")),
            "{file}"
        );
        assert_ne!(
            sandbox.bytes(&format!("a/{file}")),
            sandbox.bytes(&format!("c/{file}")),
            "{file}"
        );
    }
    let (a, b) = (
        sandbox.json("a/summary.json"),
        sandbox.json("b/summary.json"),
    );
    assert_eq!(
        (&a["test"], &a["validation"]),
        (&b["test"], &b["validation"])
    );
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let sandbox = Sandbox::new();
    for threads in ["1", "3"] {
        let smoke = tests::smoke();
        let run = format!("threads-{threads}");
        let status = sandbox
            .command("train", &["--config", &smoke, "--run-dir", &run, "--quiet"])
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        assert!(status.status.success());
    }
    let file = |threads: &str| sandbox.bytes(&format!("threads-{threads}/model/model.bpk"));
    assert_eq!(file("1"), file("3"));
}

/// The uncompressed files of MNIST's test images and of their labels.
fn test_files() -> (Vec<u8>, Vec<u8>) {
    let unpack = |name: &str| {
        let file = fs::File::open(tests::root().join("crates/data/mnist").join(name)).unwrap();
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(file)
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    };
    (
        unpack("t10k-images-idx3-ubyte.gz"),
        unpack("t10k-labels-idx1-ubyte.gz"),
    )
}

/// Writes a data set in MNIST's format, with the same images for both splits.
fn write_set(folder: &std::path::Path, splits: [&str; 2], images: &[u8], labels: &[u8]) {
    fs::create_dir(folder).unwrap();
    for split in splits {
        fs::write(folder.join(format!("{split}-images-idx3-ubyte")), images).unwrap();
        fs::write(folder.join(format!("{split}-labels-idx1-ubyte")), labels).unwrap();
    }
}

/// Writes a data set that is not MNIST: its test images, dark on light.
fn write_inverted(folder: &std::path::Path) {
    let (mut images, labels) = test_files();
    images[16..]
        .iter_mut()
        .for_each(|pixel| *pixel = 255 - *pixel);
    write_set(folder, ["train", "t10k"], &images, &labels);
}

#[test]
fn a_limit_on_a_data_set_that_is_sorted_by_label_leaves_every_class() {
    let sandbox = Sandbox::new();
    let (images, labels) = test_files();
    let mut order: Vec<usize> = (0..10_000).collect();
    order.sort_by_key(|&index| labels[8 + index]);
    let mut sorted = (images[..16].to_vec(), labels[..8].to_vec());
    for index in order {
        sorted.0.extend(&images[16 + index * 784..][..784]);
        sorted.1.push(labels[8 + index]);
    }
    let folder = sandbox.path("sorted");
    write_set(&folder, ["train", "t10k"], &sorted.0, &sorted.1);
    sandbox.train("run", &["--data-dir", "sorted", "--set", "data.limit=2000"]);
    let summary = sandbox.json("run/summary.json");
    let accuracy = summary["test"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.7, "{accuracy}");
}

#[test]
fn images_that_lie_on_their_side_in_their_files_are_turned_and_it_is_said() {
    let sandbox = Sandbox::new();
    let (images, labels) = test_files();
    let mut turned = images[..16].to_vec();
    for image in images[16..].chunks(784) {
        turned.extend((0..784).map(|place| image[place % 28 * 28 + place / 28]));
    }
    let splits = ["emnist-digits-train", "emnist-digits-test"];
    write_set(&sandbox.path("emnist"), splits, &turned, &labels);
    let outcome = sandbox.train("emnist-run", &["--data-dir", "emnist"]);
    assert!(
        outcome.stderr.contains("images are turned"),
        "{}",
        outcome.stderr
    );
    write_set(&sandbox.path("mnist"), ["train", "t10k"], &images, &labels);
    let outcome = sandbox.train("mnist-run", &["--data-dir", "mnist"]);
    assert!(!outcome.stderr.contains("turned"), "{}", outcome.stderr);
    let model = |run: &str| sandbox.bytes(&format!("{run}/model/model.bpk"));
    assert_eq!(model("emnist-run"), model("mnist-run"));
}

#[test]
fn an_epoch_that_would_end_in_a_batch_of_one_image_has_a_batch_less() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &["--set", "data.limit=129"]);
    let text = String::from_utf8(sandbox.bytes("run/metrics.jsonl")).unwrap();
    let steps = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter_map(|line| line["step"].as_u64());
    // 64 and 65 images in each of two epochs.
    assert_eq!(steps.max(), Some(4));
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_whose_name_is_no_text_is_as_good_as_any() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};
    let sandbox = Sandbox::new();
    let run = PathBuf::from(OsStr::from_bytes(b"r\xffn"));
    let recipe = PathBuf::from(OsStr::from_bytes(b"sm\xffke.toml"));
    fs::copy(tests::smoke(), sandbox.path("").join(&recipe)).unwrap();
    let short = ["--set", "data.limit=128"];
    let succeed = |args: &[&OsStr]| {
        let mut command = sandbox.command("train", &[]);
        let outcome = tests::Outcome::from(command.args(args).output().unwrap());
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    };
    let [config, run_dir, resume] = ["--config", "--run-dir", "--resume"].map(OsStr::new);
    let short = short.map(OsStr::new);
    let begin = [config, recipe.as_os_str(), run_dir, run.as_os_str()];
    succeed(&[&begin[..], &short].concat());
    succeed(&[resume, run.as_os_str()]);
    succeed(&[&begin[..2], &short].concat());
    assert!(sandbox.path("").join(&run).join("summary.json").is_file());
}

#[test]
fn another_data_set_in_the_same_format_trains_with_its_own_normalization() {
    let sandbox = Sandbox::new();
    write_inverted(&sandbox.path("inverted"));
    sandbox.train(
        "run",
        &[
            "--data-dir",
            "inverted",
            "--set",
            "data.augmentation.shift=0",
        ],
    );
    let summary = sandbox.json("run/summary.json");
    assert!(
        summary["test"]["accuracy"].as_f64().unwrap() > 0.8,
        "{}",
        summary["test"]["accuracy"]
    );
    let manifest = sandbox.json("run/model/checkpoint.json");
    let mean = manifest["normalization"]["mean"].as_f64().unwrap();
    assert!((mean - (1.0 - 0.1325)).abs() < 0.01, "{mean}");
    // A resumed run finds its data by itself, and refuses other data.
    fs::remove_dir_all(sandbox.path("run/checkpoints/epoch-002")).unwrap();
    sandbox.succeed("train", &["--resume", "run"]);
    let file = sandbox.path("inverted/train-images-idx3-ubyte");
    let mut bytes = fs::read(&file).unwrap();
    bytes[16] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let error = sandbox.fail("train", &["--resume", "run"]);
    assert!(
        error.contains("inverted") && error.contains("training images"),
        "{error}"
    );
    bytes[16] ^= 1;
    fs::write(&file, bytes).unwrap();
    // Where the files have moved, it is told where to.
    fs::rename(sandbox.path("inverted"), sandbox.path("moved")).unwrap();
    let error = sandbox.fail("train", &["--resume", "run"]);
    assert!(
        error.contains("inverted") && error.contains("--data-dir"),
        "{error}"
    );
    sandbox.succeed("train", &["--resume", "run", "--data-dir", "moved"]);
    sandbox.succeed("train", &["--resume", "run"]);
    fs::rename(sandbox.path("moved"), sandbox.path("inverted")).unwrap();
    // Not when an hour of training is done.
    fs::remove_file(sandbox.path("inverted/t10k-labels-idx1-ubyte")).unwrap();
    let error = sandbox.fail("train", &["--data-dir", "inverted", "--run-dir", "new"]);
    assert!(error.contains("t10k-labels"), "{error}");
    assert!(!sandbox.path("new").exists());
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint() {
    let sandbox = Sandbox::new();
    let smoke = tests::smoke();
    let error = sandbox.fail(
        "train",
        &[
            "--config",
            &smoke,
            "--run-dir",
            "run",
            "--set",
            "optimizer.learning_rate=1e30",
            "--set",
            "network.norm=false",
        ],
    );
    for part in [
        "step 2 ",
        "learning_rate",
        "schedule.warmup",
        "no checkpoint",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!sandbox.path("run/model").exists());
}

#[test]
fn weights_that_are_no_numbers_are_not_saved_even_if_no_loss_has_seen_them() {
    let sandbox = Sandbox::new();
    // One step an epoch and nothing held out: what a step does to the weights shows in the next epoch.
    let diverging = [
        "data.limit=64",
        "data.validation=0",
        "training.batch_size=64",
        "training.plain_epochs=0",
        "schedule={kind=\"constant\"}",
        "optimizer.learning_rate=5e4",
        "training.epochs=1",
    ];
    sandbox.train("run", &diverging.map(|change| ["--set", change]).concat());
    let error = (2..20)
        .find_map(|epochs| {
            let epochs = format!("training.epochs={epochs}");
            let outcome = sandbox.run("train", &["--resume", "run", "--set", &epochs]);
            sandbox.succeed("digits", &["verify", "run"]);
            (outcome.code != Some(0)).then_some(outcome.stderr)
        })
        .unwrap();
    for part in ["weights became", "step", "learning rate 5.000e4", "is kept"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.contains("warmup"), "{error}");
    assert!(sandbox.path("run/model").is_dir());
}

#[test]
fn training_stops_at_a_plateau() {
    let sandbox = Sandbox::new();
    let more = [
        "--set",
        "training.epochs=50",
        "--set",
        "training.patience=2",
        "--set",
        "training.min_gain=0.5",
    ];
    sandbox.train("run", &more);
    let summary = sandbox.json("run/summary.json");
    assert_eq!(
        (summary["stopped"].as_str(), summary["epochs"].as_u64()),
        (Some("plateau"), Some(3))
    );
}

#[test]
fn training_stops_when_time_no_longer_pays() {
    let sandbox = Sandbox::new();
    sandbox.train(
        "run",
        &[
            "--set",
            "training.epochs=1000",
            "--set",
            "training.time_budget=2",
        ],
    );
    let summary = sandbox.json("run/summary.json");
    assert_eq!(summary["stopped"], "time budget");
    assert!(summary["epochs"].as_u64().unwrap() < 1000);
}

#[test]
fn a_resumed_run_ends_in_the_bits_of_one_that_was_never_stopped() {
    let sandbox = Sandbox::new();
    let more = ["--set", "training.epochs=3", "--set", "network.dropout=0.1"];
    sandbox.train("whole", &more);
    // A run that died in its last epoch: what is left is the checkpoint of the one before.
    sandbox.train("cut", &more);
    let epochs = |run: &str| {
        let mut names: Vec<_> = fs::read_dir(sandbox.path(run).join("checkpoints"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let kept = epochs("cut");
    let last = kept.last().unwrap();
    assert_eq!(last, "epoch-003");
    fs::remove_dir_all(sandbox.path("cut/checkpoints").join(last)).unwrap();
    fs::remove_dir_all(sandbox.path("cut/model")).unwrap();
    sandbox.succeed("train", &["--resume", "cut"]);
    for file in [
        "model.bpk",
        "optimizer.bpk",
        "scheduler.bpk",
        "checkpoint.json",
    ] {
        let name = |run: &str| format!("{run}/checkpoints/epoch-003/{file}");
        assert_eq!(
            sandbox.bytes(&name("whole")),
            sandbox.bytes(&name("cut")),
            "{file}"
        );
    }
    assert_eq!(
        sandbox.json("whole/summary.json")["test"],
        sandbox.json("cut/summary.json")["test"]
    );
}

#[test]
fn a_run_that_died_before_its_first_checkpoint_starts_again() {
    let sandbox = Sandbox::new();
    sandbox.train("whole", &[]);
    fs::create_dir(sandbox.path("dead")).unwrap();
    fs::copy(
        sandbox.path("whole/config.toml"),
        sandbox.path("dead/config.toml"),
    )
    .unwrap();
    sandbox.succeed("train", &["--resume", "dead"]);
    assert_eq!(
        sandbox.bytes("whole/model/model.bpk"),
        sandbox.bytes("dead/model/model.bpk")
    );
}

#[test]
fn resume_passes_over_a_damaged_checkpoint_and_says_so() {
    let sandbox = Sandbox::new();
    // Without a schedule over all epochs a finished run can be given more of them.
    let constant = [
        "--set",
        "schedule={kind=\"constant\"}",
        "--set",
        "training.plain_epochs=0",
    ];
    sandbox.train("run", &constant);
    let file = sandbox.path("run/checkpoints/epoch-002/model.bpk");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let outcome = sandbox.succeed("train", &["--resume", "run", "--set", "training.epochs=3"]);
    assert!(
        outcome.stderr.contains("epoch-002/model.bpk"),
        "{}",
        outcome.stderr
    );
    assert!(sandbox.path("run/checkpoints/epoch-003").is_dir());
    assert_eq!(sandbox.json("run/summary.json")["epochs"], 3);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_the_run_and_says_how_to_go_on() {
    let sandbox = Sandbox::new();
    let smoke = tests::smoke();
    let args = [
        "--config",
        &smoke,
        "--run-dir",
        "run",
        "--set",
        "training.epochs=1000",
    ];
    let mut child = sandbox.start("train", &args);
    while !sandbox.path("run/checkpoints/epoch-001").is_dir() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "training ended by itself"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, 2);
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("train --resume run"), "{stderr}");
    sandbox.succeed("digits", &["verify", "run"]);
}

#[cfg(unix)]
fn signal(child: &Child, number: i32) {
    let kill = Command::new("kill")
        .args([format!("-{number}"), child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// Begins the run `my run` with a network so large that ten thousand images take it seconds, ends it
/// by SIGTERM after a line that begins so, and returns the lines that it says from there on.
#[cfg(unix)]
fn stop_large_run(sandbox: &Sandbox, validation: &str, line: &str) -> Vec<String> {
    let smoke = tests::smoke();
    let changes = [
        "data.limit=64",
        validation,
        "network.blocks=[{channels=64,kernel=5},{channels=128,kernel=5}]",
        "training.epochs=1",
    ];
    let mut args = vec!["--config", &smoke, "--run-dir", "my run"];
    args.extend(changes.iter().flat_map(|change| ["--set", change]));
    let mut child = sandbox.start("train", &args);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|said| said.unwrap().starts_with(line)));
    signal(&child, 15);
    let said: Vec<_> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(143), "{said:?}");
    said
}

#[cfg(unix)]
#[test]
fn the_second_ctrl_c_waits_for_nothing() {
    let sandbox = Sandbox::new();
    let smoke = tests::smoke();
    let mut args = vec!["--config", &smoke, "--run-dir", "run"];
    let short = [
        "data.limit=64",
        "data.validation=0",
        "training.epochs=100000",
    ];
    args.extend(short.iter().flat_map(|change| ["--set", change]));
    // Nobody reads what it says: when the pipe is full, it waits within a step.
    let mut child = sandbox.start("train", &args);
    let epochs = || {
        let folder = fs::read_dir(sandbox.path("run/checkpoints"));
        let names = folder.into_iter().flatten().flatten();
        let mut names: Vec<_> = names.map(|entry| entry.file_name()).collect();
        names.sort();
        names
    };
    let mut last = Vec::new();
    while last.is_empty() || last != epochs() {
        last = epochs();
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(child.try_wait().unwrap(), None, "it has ended");
    }
    signal(&child, 2);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(child.try_wait().unwrap(), None, "the first one has to wait");
    signal(&child, 2);
    std::thread::sleep(Duration::from_secs(2));
    let ended = child.try_wait().unwrap();
    let _ = child.kill();
    assert_eq!(ended.and_then(|status| status.code()), Some(130));
    sandbox.succeed("digits", &["verify", "run"]);
}

#[cfg(unix)]
#[test]
fn the_end_of_a_validation_is_not_waited_for() {
    let sandbox = Sandbox::new();
    let said = stop_large_run(&sandbox, "data.validation=20000", "run folder");
    // At its end it would say first how much was right before training.
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("stopped after epoch 0 of 1"),
        "{said:?}"
    );
}

#[cfg(unix)]
#[test]
fn the_end_of_the_examination_is_not_waited_for() {
    let sandbox = Sandbox::new();
    let said = stop_large_run(&sandbox, "data.validation=500", "epoch   1/1");
    let last = said.last().unwrap();
    assert!(last.contains("in the examination"), "{last}");
    assert!(last.ends_with("train --resume 'my run'"), "{last}");
    sandbox.succeed("digits", &["verify", "my run"]);
    let smoke = tests::smoke();
    let error = sandbox.fail("train", &["--config", &smoke, "--run-dir", "my run"]);
    assert!(error.contains("--resume 'my run'"), "{error}");
}

/// A long run in the folder `run`, and one of its files once it is there.
fn long_run(sandbox: &Sandbox, file: &str) -> Child {
    let smoke = tests::smoke();
    let epochs = "training.epochs=1000";
    let args = ["--config", &smoke, "--run-dir", "run", "--set", epochs];
    let mut child = sandbox.start("train", &args);
    while !sandbox.path(file).exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it has ended");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

#[cfg(unix)]
#[test]
fn a_run_whose_folder_was_moved_leaves_the_next_of_that_name_alone() {
    let sandbox = Sandbox::new();
    let child = long_run(&sandbox, "run/checkpoints/epoch-001");
    fs::rename(sandbox.path("run"), sandbox.path("moved")).unwrap();
    sandbox.train("run", &["--seed", "1"]);
    let error = error_of(child);
    assert!(error.contains("error: run: "), "{error}");
    let manifest = sandbox.json("run/model/checkpoint.json");
    assert_eq!(manifest["provenance"]["seed"], 1);
    sandbox.succeed("digits", &["verify", "run"]);
    sandbox.succeed("digits", &["verify", "moved"]);
}

#[cfg(unix)]
#[test]
fn a_run_whose_lock_was_taken_away_stops() {
    let sandbox = Sandbox::new();
    let child = long_run(&sandbox, "run/checkpoints/epoch-001");
    fs::remove_file(sandbox.path("run/.lock")).unwrap();
    let error = error_of(child);
    assert!(error.contains("error: run: "), "{error}");
    sandbox.succeed("digits", &["verify", "run"]);
}

#[cfg(unix)]
fn error_of(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_run_in_use_is_refused() {
    let sandbox = Sandbox::new();
    let mut child = long_run(&sandbox, "run/config.toml");
    let error = sandbox.fail("train", &["--resume", "run"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(error.contains("another `train`"), "{error}");
}
