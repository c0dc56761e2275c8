//! Every bad input gives one clear line, a non-zero exit, and costs nothing that was on disk.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use tests::{Outcome, Sandbox, pretrained, root, smoke};

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    let sandbox = Sandbox::new();
    let text = fs::read_to_string(smoke())
        .unwrap()
        .replace("batch_size", "bach_size");
    fs::write(sandbox.path("recipe.toml"), text).unwrap();
    let error = sandbox.fail("train", &["--config", "recipe.toml"]);
    assert!(
        error.contains("recipe.toml") && error.contains("did you mean `batch_size`"),
        "{error}"
    );
    let error = sandbox.fail("train", &["--set", "trainig.epochs=3"]);
    assert!(error.contains("did you mean `training`"), "{error}");
}

#[test]
fn a_key_without_its_section_or_as_others_call_it_names_the_full_one() {
    let sandbox = Sandbox::new();
    for (typed, key) in [
        ("lr", "optimizer.learning_rate"),
        ("learning-rate", "optimizer.learning_rate"),
        ("training.lr", "optimizer.learning_rate"),
        ("training.learning_rate", "optimizer.learning_rate"),
        ("momentum", "optimizer.beta_1"),
        ("weight_decay", "optimizer.weight_decay"),
        ("batch_size", "training.batch_size"),
        ("batchSize", "training.batch_size"),
        ("optimizer.epochs", "training.epochs"),
        ("epochs", "training.epochs"),
        ("epoch", "training.epochs"),
        ("patience", "training.patience"),
        ("limit", "data.limit"),
        ("validation", "data.validation"),
        ("dropout", "network.dropout"),
        ("rotation", "data.augmentation.rotation"),
        ("data.rotation", "data.augmentation.rotation"),
        ("warmup", "schedule.warmup"),
        ("target_risk", "calibration.target_risk"),
    ] {
        let error = sandbox.fail("train", &["--set", &format!("{typed}=1")]);
        let full = format!("no key `{typed}`; did you mean `{key}`?");
        assert!(error.contains(&full), "{typed}: {error}");
    }
    // In a file too, with its line.
    let text = fs::read_to_string(smoke())
        .unwrap()
        .replace("epochs = 2", "epochs = 2\nlr = 0.1");
    fs::write(sandbox.path("recipe.toml"), text).unwrap();
    let error = sandbox.fail("train", &["--config", "recipe.toml"]);
    for part in ["line 2", "`lr`", "did you mean `optimizer.learning_rate`?"] {
        assert!(error.contains(part), "{error}");
    }
    let error = sandbox.fail("train", &["--set", "training=5"]);
    assert!(
        error.contains("section") && error.contains("training.epochs"),
        "{error}"
    );
}

#[test]
fn the_kind_of_schedule_is_changed_by_its_own_key() {
    let sandbox = Sandbox::new();
    let schedule = |changes: &[&str]| {
        let mut args = vec!["--print-config"];
        args.extend(changes.iter().flat_map(|change| ["--set", change]));
        let text = sandbox.succeed("train", &args).stdout;
        let (_, rest) = text.split_once("[schedule]\n").unwrap();
        rest.split('[').next().unwrap().trim().to_owned()
    };
    let cycle = "schedule.kind=one-cycle";
    assert_eq!(schedule(&["schedule.kind=constant"]), "kind = \"constant\"");
    let again = schedule(&["schedule.kind=constant", cycle]);
    assert_eq!(again, "kind = \"one-cycle\"\nwarmup = 0.3");
    // What is the same already keeps what belongs to it.
    let kept = schedule(&["schedule.warmup=0.1", cycle]);
    assert_eq!(kept, "kind = \"one-cycle\"\nwarmup = 0.1");
    let error = sandbox.fail("train", &["--set", "schedule.kind=cosine"]);
    assert!(
        error.contains("one-cycle") && error.contains("constant"),
        "{error}"
    );
    let warmup = [
        "--set",
        "schedule.kind=constant",
        "--set",
        "schedule.warmup=0.1",
    ];
    let error = sandbox.fail("train", &warmup);
    assert!(
        error.contains("schedule.warmup") && error.contains("schedule.kind"),
        "{error}"
    );
}

#[test]
fn batches_of_one_image_are_refused_where_they_are_normalized_to_nothing() {
    let sandbox = Sandbox::new();
    let single = ["--set", "training.batch_size=1", "--print-config"];
    let error = sandbox.fail("train", &single);
    assert!(
        error.contains("training.batch_size") && error.contains("network.norm"),
        "{error}"
    );
    // Blocks that end in a single value for each channel are no better than a dense layer.
    let small = [&single[..], &["--set", "network.dense=[]"]].concat();
    sandbox.succeed("train", &small);
    let last = "network.blocks=[{channels=4,kernel=27}]";
    let error = sandbox.fail("train", &[&small[..], &["--set", last]].concat());
    assert!(error.contains("training.batch_size"), "{error}");
    sandbox.succeed(
        "train",
        &[&single[..], &["--set", "network.norm=false"]].concat(),
    );
    let error = sandbox.fail("train", &["--set", "data.limit=1"]);
    assert!(error.contains("single image"), "{error}");
    assert!(!sandbox.path("artifacts").exists());
}

#[test]
fn a_recipe_in_another_encoding_says_which_to_save_it_in() {
    let sandbox = Sandbox::new();
    let text = fs::read_to_string(smoke()).unwrap();
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [
        [&[0xff, 0xfe], &little[..]].concat(),
        [&[0xfe, 0xff], &big[..]].concat(),
        little.into_iter().filter(|byte| *byte < 0x80).collect(),
        [b"# caf\xe9\n", text.as_bytes()].concat(),
    ] {
        fs::write(sandbox.path("recipe.toml"), bytes).unwrap();
        let error = sandbox.fail("train", &["--config", "recipe.toml"]);
        assert!(
            error.contains("recipe.toml") && error.contains("save it as UTF-8"),
            "{error}"
        );
    }
    // What editors of Windows write before UTF-8 is none.
    fs::write(sandbox.path("recipe.toml"), format!("\u{feff}{text}")).unwrap();
    sandbox.succeed("train", &["--config", "recipe.toml", "--print-config"]);
}

#[test]
fn a_risk_that_no_data_set_could_promise_is_refused_with_the_least_that_can_be() {
    let sandbox = Sandbox::new();
    for risk in ["1e-20", "1e-300", "4e-6"] {
        let change = format!("calibration.target_risk={risk}");
        let error = sandbox.fail("train", &["--set", &change]);
        for part in ["calibration.target_risk", "4.3e-6", "10000", "3.0e-4"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    sandbox.succeed(
        "train",
        &["--set", "calibration.target_risk=1e-5", "--print-config"],
    );
}

#[test]
fn values_out_of_range_name_their_key() {
    let sandbox = Sandbox::new();
    for (change, key) in [
        ("training.epochs=0", "training.epochs"),
        ("training.batch_size=0", "training.batch_size"),
        ("optimizer.learning_rate=-1", "optimizer.learning_rate"),
        ("optimizer.learning_rate=nan", "optimizer.learning_rate"),
        // Out of range in the 32 bits that weights are computed with.
        ("optimizer.learning_rate=1e39", "optimizer.learning_rate"),
        ("optimizer.beta_1=0.99999999", "optimizer.beta_1"),
        ("optimizer.epsilon=1e-300", "optimizer.epsilon"),
        ("network.dropout=1.5", "network.dropout"),
        (
            "network.blocks=[{channels=4,kernel=40}]",
            "network.blocks[0].kernel",
        ),
        (
            "data.augmentation={rotation=-3,shift=0,zoom=0,shear=0}",
            "data.augmentation",
        ),
        ("data.validation=60000", "validation"),
        ("training.epochs=\"many\"", "training.epochs"),
        ("training", "key=value"),
    ] {
        let error = sandbox.fail("train", &["--set", change]);
        assert!(error.contains(key), "{change}: {error}");
        assert!(
            !sandbox.path("artifacts").exists(),
            "{change} left a run folder"
        );
    }
}

#[test]
fn a_folder_with_something_in_it_is_not_trained_into() {
    let sandbox = Sandbox::new();
    // What a desktop strews is nothing.
    fs::create_dir_all(sandbox.path("mount/lost+found")).unwrap();
    fs::write(sandbox.path("mount/.DS_Store"), "").unwrap();
    sandbox.train("mount", &["--set", "data.limit=64"]);
    for place in [
        "mount/model",
        "mount/checkpoints",
        "mount/checkpoints/epoch-002",
    ] {
        fs::write(sandbox.path(place).join("Thumbs.db"), "").unwrap();
    }
    sandbox.succeed("digits", &["verify", "mount"]);
    sandbox.succeed("train", &["--resume", "mount"]);
    fs::create_dir(sandbox.path("thesis")).unwrap();
    fs::write(sandbox.path("thesis/chapter-1"), "precious").unwrap();
    let error = sandbox.fail("train", &["--run-dir", "thesis"]);
    assert!(
        error.contains("thesis") && error.contains("--resume"),
        "{error}"
    );
    assert_eq!(sandbox.bytes("thesis/chapter-1"), b"precious");
}

#[test]
fn missing_things_are_named() {
    let sandbox = Sandbox::new();
    for (name, args, expected) in [
        ("train", vec!["--resume", "nowhere"], "nowhere"),
        ("train", vec!["--config", "nowhere.toml"], "nowhere.toml"),
        ("train", vec!["--data-dir", "nowhere"], "nowhere"),
        ("train", vec!["--backend", "abacus"], "abacus"),
        ("digits", vec!["evaluate", "nowhere"], "nowhere"),
        ("digits", vec!["inspect", "nowhere"], "nowhere"),
    ] {
        let error = sandbox.fail(name, &args);
        assert!(error.contains(expected), "{args:?}: {error}");
    }
}

#[test]
fn a_folder_without_data_is_named_with_what_is_missing() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("data")).unwrap();
    let error = sandbox.fail("train", &["--data-dir", "data"]);
    assert!(error.contains("train-images-idx3-ubyte"), "{error}");
}

/// Copies the committed checkpoint into the sandbox.
fn copy_pretrained(sandbox: &Sandbox, name: &str) {
    fs::create_dir(sandbox.path(name)).unwrap();
    for entry in fs::read_dir(pretrained()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), sandbox.path(name).join(entry.file_name())).unwrap();
    }
}

/// Something that happens to a file.
type Damage<'a> = &'a dyn Fn(&std::path::Path);

#[test]
fn every_kind_of_damage_to_a_checkpoint_is_refused_by_name() {
    let flip = |path: &std::path::Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(path, bytes).unwrap();
    };
    let cut = |path: &std::path::Path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    };
    let files = ["checkpoint.json", "model.bpk", "SHA256SUMS"];
    for file in files {
        let damages: [(&str, Damage); 3] = [
            ("flip", &flip),
            ("cut", &cut),
            ("remove", &|path| fs::remove_file(path).unwrap()),
        ];
        for (kind, damage) in damages {
            let sandbox = Sandbox::new();
            copy_pretrained(&sandbox, "model");
            damage(&sandbox.path("model").join(file));
            for verb in ["verify", "inspect"] {
                let outcome = sandbox.run("digits", &[verb, "model"]);
                assert_eq!(outcome.code, Some(1), "{verb} after {kind} of {file}");
                let text = outcome.stdout + &outcome.stderr;
                // A changed line of SHA256SUMS accuses the file that it lists.
                assert!(
                    files
                        .iter()
                        .any(|name| text.contains(&format!("model/{name}"))),
                    "{text}"
                );
                assert!(
                    file == "SHA256SUMS" || text.contains(file),
                    "{kind} of {file}: {text}"
                );
            }
        }
    }
    let sandbox = Sandbox::new();
    copy_pretrained(&sandbox, "model");
    fs::write(sandbox.path("model/notes.txt"), "mine").unwrap();
    let error = sandbox.fail("digits", &["inspect", "model"]);
    assert!(error.contains("notes.txt"), "{error}");
}

#[test]
fn a_run_without_its_model_or_with_an_epoch_under_another_name_is_not_whole() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let folder = sandbox.path("run/checkpoints");
    fs::rename(folder.join("epoch-002"), folder.join("epoch-007")).unwrap();
    fs::remove_dir_all(sandbox.path("run/model")).unwrap();
    let outcome = sandbox.run("digits", &["verify", "run"]);
    assert_eq!(outcome.code, Some(1));
    for problem in [
        "epoch-007/checkpoint.json: it is the checkpoint of epoch 2",
        "run/model: ",
    ] {
        assert!(outcome.stdout.contains(problem), "{}", outcome.stdout);
    }
}

#[test]
fn the_model_of_a_run_without_checkpoints_is_verified() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    fs::remove_dir_all(sandbox.path("run/checkpoints")).unwrap();
    let outcome = sandbox.succeed("digits", &["verify", "run"]);
    assert_eq!(outcome.stdout, "run/model: whole\n");
}

#[test]
fn what_is_not_there_is_not_whole() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("run/checkpoints")).unwrap();
    fs::write(sandbox.path("file"), "mine").unwrap();
    for (path, problem) in [
        ("run/checkpoints/epoch-001", "no checkpoint here"),
        ("nowhere/checkpoints/epoch-001", "no checkpoint here"),
        ("run", "not a checkpoint"),
        ("file", "this is a file"),
    ] {
        let outcome = sandbox.run("digits", &["verify", path]);
        assert_eq!(outcome.code, Some(1), "{path}");
        let line = format!("{path}: ");
        assert!(
            outcome.stdout.starts_with(&line) && outcome.stdout.contains(problem),
            "{}",
            outcome.stdout
        );
    }
}

#[test]
fn a_checkpoint_of_a_newer_version_is_refused_by_name() {
    let sandbox = Sandbox::new();
    copy_pretrained(&sandbox, "model");
    let text = fs::read_to_string(sandbox.path("model/checkpoint.json")).unwrap();
    let text = text.replacen("\"version\": 3", "\"version\": 99", 1);
    fs::write(sandbox.path("model/checkpoint.json"), text).unwrap();
    sandbox.reseal("model");
    let error = sandbox.fail("digits", &["inspect", "model"]);
    assert!(
        error.contains("version 99") && error.contains("update"),
        "{error}"
    );
}

#[test]
fn predict_refuses_what_is_not_an_image() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("letter.png"), "Dear reader").unwrap();
    let model = pretrained().display().to_string();
    let outcome = sandbox.run("digits", &["predict", &model, "letter.png"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("letter.png"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
}

#[test]
fn a_backend_that_is_not_compiled_in_is_refused() {
    if cfg!(feature = "wgpu") {
        return;
    }
    let sandbox = Sandbox::new();
    let error = sandbox.fail("train", &["--backend", "wgpu"]);
    assert!(error.contains("--features wgpu"), "{error}");
}

#[test]
fn a_seed_that_the_run_folder_could_not_keep_is_refused() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run("train", &["--seed", "9223372036854775808"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("--seed"), "{}", outcome.stderr);
    let largest = ["--seed", "9223372036854775807", "--print-config"];
    sandbox.succeed("train", &largest);
}

#[cfg(target_os = "linux")]
#[test]
fn a_data_folder_that_the_run_folder_could_not_name_is_refused() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let sandbox = Sandbox::new();
    let folder = OsStr::from_bytes(b"m\xffnist");
    fs::create_dir(sandbox.path("").join(folder)).unwrap();
    let mut command = sandbox.command("train", &["--data-dir"]);
    let outcome = Outcome::from(command.arg(folder).output().unwrap());
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("UTF-8"), "{}", outcome.stderr);
    assert!(!sandbox.path("artifacts").exists());
}

#[test]
fn every_recipe_is_valid_and_opens_with_its_command() {
    let sandbox = Sandbox::new();
    let entries = fs::read_dir(root().join("configs")).unwrap();
    // Tables of runs are in a folder of their own.
    let recipes = entries.map(|entry| entry.unwrap().path());
    for path in recipes.filter(|path| path.is_file()) {
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap();
        assert!(
            first.starts_with("# cargo run -p train --release"),
            "{}",
            path.display()
        );
        let path = path.display().to_string();
        sandbox.succeed("train", &["--config", &path, "--print-config"]);
    }
}
