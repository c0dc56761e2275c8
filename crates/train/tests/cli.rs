//! The command line of `train`, without training.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn train(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_train"))
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn the_printed_recipe_is_a_recipe() {
    let first = train(&["--set", "training.epochs=3", "--print-config"]);
    let text = String::from_utf8(first.stdout).unwrap();
    assert!(text.contains("epochs = 3"), "{text}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &text).unwrap();
    let second = train(&[
        "--config",
        &file.path().display().to_string(),
        "--print-config",
    ]);
    assert_eq!(String::from_utf8(second.stdout).unwrap(), text);
}

#[test]
fn bad_usage_exits_with_two() {
    for args in [
        vec!["--sed", "1"],
        vec!["--set", "training.epochs"],
        vec!["--seed", "one"],
    ] {
        assert_eq!(train(&args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn help_shows_examples() {
    let text = String::from_utf8(train(&["--help"]).stdout).unwrap();
    assert!(text.contains("train --resume artifacts/latest"), "{text}");
}
