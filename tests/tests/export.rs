//! What `digits export` leaves, and what it leaves alone.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{fs, process::Command};

use tests::{Sandbox, pretrained};

fn export<'a>(checkpoint: &'a str, to: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["export", checkpoint, "--to", to, "--format", "onnx"];
    [&args[..], more].concat()
}

#[test]
fn an_export_is_complete_and_in_the_same_bytes_each_time() {
    let sandbox = Sandbox::new();
    let good = pretrained().display().to_string();
    let told = sandbox.succeed("digits", &export(&good, "onnx", &["--json"]));
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let file = sandbox.bytes("onnx/model.onnx");
    assert_eq!(told["format"], "onnx");
    assert_eq!(told["files"]["model.onnx"], file.len());
    assert!(told["checked"]["model.onnx"].is_string(), "{told}");
    let sums = Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(sandbox.path("onnx"))
        .output()
        .unwrap();
    assert!(sums.status.success(), "{sums:?}");
    let names: Vec<_> = fs::read_dir(sandbox.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["onnx"], "nothing is left beside it");

    sandbox.succeed("digits", &export(&good, "onnx", &["--force"]));
    assert_eq!(sandbox.bytes("onnx/model.onnx"), file);
    fs::create_dir(sandbox.path("empty")).unwrap();
    sandbox.succeed("digits", &export(&good, "empty", &[]));
    assert_eq!(sandbox.bytes("empty/model.onnx"), file);
}

#[test]
fn an_export_is_replaced_when_told_so_and_anything_else_never() {
    let sandbox = Sandbox::new();
    let good = pretrained().display().to_string();
    sandbox.succeed("digits", &export(&good, "onnx", &[]));
    let error = sandbox.fail("digits", &export(&good, "onnx", &[]));
    assert!(
        error.contains("onnx: ") && error.contains("--force"),
        "{error}"
    );

    fs::create_dir(sandbox.path("thesis")).unwrap();
    fs::write(sandbox.path("thesis/chapter.tex"), "ten years").unwrap();
    fs::write(sandbox.path("file"), "five years").unwrap();
    sandbox.train("run", &[]);
    for (to, kept) in [
        ("thesis", "thesis/chapter.tex"),
        ("file", "file"),
        ("run/model", "run/model/model.bpk"),
        ("run", "run/summary.json"),
    ] {
        let before = sandbox.bytes(kept);
        let error = sandbox.fail("digits", &export(&good, to, &["--force"]));
        assert!(error.contains("name another folder"), "{error}");
        assert_eq!(sandbox.bytes(kept), before);
    }
    // What somebody has put beside an export is not thrown away with it.
    fs::write(sandbox.path("onnx/notes.txt"), "one day").unwrap();
    let error = sandbox.fail("digits", &export(&good, "onnx", &["--force"]));
    assert!(error.contains("no export"), "{error}");
    assert_eq!(sandbox.bytes("onnx/notes.txt"), b"one day");
}

#[test]
fn what_a_process_that_died_has_left_is_cleared_and_a_living_one_is_left_alone() {
    let sandbox = Sandbox::new();
    let good = pretrained().display().to_string();
    for left in [
        ".partial-export-onnx/new",
        ".partial-export-other",
        ".partial-x",
    ] {
        fs::create_dir_all(sandbox.path(left)).unwrap();
        fs::write(sandbox.path(left).join("model.onnx"), "half").unwrap();
    }
    let lock = fs::File::create(sandbox.path(".partial-export-onnx/lock")).unwrap();
    lock.lock().unwrap();
    let error = sandbox.fail("digits", &export(&good, "onnx", &[]));
    assert!(
        error.contains("onnx: ") && error.contains("another process"),
        "{error}"
    );
    assert!(!sandbox.path("onnx").exists());
    assert_eq!(
        sandbox.bytes(".partial-export-onnx/new/model.onnx"),
        b"half"
    );
    drop(lock);
    for more in [&[][..], &["--force"]] {
        sandbox.succeed("digits", &export(&good, "onnx", more));
        let entries = fs::read_dir(sandbox.path(".")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".partial-export-other", ".partial-x", "onnx"]);
        assert!(sandbox.bytes("onnx/model.onnx").len() > 100_000);
    }

    // Killed between two renames, where names can't be exchanged.
    fs::create_dir(sandbox.path(".partial-export-onnx")).unwrap();
    fs::rename(
        sandbox.path("onnx"),
        sandbox.path(".partial-export-onnx/old"),
    )
    .unwrap();
    sandbox.succeed("digits", &export(&good, "onnx", &[]));
    assert!(!sandbox.path(".partial-export-onnx").exists());
}

#[test]
fn what_is_no_whole_checkpoint_leaves_nothing() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let mut weights = sandbox.bytes("run/model/model.bpk");
    *weights.last_mut().unwrap() ^= 1;
    fs::write(sandbox.path("run/model/model.bpk"), weights).unwrap();
    for checkpoint in ["run/model", "nowhere"] {
        let error = sandbox.fail("digits", &export(checkpoint, "onnx", &[]));
        assert!(error.contains(checkpoint), "{error}");
        assert!(!sandbox.path("onnx").exists());
    }
}

#[test]
fn a_checkpoint_without_calibration_can_be_exported() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let epoch = "run/checkpoints/epoch-002";
    sandbox.succeed("digits", &export(epoch, "onnx", &[]));
    let file = String::from_utf8_lossy(&sandbox.bytes("onnx/model.onnx")).into_owned();
    assert!(file.contains("not calibrated: nothing is accepted"));
}
