//! The changes in `docs/your-own-cnn.md`, as a stranger makes them: applied to a copy, built and run.
//! `cargo test --release -p tests --features downstream --test own_cnn`.

#![cfg(feature = "downstream")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tests::{root, smoke};

/// Copies what a build needs.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if ["target", ".git", "artifacts", ".venv"]
            .iter()
            .any(|skipped| name == *skipped)
        {
            continue;
        }
        let (from, to) = (entry.path(), to.join(&name));
        match entry.file_type().unwrap().is_dir() {
            true => copy(&from, &to),
            false => _ = fs::copy(from, to).unwrap(),
        }
    }
}

/// The second and further names of what was compiled before: nothing of Burn is compiled again, and what is
/// built here replaces nothing.
fn link(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap().is_dir() {
            true => link(&from, &to),
            false => fs::hard_link(from, to).unwrap(),
        }
    }
}

fn run(folder: &Path, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .current_dir(folder)
        // The copy is no part of the repository that it lies in.
        .env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap())
        .args(arguments)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}\n{error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_kind_of_layer_a_data_set_and_other_classes_are_three_small_changes() {
    let target = root().join("target");
    let place = tempfile::Builder::new().tempdir_in(&target).unwrap();
    let copied: PathBuf = place.path().join("copy");
    copy(&root(), &copied);
    let text = fs::read_to_string(root().join("docs/your-own-cnn.md")).unwrap();
    let diffs: Vec<&str> = text
        .split("```diff\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(diffs.len(), 3);
    // Adding a kind of layer touches three files.
    assert_eq!(diffs[0].matches("+++ b/").count(), 3);
    for diff in diffs {
        fs::write(copied.join("change.diff"), diff).unwrap();
        run(&copied, "git", &["apply", "change.diff"]);
    }

    let built = place.path().join("target");
    for part in ["deps", "build", ".fingerprint"] {
        link(
            &target.join("release").join(part),
            &built.join("release").join(part),
        );
    }
    let built_in = built.display().to_string();
    // The workspace as a whole, so that features are those of the build before.
    let build = ["build", "--release", "--locked", "--target-dir", &built_in];
    run(
        &copied,
        env!("CARGO"),
        &[
            &build[..],
            &["-p", "train", "-p", "digits", "-p", "minimal"],
        ]
        .concat(),
    );

    let train = built.join("release/train");
    let blocks = "network.blocks=[{channels=8,kernel=3},{channels=8,kernel=3,padding=1,pool=false,skip=true},{channels=16,kernel=3}]";
    run(
        &copied,
        &train,
        &["--config", &smoke(), "--run-dir", "run", "--set", blocks],
    );
    let summary = fs::read(copied.join("run/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert!(
        summary["test"]["accuracy"].as_f64().unwrap() > 0.9,
        "{summary}"
    );
    let export = Command::new(built.join("release/digits"))
        .current_dir(&copied)
        .args([
            "export",
            "run/model",
            "--to",
            "exported",
            "--format",
            "onnx",
        ])
        .output()
        .unwrap();
    assert!(!export.status.success());
    let said = String::from_utf8_lossy(&export.stderr);
    assert!(said.contains("network.blocks[1] has a part"), "{said}");
    assert!(!copied.join("exported").exists());

    let wrong = "network.blocks=[{channels=8,kernel=3,skip=true}]";
    let refused = Command::new(&train)
        .current_dir(&copied)
        .args(["--set", wrong, "--run-dir", "wrong"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("network.blocks[0].skip"));

    let images = copied.join("images");
    fs::create_dir(&images).unwrap();
    for file in fs::read_dir(copied.join("crates/data/mnist")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), images.join(file.file_name())).unwrap();
    }
    let text = run(&copied, built.join("release/minimal"), &["results"]);
    let line = text.lines().last().unwrap();
    let right: usize = line.split(' ').next().unwrap().parse().unwrap();
    assert!(right > 9_500, "{line}");
    assert!(text.contains("the first is a odd"), "{text}");
}
