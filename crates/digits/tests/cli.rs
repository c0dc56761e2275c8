//! The command line of `digits` on the committed checkpoint.

#![allow(clippy::unwrap_used)]

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

fn digits(args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Command::new(env!("CARGO_BIN_EXE_digits"))
        .current_dir(root)
        .args(args)
        .output()
        .unwrap()
}

fn json(args: &[&str]) -> Value {
    let output = digits(args);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn inspect_shows_what_is_in_a_checkpoint() {
    let json = json(&["inspect", "artifacts/pretrained", "--json"]);
    assert_eq!(json["manifest"]["version"], 3);
    assert!(json["files"]["model.bpk"].as_u64().unwrap() < 2_000_000);
    let text = String::from_utf8(digits(&["inspect", "artifacts/pretrained"]).stdout).unwrap();
    assert!(
        text.contains("multiply-adds") && text.contains("total"),
        "{text}"
    );
}

#[test]
fn the_committed_checkpoint_is_at_least_99_percent_right() {
    let json = json(&["evaluate", "artifacts/pretrained", "--json"]);
    assert!(
        json["test"]["accuracy"].as_f64().unwrap() >= 0.99,
        "{}",
        json["test"]["accuracy"]
    );
}

#[test]
fn the_dump_has_a_row_of_probabilities_for_every_image() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.csv").display().to_string();
    assert!(
        digits(&["evaluate", "artifacts/pretrained", "--dump", &file])
            .status
            .success()
    );
    let text = std::fs::read_to_string(&file).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("label,p0,p1,p2,p3,p4,p5,p6,p7,p8,p9"));
    let rows: Vec<Vec<f64>> = lines
        .map(|line| {
            line.split(',')
                .map(|value| value.parse().unwrap())
                .collect()
        })
        .collect();
    assert_eq!(rows.len(), 10_000);
    assert!(
        rows.iter()
            .all(|row| (row[1..].iter().sum::<f64>() - 1.0).abs() < 1e-9)
    );
    assert_eq!(rows[0][0], 7.0);
}

#[test]
fn bad_usage_exits_with_two() {
    for args in [
        vec![],
        vec!["evaluate"],
        vec!["inspect", "a", "b"],
        vec!["guess", "x"],
    ] {
        assert_eq!(digits(&args).status.code(), Some(2), "{args:?}");
    }
}
