//! Calibrating again: on which images, for which risk, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs::{self, File},
    io::Read as _,
    ops::Range,
};

use flate2::read::GzDecoder;
use serde_json::Value;
use tests::{Sandbox, pretrained};

/// Images and labels of MNIST.
fn mnist(split: &str, range: Range<usize>) -> (Vec<u8>, Vec<u8>) {
    let read = |file: &str, header: usize| {
        let path = format!("crates/data/mnist/{split}-{file}-ubyte.gz");
        let mut bytes = Vec::new();
        let file = File::open(tests::root().join(path)).unwrap();
        GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        bytes.split_off(header)
    };
    let images = read("images-idx3", 16)[range.start * 784..range.end * 784].to_vec();
    (images, read("labels-idx1", 8)[range].to_vec())
}

/// Writes a part of a folder in MNIST's format.
fn write(sandbox: &Sandbox, folder: &str, part: &str, (images, labels): &(Vec<u8>, Vec<u8>)) {
    fs::create_dir_all(sandbox.path(folder)).unwrap();
    let count = (labels.len() as u32).to_be_bytes();
    let side = ((images.len() / labels.len()).isqrt() as u32).to_be_bytes();
    let file = |kind: &str| sandbox.path(&format!("{folder}/{part}-{kind}-ubyte"));
    let header = [&[0, 0, 8, 3], &count[..], &side, &side].concat();
    fs::write(file("images-idx3"), [&header[..], images].concat()).unwrap();
    let header = [&[0, 0, 8, 1], &count[..]].concat();
    fs::write(file("labels-idx1"), [header, labels.clone()].concat()).unwrap();
}

/// As another pen would have written them: every stroke two pixels broader.
fn broad((images, labels): (Vec<u8>, Vec<u8>)) -> (Vec<u8>, Vec<u8>) {
    let broader = |image: &[u8]| -> Vec<u8> {
        let at = |y: usize, x: usize| image.get(y * 28 + x).copied().unwrap_or_default();
        let around = |pixel: usize| {
            let (y, x) = (pixel / 28, pixel % 28);
            let left = x.saturating_sub(1);
            at(y, x).max(at(y, left)).max(at(y.saturating_sub(1), x))
        };
        (0..784).map(around).collect()
    };
    (images.chunks_exact(784).flat_map(broader).collect(), labels)
}

/// A run with a risk that 1,000 images can certify, and copies in other hands.
fn train(sandbox: &Sandbox, run: &str, more: &[&str]) {
    let set = [
        "--set",
        "calibration.target_risk=0.05",
        "--set",
        "data.validation_augmentation={stroke=1.0,blur=0.5}",
    ];
    sandbox.train(run, &[&set[..], more].concat());
}

fn calibrate(sandbox: &Sandbox, checkpoint: &str, to: &str, more: &[&str]) -> Value {
    let args = [&["calibrate", checkpoint, "--to", to, "--json"], more].concat();
    serde_json::from_str(&sandbox.succeed("digits", &args).stdout).unwrap()
}

fn notes(found: &Value) -> String {
    found["notes"].to_string()
}

#[test]
fn the_images_and_targets_of_training_give_the_calibration_of_training() {
    let sandbox = Sandbox::new();
    train(&sandbox, "run", &[]);
    let found = calibrate(&sandbox, "run/model", "again", &[]);
    assert_eq!(found["notes"], Value::Array(Vec::new()));
    let [old, new] =
        ["run/model", "again"].map(|path| sandbox.json(&format!("{path}/checkpoint.json")));
    assert!(old["calibration"]["augmented"].is_object());
    assert_eq!(old["calibration"], new["calibration"], "to the bit");
    assert_eq!(
        sandbox.bytes("run/model/model.bpk"),
        sandbox.bytes("again/model.bpk")
    );
    assert_eq!(
        old["metrics"]["validation.accuracy"],
        new["metrics"]["validation.accuracy"]
    );
    let on = &new["calibrated_on"];
    assert_eq!(
        (&on["part"], &on["images"], &on["left_out"]),
        (&"validation".into(), &1000.into(), &0.into())
    );
    assert_eq!(on["data"], old["provenance"]["data"]["train"]);
    for verb in ["inspect", "verify"] {
        let said = sandbox.succeed("digits", &[verb, "again"]).stdout;
        assert!(
            said.contains("1000 images of bundled MNIST (validation)"),
            "{said}"
        );
    }
}

#[test]
fn another_risk_and_other_levels_give_another_threshold_and_other_sets() {
    let sandbox = Sandbox::new();
    train(&sandbox, "run", &[]);
    let risks = [("strict", "0.02"), ("bold", "0.05")];
    let [strict, bold] = risks.map(|(to, risk)| {
        let more = ["--risk", risk, "--levels", "0.9"];
        calibrate(&sandbox, "run/model", to, &more)["calibration"].take()
    });
    let threshold = |found: &Value| found["deferral"]["threshold"].as_f64().unwrap();
    assert!(threshold(&bold) < threshold(&strict));
    assert_eq!(bold["deferral"]["certified"], true);
    assert_eq!(bold["deferral"]["target_risk"], 0.05);
    assert_eq!(bold["temperature"], strict["temperature"]);
    let levels = bold["conformal"].as_array().unwrap();
    assert!(levels.iter().all(|rule| rule["level"] == 0.9) && levels.len() == 2);
    let weights = |path: &str| sandbox.bytes(&format!("{path}/model.bpk"));
    assert_eq!(weights("run/model"), weights("bold"));
}

#[test]
fn few_images_of_another_pen_certify_what_so_few_can() {
    let sandbox = Sandbox::new();
    write(&sandbox, "pen", "t10k", &broad(mnist("t10k", 0..200)));
    let good = pretrained().display().to_string();
    let found = calibrate(&sandbox, &good, "new", &["--data-dir", "pen"]);
    assert_eq!(found["calibration"]["deferral"]["target_risk"], 0.05);
    assert_eq!(found["calibrated_on"]["images"], 200);
    let said = notes(&found);
    assert!(
        said.contains("200 images: so few can't be asked to certify 0.1 % of errors, but 5 %"),
        "{said}"
    );
    assert!(
        said.contains("means and covariance of the distance are those"),
        "{said}"
    );
    let evaluate = |more: &[&str]| {
        let args = [&["evaluate", "new"], more].concat();
        sandbox.succeed("digits", &args).stdout
    };
    let text = evaluate(&[]);
    assert!(
        text.contains("200 held-out images: with 95 % certainty, at most 5 %"),
        "{text}"
    );
    assert!(!text.contains("note: calibrated on"), "{text}");
    let text = evaluate(&["--data-dir", "pen"]);
    assert!(
        text.contains("note: calibrated on these images (pen)"),
        "{text}"
    );
}

#[test]
fn what_was_learned_from_is_left_out_wherever_it_lies() {
    let sandbox = Sandbox::new();
    write(&sandbox, "own", "train", &mnist("train", 0..3000));
    write(&sandbox, "own", "t10k", &mnist("t10k", 0..500));
    train(&sandbox, "run", &["--data-dir", "own"]);
    let own = ["--data-dir", "own", "--part", "train"];
    let found = calibrate(&sandbox, "run/model", "a", &own);
    let on = &found["calibrated_on"];
    assert_eq!(
        (&on["images"], &on["left_out"]),
        (&1000.into(), &2000.into())
    );
    assert!(notes(&found).contains("2000 images of own are left out"));

    // Some of them under another name, among others.
    let (some, other) = (mnist("train", 0..600), mnist("t10k", 500..900));
    let both = ([some.0, other.0].concat(), [some.1, other.1].concat());
    write(&sandbox, "mixed", "t10k", &both);
    let found = calibrate(&sandbox, "run/model", "b", &["--data-dir", "mixed"]);
    let left = found["calibrated_on"]["left_out"].as_u64().unwrap();
    assert!((300..500).contains(&left), "{left} of 600");
    assert_eq!(found["calibrated_on"]["images"], 1000 - left);

    // Further images of training, all of them.
    write(&sandbox, "further", "train", &mnist("t10k", 1000..1500));
    let also = ["--data-dir", "own", "--set", "data.also=[\"further\"]"];
    train(&sandbox, "more", &also);
    let args = [
        "calibrate",
        "more/model",
        "--to",
        "c",
        "--data-dir",
        "further",
        "--part",
        "train",
    ];
    let error = sandbox.fail("digits", &args);
    assert!(
        error.contains("further") && error.contains("learned from all 500"),
        "{error}"
    );
    assert!(!sandbox.path("c").exists());

    // What is gone can't tell.
    fs::rename(sandbox.path("own"), sandbox.path("gone")).unwrap();
    let found = calibrate(&sandbox, "run/model", "d", &["--data-dir", "mixed"]);
    assert!(notes(&found).contains("nothing tells whether"), "{found}");
}

#[test]
fn what_can_not_be_used_is_one_clear_line_and_costs_nothing() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let before = sandbox.bytes("run/model/SHA256SUMS");
    let wide = (vec![0; 20 * 900], vec![1; 20]);
    write(&sandbox, "wide", "t10k", &wide);
    let (images, _) = mnist("t10k", 0..20);
    write(&sandbox, "classes", "t10k", &(images, vec![11; 20]));
    fs::create_dir(sandbox.path("mine")).unwrap();
    fs::write(sandbox.path("mine/letter"), "dear").unwrap();
    fs::create_dir(sandbox.path("half")).unwrap();
    fs::copy(
        sandbox.path("run/model/checkpoint.json"),
        sandbox.path("half/checkpoint.json"),
    )
    .unwrap();
    for (args, said) in [
        (&["run/model", "--data-dir", "wide"][..], "30×30"),
        (&["run/model", "--data-dir", "classes"], "label"),
        (&["run/model", "--data-dir", "absent"], "--data-dir"),
        (&["half", "--to", "new"], "half"),
        (&["run/model", "--risk", "2"], "target_risk"),
        (&["run/model", "--levels", "0.9,1"], "level"),
        (&["run/model", "--to", "run/model"], "--force"),
        (&["run/model", "--to", "mine", "--force"], "mine"),
        (
            &["run/model", "--data-dir", "wide", "--part", "validation"],
            "wide",
        ),
    ] {
        let error = sandbox.fail("digits", &[&["calibrate"], args].concat());
        assert!(error.contains(said), "{args:?}: {error}");
        assert!(!sandbox.path("run/model-calibrated").exists() && !sandbox.path("new").exists());
    }
    assert_eq!(before, sandbox.bytes("run/model/SHA256SUMS"));
    assert_eq!(sandbox.bytes("mine/letter"), b"dear");
    sandbox.succeed("digits", &["verify", "run/model"]);

    // In the place of the old one, and beside it.
    sandbox.succeed("digits", &["calibrate", "run/model"]);
    sandbox.succeed("digits", &["verify", "run/model-calibrated"]);
    sandbox.succeed(
        "digits",
        &["calibrate", "run/model", "--to", "run/model", "--force"],
    );
    assert!(sandbox.json("run/model/checkpoint.json")["calibrated_on"].is_object());
}
