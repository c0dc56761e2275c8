//! Two checkpoints on the same images.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use serde_json::Value;
use tests::{Sandbox, pretrained};

fn compare(sandbox: &Sandbox, a: &str, b: &str, more: &[&str]) -> Value {
    let args = [&["compare", a, b, "--json"], more].concat();
    serde_json::from_str(&sandbox.succeed("digits", &args).stdout).unwrap()
}

fn evaluate(sandbox: &Sandbox, checkpoint: &str) -> Value {
    let args = ["evaluate", checkpoint, "--json"];
    serde_json::from_str(&sandbox.succeed("digits", &args).stdout).unwrap()
}

#[test]
fn each_side_is_what_evaluate_says_and_the_pairs_add_up() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let good = pretrained().display().to_string();
    let found = compare(&sandbox, "run/model", &good, &[]);
    for (side, checkpoint) in [("a", "run/model"), ("b", &good)] {
        let alone = evaluate(&sandbox, checkpoint);
        let evaluation = &alone["test"]["evaluation"];
        assert_eq!(found[side]["accuracy"], evaluation["after"]["accuracy"]);
        assert_eq!(found[side]["accepted"], evaluation["selective"]);
    }
    let count = |key: &str| found["paired"][key].as_u64().unwrap();
    let right =
        |side: &str| (1e4 * found[side]["accuracy"]["value"].as_f64().unwrap()).round() as u64;
    assert_eq!(count("both") + count("only_a"), right("a"));
    assert_eq!(count("both") + count("only_b"), right("b"));
    assert_eq!(
        ["both", "only_a", "only_b", "neither"]
            .map(count)
            .iter()
            .sum::<u64>(),
        10_000
    );
    assert_eq!(
        (&found["verdict"], &found["not_worse"]["shown"]),
        (&"better".into(), &true.into())
    );
    assert!(found["difference"]["lower"].as_f64().unwrap() > 0.0);

    let back = compare(&sandbox, &good, "run/model", &[]);
    assert_eq!(
        (&back["verdict"], &back["not_worse"]["shown"]),
        (&"worse".into(), &false.into())
    );
    let text = sandbox
        .succeed("digits", &["compare", &good, "run/model"])
        .stdout;
    assert!(
        text.lines().last().unwrap().starts_with("B is worse"),
        "{text}"
    );
}

#[test]
fn a_checkpoint_is_neither_better_nor_worse_than_itself() {
    let sandbox = Sandbox::new();
    let good = pretrained().display().to_string();
    let found = compare(&sandbox, &good, &good, &[]);
    assert_eq!(
        (&found["verdict"], &found["mid_p"]),
        (&"no_difference_shown".into(), &1.0.into())
    );
    assert_eq!(found["not_worse"]["shown"], true);
    let strict = compare(&sandbox, &good, &good, &["--margin", "0.0001"]);
    assert_eq!(
        strict["not_worse"]["shown"], false,
        "10,000 images can't show so little"
    );
    let error = sandbox.fail("digits", &["compare", &good, &good, "--margin", "0"]);
    assert!(error.contains("margin"), "{error}");
}

#[test]
fn classes_that_differ_are_named() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    let good = pretrained().display().to_string();
    let written = fs::read_to_string(sandbox.path("run/model/checkpoint.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&written).unwrap();
    for (names, said) in [
        (
            ["0", "1", "2", "3", "4", "5", "6", "seven", "8", "9"],
            "has seven",
        ),
        (
            ["1", "0", "2", "3", "4", "5", "6", "7", "8", "9"],
            "another order",
        ),
    ] {
        manifest["classes"] = names.to_vec().into();
        let text = serde_json::to_vec_pretty(&manifest).unwrap();
        fs::write(sandbox.path("run/model/checkpoint.json"), text).unwrap();
        sandbox.reseal("run/model");
        let error = sandbox.fail("digits", &["compare", &good, "run/model"]);
        assert!(
            error.contains("the classes differ") && error.contains(said),
            "{error}"
        );
    }
}

#[test]
fn bytes_change_few_answers_and_it_is_said_or_refused() {
    let sandbox = Sandbox::new();
    let good = pretrained().display().to_string();
    let args = ["compare", &good, &good, "--precision", "int8"];
    #[cfg(target_arch = "x86_64")]
    let possible = std::arch::is_x86_feature_detected!("avx512vnni");
    #[cfg(not(target_arch = "x86_64"))]
    let possible = false;
    if !possible {
        let error = sandbox.fail("digits", &args);
        assert!(error.contains("int8 is not possible"), "{error}");
        return;
    }
    let found = compare(&sandbox, &good, &good, &args[3..]);
    let precisions = ["a", "b"].map(|side| found[side]["precision"].as_str().unwrap());
    assert_eq!(precisions, ["f32", "int8"]);
    let changed = |of: &str| found["changed"][of].as_u64().unwrap();
    assert!(changed("classes") <= 5 && (1..=30).contains(&changed("decisions")));
    let text = sandbox.succeed("digits", &args).stdout;
    assert!(text.contains(", computed in int8\n"), "{text}");

    let json = sandbox.succeed(
        "digits",
        &["evaluate", &good, "--json", "--precision", "int8"],
    );
    let alone: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(alone["precision"], "int8");
    assert_eq!(
        alone["test"]["evaluation"]["after"]["accuracy"],
        found["b"]["accuracy"]
    );
}
