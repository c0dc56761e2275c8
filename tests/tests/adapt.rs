//! Learning from new images: a run that begins with a checkpoint, sees further images, and is certified on those
//! of them that it never saw.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs::{self, File},
    io::Read as _,
    ops::Range,
};

use serde_json::Value;
use tests::{Sandbox, smoke};

/// Changes that let a finished run be given more epochs.
const CONSTANT: [&str; 4] = [
    "--set",
    "schedule={kind=\"constant\"}",
    "--set",
    "training.plain_epochs=0",
];

/// Images and labels of MNIST's test set.
fn mnist(range: Range<usize>) -> (Vec<u8>, Vec<u8>) {
    let read = |file: &str, header: usize| {
        let path = format!("crates/data/mnist/t10k-{file}-ubyte.gz");
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(File::open(tests::root().join(path)).unwrap())
            .read_to_end(&mut bytes)
            .unwrap();
        bytes.split_off(header)
    };
    let images = read("images-idx3", 16)[range.start * 784..range.end * 784].to_vec();
    (images, read("labels-idx1", 8)[range].to_vec())
}

/// Writes a split of a folder in MNIST's format, of some of the test images.
fn write(sandbox: &Sandbox, folder: &str, split: &str, range: Range<usize>) {
    let (images, labels) = mnist(range);
    write_idx(sandbox, folder, split, &images, &labels);
}

fn write_idx(sandbox: &Sandbox, folder: &str, split: &str, images: &[u8], labels: &[u8]) {
    fs::create_dir_all(sandbox.path(folder)).unwrap();
    let count = (labels.len() as u32).to_be_bytes();
    let side = 28_u32.to_be_bytes();
    let file = |kind: &str| sandbox.path(&format!("{folder}/{split}-{kind}-ubyte"));
    let header = [&[0, 0, 8, 3], &count[..], &side, &side].concat();
    fs::write(file("images-idx3"), [&header[..], images].concat()).unwrap();
    fs::write(
        file("labels-idx1"),
        [&[0, 0, 8, 1], &count[..], labels].concat(),
    )
    .unwrap();
}

fn recipe(sandbox: &Sandbox, run: &str) -> String {
    String::from_utf8(sandbox.bytes(&format!("{run}/config.toml"))).unwrap()
}

/// The digest that a checkpoint states of its weights.
fn digest(sandbox: &Sandbox, checkpoint: &str, file: &str) -> String {
    let sums = String::from_utf8(sandbox.bytes(&format!("{checkpoint}/SHA256SUMS"))).unwrap();
    let line = sums.lines().find(|line| line.ends_with(file)).unwrap();
    line[..64].to_owned()
}

fn measured(sandbox: &Sandbox, run: &str) -> Vec<Value> {
    let text = String::from_utf8(sandbox.bytes(&format!("{run}/metrics.jsonl"))).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn steps(sandbox: &Sandbox, run: &str) -> u64 {
    let steps = measured(sandbox, run);
    steps
        .iter()
        .filter_map(|line| line["step"].as_u64())
        .max()
        .unwrap()
}

fn weights(sandbox: &Sandbox, run: &str) -> Vec<u8> {
    sandbox.bytes(&format!("{run}/model/model.bpk"))
}

#[test]
fn a_run_starts_where_the_checkpoint_ended() {
    let sandbox = Sandbox::new();
    sandbox.train("first", &[]);
    let outcome = sandbox.train("second", &["--start-from", "first/model"]);
    let place = fs::canonicalize(sandbox.path("first/model")).unwrap();
    let told = format!("starts from the weights of {}\n", place.display());
    assert!(outcome.stderr.contains(&told), "{}", outcome.stderr);

    let ended = sandbox.json("first/summary.json")["members"][0]["validation"]["accuracy"].clone();
    let lines = measured(&sandbox, "second");
    let began = lines
        .iter()
        .find(|line| line["name"] == "accuracy")
        .unwrap();
    assert_eq!(
        (began["epoch"].as_u64(), &began["value"]),
        (Some(0), &ended)
    );

    let digest = digest(&sandbox, "first/model", "model.bpk");
    assert!(recipe(&sandbox, "second").contains(&format!("start_weights = [\"{digest}\"]")));
    let manifest = sandbox.json("second/model/checkpoint.json");
    let stated = &manifest["provenance"]["config"]["training"];
    assert_eq!(stated["start_weights"][0], digest.as_str());
    assert_eq!(stated["start_from"], place.to_str().unwrap());
    let weighed = |checkpoint: &str| sandbox.bytes(&format!("{checkpoint}/model/model.bpk"));
    assert_ne!(weighed("first"), weighed("second"));
}

#[test]
fn a_network_that_does_not_fit_is_refused_by_its_first_tensor_and_both_shapes() {
    let sandbox = Sandbox::new();
    sandbox.train("first", &[]);
    for (change, tensor, shapes) in [
        (
            "network.blocks=[{channels=9,kernel=3},{channels=16,kernel=3}]",
            "`blocks.0.conv.weight`",
            ["[8, 1, 3, 3]", "[9, 1, 3, 3]"],
        ),
        (
            "network.blocks=[{channels=8,kernel=3},{channels=16,kernel=5}]",
            "`blocks.1.conv.weight`",
            ["[16, 8, 3, 3]", "[16, 8, 5, 5]"],
        ),
        (
            "network.dense=[32,16]",
            "`dense.1.linear.weight`",
            ["not there", "[32, 16]"],
        ),
    ] {
        let smoke = smoke();
        let args = [
            "--config",
            &smoke,
            "--start-from",
            "first/model",
            "--run-dir",
            "x",
            "--set",
            change,
        ];
        let error = sandbox.fail("train", &args);
        let named = shapes.iter().all(|shape| error.contains(shape));
        assert!(
            named && error.contains(tensor) && error.contains("first/model"),
            "{error}"
        );
        assert!(!sandbox.path("x").exists());
    }
}

#[test]
fn other_classes_get_a_new_last_layer_and_that_is_said() {
    let sandbox = Sandbox::new();
    sandbox.train("first", &[]);
    // Of the digits 0 to 3 only.
    for (split, range) in [("train", 0..2000), ("t10k", 2000..3000)] {
        let (images, labels) = mnist(range);
        let few = labels
            .iter()
            .zip(images.chunks_exact(784))
            .filter(|(label, _)| **label < 4);
        let (labels, images): (Vec<u8>, Vec<&[u8]>) = few.unzip();
        write_idx(&sandbox, "four", split, &images.concat(), &labels);
    }
    let outcome = sandbox.train(
        "second",
        &["--data-dir", "four", "--start-from", "first/model"],
    );
    assert!(
        outcome.stderr.contains("the last layer is drawn anew"),
        "{}",
        outcome.stderr
    );
    let manifest = sandbox.json("second/model/checkpoint.json");
    assert_eq!(manifest["classes"].as_array().unwrap().len(), 4);
    // What the weights expect.
    assert_eq!(
        manifest["normalization"],
        sandbox.json("first/model/checkpoint.json")["normalization"]
    );
}

#[test]
fn members_start_each_from_its_own_or_all_from_the_only_one() {
    let sandbox = Sandbox::new();
    let two = ["--set", "training.members=2"];
    sandbox.train("pair", &two);
    sandbox.train(
        "again",
        &[&two[..], &["--start-from", "pair/model"]].concat(),
    );
    for (member, file) in [(1, "model.bpk"), (2, "model-2.bpk")] {
        let digest = digest(&sandbox, "pair/model", file);
        let own = recipe(&sandbox, &format!("again/members/{member}"));
        assert!(
            own.contains(&format!("start_weights = [\"{digest}\"]")),
            "{own}"
        );
    }
    let outcome = sandbox.train(
        "split",
        &[
            &two[..],
            &["--start-from", "again/members/1/checkpoints/epoch-002"],
        ]
        .concat(),
    );
    let told = outcome.stderr.matches("starts from the weights of").count();
    assert_eq!(told, 2, "{}", outcome.stderr);
}

#[test]
fn what_the_weights_have_seen_does_not_validate() {
    let sandbox = Sandbox::new();
    sandbox.train("first", &[]);
    let smoke = smoke();
    let from = [
        "--config",
        &smoke,
        "--start-from",
        "first/model",
        "--seed",
        "5",
    ];
    sandbox.succeed("train", &[&from[..], &["--run-dir", "second"]].concat());
    assert!(recipe(&sandbox, "second").contains("split_seed = 0\n"));
    let other = [&from[..], &["--run-dir", "x", "--set", "data.split_seed=5"]].concat();
    let error = sandbox.fail("train", &other);
    assert!(
        error.contains("data.split_seed=0") && error.contains("first/model"),
        "{error}"
    );
}

#[test]
fn a_resumed_run_ends_in_the_bits_of_one_that_was_never_stopped() {
    let sandbox = Sandbox::new();
    sandbox.train("first", &[]);
    write(&sandbox, "new", "train", 0..300);
    let also = [
        "--start-from",
        "first/model",
        "--set",
        "data.also=[{dir=\"new\",weight=1.5}]",
    ];
    let run = |name: &str, epochs: &str| {
        let epochs = ["--set", epochs];
        sandbox.train(name, &[&CONSTANT[..], &also, &epochs].concat());
    };
    run("whole", "training.epochs=3");
    run("parts", "training.epochs=1");
    sandbox.succeed(
        "train",
        &["--resume", "parts", "--set", "training.epochs=3"],
    );
    assert!(weights(&sandbox, "whole") == weights(&sandbox, "parts"));

    // Killed in its first epoch, it has nothing but the weights that it began with; which may have moved, and
    // are no others.
    fs::remove_dir_all(sandbox.path("whole/checkpoints")).unwrap();
    fs::rename(sandbox.path("first"), sandbox.path("moved")).unwrap();
    let error = sandbox.fail("train", &["--resume", "whole"]);
    assert!(error.contains("first/model"), "{error}");
    let error = sandbox.fail(
        "train",
        &["--resume", "whole", "--start-from", "parts/model"],
    );
    assert!(
        error.contains("parts/model") && error.contains("other weights"),
        "{error}"
    );
    sandbox.succeed(
        "train",
        &["--resume", "whole", "--start-from", "moved/model"],
    );
    assert!(weights(&sandbox, "whole") == weights(&sandbox, "parts"));
}

#[test]
fn further_images_are_shown_by_their_weight_and_stated() {
    let sandbox = Sandbox::new();
    write(&sandbox, "new", "train", 0..200);
    write(&sandbox, "more", "train", 200..300);
    sandbox.train("plain", &[]);
    let also = ["--set", "data.also=[\"new\",{dir=\"more\",weight=2.5}]"];
    let outcome = sandbox.train("run", &also);
    assert!(
        outcome.stderr.contains("300 further training images"),
        "{}",
        outcome.stderr
    );
    // 4,000 in batches of 64, then 200 and 250 more.
    assert_eq!(steps(&sandbox, "plain"), 2 * 63);
    assert_eq!(steps(&sandbox, "run"), 2 * 70);
    let manifest = sandbox.json("run/model/checkpoint.json");
    let stated = &manifest["provenance"]["config"]["data"]["also"];
    assert_eq!(
        (&stated[0]["weight"], &stated[1]["weight"]),
        (&1.0.into(), &2.5.into())
    );
    for set in [&stated[0], &stated[1]] {
        assert_eq!(
            set["train"]["images"].as_str().map(str::len),
            Some(64),
            "{stated}"
        );
    }
    sandbox.train("twin", &also);
    assert!(weights(&sandbox, "run") == weights(&sandbox, "twin"));
    assert!(weights(&sandbox, "run") != weights(&sandbox, "plain"));

    // One label corrected makes it another set.
    let (images, mut labels) = mnist(200..300);
    labels[0] = (labels[0] + 1) % 10;
    write_idx(&sandbox, "more", "train", &images, &labels);
    let error = sandbox.fail("train", &["--resume", "run"]);
    assert!(error.contains("more: the images are not those"), "{error}");
}

#[test]
fn new_images_are_certified_on_those_that_were_not_learned_from_with_what_as_many_can_certify() {
    let sandbox = Sandbox::new();
    write(&sandbox, "new", "train", 0..300);
    write(&sandbox, "new", "t10k", 300..500);
    let on = [
        "--set",
        "data.also=[\"new\"]",
        "--set",
        "data.calibrate_on=also",
    ];
    let outcome = sandbox.train("run", &on);
    assert!(
        outcome.stderr.contains("200 images that judge"),
        "{}",
        outcome.stderr
    );
    let manifest = sandbox.json("run/model/checkpoint.json");
    let deferral = &manifest["calibration"]["deferral"];
    // 2 % would take 150 of them, more than half; 5 % takes 60.
    assert_eq!(
        (deferral["n"].as_u64(), deferral["target_risk"].as_f64()),
        (Some(200), Some(0.05))
    );
    let summary = sandbox.json("run/summary.json");
    assert_eq!(summary["judge"]["images"], 200);
    assert_eq!(
        summary["judge"]["accuracy"]["value"],
        manifest["metrics"]["judge.accuracy"]
    );

    // Whatever they are labelled: the number alone decides.
    let (images, labels) = mnist(300..500);
    let wrong: Vec<u8> = labels.iter().map(|label| 9 - label).collect();
    write_idx(&sandbox, "new", "t10k", &images, &wrong);
    sandbox.train("wrong", &on);
    let manifest = sandbox.json("wrong/model/checkpoint.json");
    let deferral = &manifest["calibration"]["deferral"];
    assert_eq!(
        (deferral["target_risk"].as_f64(), &deferral["certified"]),
        (Some(0.05), &false.into())
    );
    assert!(
        weights(&sandbox, "run") == weights(&sandbox, "wrong"),
        "they train nothing"
    );
}

#[test]
fn what_judges_is_not_learned_from_even_if_it_is_there_twice() {
    let sandbox = Sandbox::new();
    write(&sandbox, "new", "train", 0..300);
    write(&sandbox, "apart", "train", 0..200);
    for folder in ["new", "apart"] {
        write(&sandbox, folder, "t10k", 200..400);
    }
    let also = |folder: &str| format!("data.also=[\"{folder}\"]");
    let outcome = sandbox.train("run", &["--set", &also("new")]);
    assert!(
        outcome.stderr.contains("100 images of"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("200 further training images"),
        "{}",
        outcome.stderr
    );
    sandbox.train("apart-run", &["--set", &also("apart")]);
    assert!(weights(&sandbox, "run") == weights(&sandbox, "apart-run"));

    // Those of the main set judge nothing.
    write(&sandbox, "main", "train", 1000..2000);
    write(&sandbox, "main", "t10k", 2000..2500);
    write(&sandbox, "judged", "train", 2500..2600);
    write(&sandbox, "judged", "t10k", 1000..1200);
    let (smoke, judged) = (smoke(), also("judged"));
    let args = [
        "--config",
        &smoke,
        "--data-dir",
        "main",
        "--run-dir",
        "x",
        "--set",
        &judged,
    ];
    let error = sandbox.fail(
        "train",
        &[&args[..], &["--set", "data.calibrate_on=also"]].concat(),
    );
    assert!(
        error.contains("data.calibrate_on") && error.contains("t10k"),
        "{error}"
    );
    assert!(!sandbox.path("x").exists());
}

#[test]
fn what_can_not_be_joined_is_named() {
    let sandbox = Sandbox::new();
    let smoke = smoke();
    let fail = |change: &str| {
        let args = ["--config", &smoke, "--run-dir", "x", "--set", change];
        let error = sandbox.fail("train", &args);
        assert!(!sandbox.path("x").exists());
        error
    };
    assert!(fail("data.also=[\"nowhere\"]").contains("nowhere"));
    assert!(fail("data.also=[{dir=\"new\",wieght=2}]").contains("data.also holds folders"));
    write(&sandbox, "new", "train", 0..100);
    for weight in ["0", "-1", "nan", "1e9"] {
        let error = fail(&format!("data.also=[{{dir=\"new\",weight={weight}}}]"));
        assert!(error.contains("data.also: has weights"), "{error}");
    }
    let (images, mut labels) = mnist(0..100);
    labels[3] = 77;
    write_idx(&sandbox, "new", "train", &images, &labels);
    let error = fail("data.also=[\"new\"]");
    assert!(
        error.contains("data.also") && error.contains("77"),
        "{error}"
    );
}

#[test]
fn the_recipe_to_adapt_fits_the_committed_checkpoint_and_the_result_can_be_compared() {
    let sandbox = Sandbox::new();
    write(&sandbox, "new", "train", 0..100);
    write(&sandbox, "new", "t10k", 100..300);
    let adapt = tests::root()
        .join("configs/adapt.toml")
        .display()
        .to_string();
    let good = tests::pretrained().display().to_string();
    let short = "data.limit=512,training.epochs=1,training.plain_epochs=0,inference.views=1";
    let mut args = vec![
        "--config",
        &adapt,
        "--start-from",
        &good,
        "--run-dir",
        "run",
    ];
    args.extend(short.split(',').flat_map(|change| ["--set", change]));
    args.extend(["--set", "data.also=[{dir=\"new\",weight=20}]"]);
    sandbox.succeed("train", &args);
    let compared = ["compare", &good, "run/model", "--data-dir", "new", "--json"];
    let found: Value = serde_json::from_str(&sandbox.succeed("digits", &compared).stdout).unwrap();
    assert_eq!(found["images"], 200);
    assert_eq!(found["origin"]["same"], false);
}
