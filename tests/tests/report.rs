//! The report and the stress test, through the binaries.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use serde_json::Value;
use tests::{Sandbox, pretrained, smoke};

#[test]
fn a_run_leaves_a_report_and_evaluate_writes_the_same() {
    let sandbox = Sandbox::new();
    sandbox.succeed(
        "train",
        &["--config", &smoke(), "--run-dir", "run", "--quiet"],
    );
    let written = fs::read(sandbox.path("run/report.html")).unwrap();
    assert!(written.starts_with(b"<!DOCTYPE html>"));
    sandbox.succeed(
        "digits",
        &["evaluate", "run/model", "--report", "again.html"],
    );
    assert!(written == fs::read(sandbox.path("again.html")).unwrap());
}

#[test]
fn stress_reports_every_kind_of_image() {
    let sandbox = Sandbox::new();
    let checkpoint = pretrained().display().to_string();
    let args = [
        "stress",
        &checkpoint,
        "--limit",
        "20",
        "--json",
        "--report",
        "stress.html",
    ];
    let output = sandbox.succeed("digits", &args);
    let result: Value = serde_json::from_str(&output.stdout).unwrap();
    let rows = result["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 21);
    assert_eq!(rows[0]["name"], "identity");
    assert!(rows[0]["accuracy"]["value"].as_f64().unwrap() > 0.9);
    assert!(rows.iter().all(|row| row["images"] == 20));
    assert!(
        fs::read_to_string(sandbox.path("stress.html"))
            .unwrap()
            .contains("uniform noise")
    );
    let again: Value = serde_json::from_str(&sandbox.succeed("digits", &args).stdout).unwrap();
    assert_eq!(result, again);
}

#[test]
fn a_folder_without_letters_is_named() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("empty")).unwrap();
    let checkpoint = pretrained().display().to_string();
    let error = sandbox.fail(
        "digits",
        &["stress", &checkpoint, "--limit", "1", "--letters", "empty"],
    );
    assert!(
        error.contains("empty") && error.contains("t10k-images-idx3-ubyte"),
        "{error}"
    );
}
