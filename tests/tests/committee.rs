//! Several networks that answer together, and one that looks at an image several times.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    io::Read as _,
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use serde_json::Value;
use tests::{Sandbox, root};

const THREE: [&str; 2] = ["--set", "training.members=3"];
/// Without images to calibrate on, probabilities are the networks' own.
const UNCALIBRATED: [&str; 2] = ["--set", "data.validation=0"];

/// The probabilities that a checkpoint gives the images of a folder, or MNIST's, `[images, classes]`.
fn probabilities(sandbox: &Sandbox, checkpoint: &str, data: Option<&str>) -> Vec<Vec<f64>> {
    let file = format!("{}.csv", checkpoint.replace('/', "-"));
    let mut args = vec!["evaluate", checkpoint, "--dump", &file];
    args.extend(data.into_iter().flat_map(|data| ["--data-dir", data]));
    sandbox.succeed("digits", &args);
    let text = String::from_utf8(sandbox.bytes(&file)).unwrap();
    let row = |line: &str| {
        let numbers = line.split(',').skip(1);
        numbers.map(|number| number.parse().unwrap()).collect()
    };
    text.lines().skip(1).map(row).collect()
}

fn assert_mean(together: &[Vec<f64>], alone: &[Vec<Vec<f64>>]) {
    for (row, probabilities) in together.iter().enumerate() {
        for (class, probability) in probabilities.iter().enumerate() {
            let sum: f64 = alone.iter().map(|rows| rows[row][class]).sum();
            let mean = sum / alone.len() as f64;
            assert!(
                (probability - mean).abs() < 1e-9,
                "image {row}, class {class}: {probability} is not {mean}"
            );
        }
    }
}

/// The best checkpoint of each member.
fn members(sandbox: &Sandbox, run: &str) -> Vec<String> {
    let summary = sandbox.json(&format!("{run}/summary.json"));
    let members = summary["members"].as_array().unwrap().iter();
    let checkpoint = |(number, member): (usize, &Value)| {
        let epoch = member["validation"]["epoch"].as_u64().unwrap();
        format!("{run}/members/{number}/checkpoints/epoch-{epoch:03}")
    };
    (1..).zip(members).map(checkpoint).collect()
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn probabilities_are_the_mean_of_the_members() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[&THREE[..], &UNCALIBRATED].concat());
    let together = probabilities(&sandbox, "run/model", None);
    let alone: Vec<_> = members(&sandbox, "run")
        .iter()
        .map(|checkpoint| probabilities(&sandbox, checkpoint, None))
        .collect();
    assert_eq!((together.len(), alone.len()), (10_000, 3));
    assert_ne!(alone[0], alone[1]);
    assert_mean(&together, &alone);
}

#[test]
fn the_first_member_is_the_network_of_a_plain_run() {
    let sandbox = Sandbox::new();
    sandbox.train("plain", &[]);
    sandbox.train("one", &["--set", "training.members=1"]);
    sandbox.train("three", &THREE);
    let plain = sandbox.bytes("plain/model/model.bpk");
    for run in ["one", "three"] {
        assert!(
            plain == sandbox.bytes(&format!("{run}/model/model.bpk")),
            "{run}"
        );
    }
    let [plain, one, three] = ["plain", "one", "three"].map(|run| {
        let mut summary = sandbox.json(&format!("{run}/summary.json"));
        for time in ["seconds", "train"] {
            summary[time] = Value::Null;
        }
        summary
    });
    assert_eq!(plain, one);
    assert_eq!(plain["members"][0], three["members"][0]);
    let parameters = |summary: &Value| summary["parameters"].as_u64().unwrap();
    assert_eq!(parameters(&three), 3 * parameters(&plain));
}

#[test]
fn all_members_are_held_back_from_the_same_images() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &THREE);
    let recipe = |file: &str| String::from_utf8(sandbox.bytes(file)).unwrap();
    let seed = |member: usize| {
        let text = recipe(&format!("run/members/{member}/config.toml"));
        assert!(text.contains("split_seed = 0\n"), "{text}");
        text.lines().next().unwrap().to_owned()
    };
    let seeds = [1, 2, 3].map(seed);
    assert_eq!(seeds[0], "seed = 0");
    assert!(seeds[1] != seeds[2] && seeds[1..].iter().all(|seed| *seed != seeds[0]));
    // A calibration of all together stands in the model, and none of its own in any member.
    let manifest = sandbox.json("run/model/checkpoint.json");
    assert_eq!(manifest["calibration"]["distance"]["members"], 3);
    assert_eq!(manifest["members"], 3);
}

#[test]
fn a_run_that_died_before_a_member_had_a_recipe_trains_it_all_the_same() {
    let sandbox = Sandbox::new();
    sandbox.train("whole", &THREE);
    for run in ["early", "late"] {
        fs::create_dir(sandbox.path(run)).unwrap();
        fs::copy(
            sandbox.path("whole/config.toml"),
            sandbox.path(run).join("config.toml"),
        )
        .unwrap();
    }
    fs::create_dir_all(sandbox.path("late/members/1")).unwrap();
    fs::write(sandbox.path("late/members/1/.partial-config"), "seed = ").unwrap();
    for run in ["early", "late"] {
        sandbox.succeed("train", &["--resume", run]);
        for file in ["checkpoint.json", "model.bpk", "model-2.bpk", "model-3.bpk"] {
            let [a, b] = ["whole", run].map(|run| sandbox.bytes(&format!("{run}/model/{file}")));
            assert!(a == b, "{run}/model/{file}");
        }
    }
}

#[test]
fn a_committee_is_given_more_epochs_member_by_member() {
    let sandbox = Sandbox::new();
    let constant = [
        "--set",
        "schedule={kind=\"constant\"}",
        "--set",
        "training.plain_epochs=0",
    ];
    let more = [&THREE[..], &constant].concat();
    let three = ["--set", "training.epochs=3"];
    sandbox.train("whole", &[&more[..], &three].concat());
    sandbox.train("run", &more);
    sandbox.succeed("train", &[&["--resume", "run"], &three[..]].concat());
    for file in ["model.bpk", "model-2.bpk", "model-3.bpk"] {
        let [a, b] = ["whole", "run"].map(|run| sandbox.bytes(&format!("{run}/model/{file}")));
        assert!(a == b, "{file}");
    }
    assert_eq!(sandbox.json("run/summary.json")["epochs"], 9);
}

/// Waits for a file of a running process.
fn wait_for(process: &mut Child, path: &Path) {
    while !path.exists() {
        assert!(process.try_wait().unwrap().is_none(), "{}", path.display());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_resumed_run_ends_in_the_same_bits_whichever_member_was_at_work() {
    let sandbox = Sandbox::new();
    let smoke = tests::smoke();
    let more = ["--set", "training.epochs=3", "--set", "network.dropout=0.1"];
    let more = [&THREE[..], &more].concat();
    sandbox.train("whole", &more);
    for (run, member) in [("first", 1), ("second", 2)] {
        let args = [&["--config", &smoke, "--run-dir", run], &more[..]].concat();
        let mut process = sandbox.start("train", &args);
        let checkpoint = format!("{run}/members/{member}/checkpoints/epoch-001");
        wait_for(&mut process, &sandbox.path(&checkpoint));
        process.kill().unwrap();
        assert_eq!(process.wait().unwrap().code(), None);
        assert!(!sandbox.path(run).join("model").exists());
        let outcome = sandbox.succeed("train", &["--resume", run]);
        let text = outcome.stderr;
        let expected = format!("member {member} of 3: seed ");
        assert!(
            text.contains(&expected) && text.contains("going on after epoch"),
            "{text}"
        );
        for file in ["checkpoint.json", "model.bpk", "model-2.bpk", "model-3.bpk"] {
            let [a, b] = ["whole", run].map(|run| sandbox.bytes(&format!("{run}/model/{file}")));
            assert!(a == b, "{run}/model/{file}");
        }
        for part in ["test", "validation", "members", "epochs", "stopped"] {
            let [a, b] = ["whole", run].map(|run| sandbox.json(&format!("{run}/summary.json")));
            assert_eq!(a[part], b[part], "{part}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_run_in_the_member_at_work() {
    let sandbox = Sandbox::new();
    let smoke = tests::smoke();
    let args = ["--config", &smoke, "--run-dir", "run"];
    let args = [&args, &THREE[..], &["--set", "training.epochs=50"]].concat();
    let mut process = sandbox.start("train", &args);
    wait_for(
        &mut process,
        &sandbox.path("run/members/1/checkpoints/epoch-001"),
    );
    let kill = Command::new("kill")
        .args(["-INT", &process.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(130));
    let mut text = String::new();
    process
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("stopped in member 1 of 3 after epoch "),
        "{last}"
    );
    assert!(last.ends_with("go on with: train --resume run"), "{last}");
}

#[test]
fn a_missing_swapped_or_additional_member_is_named() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &THREE);
    let model = sandbox.path("run/model");
    let spare = sandbox.path("spare");
    sandbox.succeed("digits", &["verify", "run"]);

    fs::rename(model.join("model-2.bpk"), &spare).unwrap();
    let error = sandbox.fail("digits", &["evaluate", "run/model"]);
    assert!(
        error.contains("model-2.bpk: ") && error.contains("missing"),
        "{error}"
    );

    fs::rename(model.join("model-3.bpk"), model.join("model-2.bpk")).unwrap();
    fs::rename(&spare, model.join("model-3.bpk")).unwrap();
    let error = sandbox.fail("digits", &["evaluate", "run/model"]);
    assert!(
        error.contains("model-2.bpk: ") && error.contains("SHA-256"),
        "{error}"
    );

    fs::rename(model.join("model-2.bpk"), &spare).unwrap();
    fs::rename(model.join("model-3.bpk"), model.join("model-2.bpk")).unwrap();
    fs::rename(&spare, model.join("model-3.bpk")).unwrap();
    sandbox.succeed("digits", &["verify", "run"]);

    fs::copy(model.join("model-3.bpk"), model.join("model-4.bpk")).unwrap();
    let error = sandbox.fail("digits", &["evaluate", "run/model"]);
    assert!(
        error.contains("model-4.bpk: ") && error.contains("belong"),
        "{error}"
    );
    fs::remove_file(model.join("model-4.bpk")).unwrap();

    // Every checkpoint of every member is verified, too.
    let checkpoint = &members(&sandbox, "run")[1];
    flip(&sandbox.path(checkpoint).join("optimizer.bpk"));
    let outcome = sandbox.run("digits", &["verify", "run"]);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(
        outcome
            .stdout
            .lines()
            .filter(|line| line.ends_with(": whole"))
            .count(),
        3
    );
    assert!(
        outcome
            .stdout
            .contains(&format!("{checkpoint}/optimizer.bpk")),
        "{}",
        outcome.stdout
    );
}

#[test]
fn a_number_of_members_or_views_that_there_is_not_is_refused() {
    let sandbox = Sandbox::new();
    for members in ["0", "65"] {
        let set = format!("training.members={members}");
        let error = sandbox.fail("train", &["--set", &set]);
        assert!(
            error.contains("training.members: must be 1 to 64"),
            "{error}"
        );
    }
    for views in ["0", "2", "-1", "10"] {
        let set = format!("inference.views={views}");
        let error = sandbox.fail("train", &["--set", &set]);
        assert!(error.contains("inference.views"), "{error}");
    }
    sandbox.train("run", &[]);
    let error = sandbox.fail("train", &["--resume", "run", "--set", "training.members=2"]);
    assert!(error.contains("training.members differs"), "{error}");
}

#[test]
fn inspect_and_report_know_of_members_and_views() {
    let sandbox = Sandbox::new();
    sandbox.train(
        "run",
        &[&THREE[..], &["--set", "inference.views=5"]].concat(),
    );
    let json = sandbox
        .succeed("digits", &["inspect", "run/model", "--json"])
        .stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    let manifest = &json["manifest"];
    assert_eq!(
        (&manifest["members"], &manifest["views"]),
        (&3.into(), &5.into())
    );
    assert!(json["files"]["model-3.bpk"].is_u64());
    // 14,466 parameters and 202,968 multiply-adds are those of one network on one view.
    let text = sandbox.succeed("digits", &["inspect", "run/model"]).stdout;
    for figure in [14_466 * 3, 202_968 * 3 * 5] {
        assert!(text.contains(&format!(" {figure} ")), "{figure}: {text}");
    }
    let report = String::from_utf8(sandbox.bytes("run/report.html")).unwrap();
    assert!(report.contains("of the first of 3 networks"));
    assert!(report.contains("43\u{202f}398"));
    let again = ["evaluate", "run/model", "--report", "again.html"];
    sandbox.succeed("digits", &again);
    let again = String::from_utf8(sandbox.bytes("again.html")).unwrap();
    assert!(
        again.contains("of the first of 3 networks"),
        "the curves are found"
    );
}

/// The first of MNIST's test images, `[count, 28, 28]`, and labels.
fn digits(count: usize) -> (Vec<u8>, Vec<u8>) {
    let unpack = |name: &str, length: usize| {
        let file = fs::File::open(root().join("crates/data/mnist").join(name)).unwrap();
        let mut bytes = vec![0; length];
        flate2::read::GzDecoder::new(file)
            .read_exact(&mut bytes)
            .unwrap();
        bytes
    };
    (
        unpack("t10k-images-idx3-ubyte.gz", 16 + count * 784).split_off(16),
        unpack("t10k-labels-idx1-ubyte.gz", 8 + count).split_off(8),
    )
}

/// Writes images moved by whole pixels, with nothing where nothing was.
fn write_moved(folder: &Path, [down, right]: [i32; 2], images: &[u8], labels: &[u8]) {
    let pixel = |image: &[u8], at: i32| {
        let (y, x) = (at / 28 - down, at % 28 - right);
        let inside = (0..28).contains(&y) && (0..28).contains(&x);
        if inside {
            image[(y * 28 + x) as usize]
        } else {
            0
        }
    };
    let moved = images
        .chunks(784)
        .flat_map(|image| (0..784).map(move |at| pixel(image, at)));
    let count = (labels.len() as u32).to_be_bytes();
    let images = [&[0, 0, 8, 3], &count[..], &[0, 0, 0, 28], &[0, 0, 0, 28]].concat();
    fs::create_dir(folder).unwrap();
    let images: Vec<u8> = images.into_iter().chain(moved).collect();
    fs::write(folder.join("t10k-images-idx3-ubyte"), images).unwrap();
    let labels = [&[0, 0, 8, 1], &count[..], labels].concat();
    fs::write(folder.join("t10k-labels-idx1-ubyte"), labels).unwrap();
}

#[test]
fn views_are_the_mean_over_shifted_images() {
    let sandbox = Sandbox::new();
    let (mut images, labels) = digits(200);
    // Ink up to the edges, so that what leaves on one side and what enters on the other counts.
    images.iter_mut().step_by(5).for_each(|pixel| *pixel |= 64);
    let shifts = [-1, 0, 1]
        .map(|down| [-1, 0, 1].map(|right| [down, right]))
        .concat();
    for [down, right] in &shifts {
        let folder = sandbox.path(&format!("moved{down}{right}"));
        write_moved(&folder, [*down, *right], &images, &labels);
    }
    sandbox.train("one", &UNCALIBRATED);
    let alone = |shifts: &[[i32; 2]]| -> Vec<_> {
        let shifts = shifts.iter();
        let folders = shifts.map(|[down, right]| format!("moved{down}{right}"));
        folders
            .map(|folder| probabilities(&sandbox, "one/model", Some(&folder)))
            .collect()
    };
    let cross: Vec<_> = shifts
        .iter()
        .copied()
        .filter(|[down, right]| down * right == 0)
        .collect();
    for (views, shifts) in [("5", cross), ("9", shifts)] {
        let set = format!("inference.views={views}");
        sandbox.train(views, &[&UNCALIBRATED[..], &["--set", &set]].concat());
        let [one, several] =
            ["one", views].map(|run| sandbox.bytes(&format!("{run}/model/model.bpk")));
        assert!(one == several, "training has one view");
        let together = probabilities(&sandbox, &format!("{views}/model"), Some("moved00"));
        assert_eq!(together.len(), 200);
        assert_mean(&together, &alone(&shifts));
    }
}
