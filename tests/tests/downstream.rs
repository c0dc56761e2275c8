//! A crate outside the workspace that depends on `model` alone. Built and run by
//! `cargo test --release -p tests --features downstream --test downstream`.

#![cfg(feature = "downstream")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{fs, io::Read as _, process::Command};

use tests::{Sandbox, pretrained, root};

#[test]
fn a_downstream_crate_classifies_with_exactly_the_reported_accuracy() {
    let sandbox = Sandbox::new();
    // Plain IDX files, as a user would have them.
    let read = |name: &str| {
        let file = fs::File::open(root().join("crates/data/mnist").join(name)).unwrap();
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(file)
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    };
    fs::write(sandbox.path("images"), read("t10k-images-idx3-ubyte.gz")).unwrap();
    let labels = read("t10k-labels-idx1-ubyte.gz");

    let output = Command::new(env!("CARGO"))
        .args(["run", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(root().join("tests/downstream/Cargo.toml"))
        // Shares what it can with the build of the workspace.
        .arg("--target-dir")
        .arg(root().join("target"))
        // Most of the build, and nothing that classifying spends time in.
        .args([
            "--config",
            "profile.release.package.burn-ndarray.opt-level=0",
        ])
        .arg("--")
        .arg(pretrained())
        .arg(sandbox.path("images"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let digits: Vec<u8> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    let errors = digits
        .iter()
        .zip(&labels[8..])
        .filter(|(digit, label)| digit != label)
        .count();
    assert_eq!(digits.len(), 10_000);

    let model = pretrained().display().to_string();
    let outcome = sandbox.succeed("digits", &["evaluate", &model, "--json"]);
    let evaluation: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(evaluation["test"]["errors"], errors);
    assert!(
        errors <= 100,
        "the committed checkpoint is at least 99 % right: {errors} errors"
    );
}
