//! Training with products in bf16, as a user sees it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use tests::{Sandbox, smoke};

const BF16: [&str; 2] = ["--precision", "bf16"];

/// Whether this processor has products in bf16; where it has none, the other tests have nothing to train.
fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

#[test]
fn bf16_is_computed_or_refused_before_anything_is_written() {
    let sandbox = Sandbox::new();
    let smoke = smoke();
    let arguments = ["--config", &smoke, "--run-dir", "run"];
    let arguments = [&arguments[..], &BF16].concat();
    if has_bf16() {
        sandbox.succeed("train", &arguments);
    } else {
        let error = sandbox.fail("train", &arguments);
        let needs = "training.precision = bf16 needs a processor with AVX-512 BF16";
        assert!(error.contains(needs), "{error}");
        assert!(!sandbox.path("run").exists());
    }
    let error = sandbox.fail(
        "train",
        &["--config", &smoke, "--set", "training.precision=fp16"],
    );
    assert!(error.contains("`f32` or `bf16`"), "{error}");
}

#[test]
fn a_run_in_bf16_learns_and_says_everywhere_what_it_was() {
    if !has_bf16() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.train("run", &BF16);
    sandbox.train("f32", &[]);
    let summary = sandbox.json("run/summary.json");
    assert_eq!(summary["precision"], "bf16");
    let accuracy = summary["test"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.8, "{accuracy}");
    let manifest = sandbox.json("run/model/checkpoint.json");
    assert_eq!(manifest["provenance"]["precision"], "bf16");
    assert_eq!(
        manifest["provenance"]["config"]["training"]["precision"],
        "bf16"
    );
    let inspected = sandbox.succeed("digits", &["inspect", "run/model"]);
    assert!(
        inspected.stdout.contains("products in bf16"),
        "{}",
        inspected.stdout
    );
    let report = String::from_utf8(sandbox.bytes("run/report.html")).unwrap();
    assert!(report.contains("products in bf16"));

    assert_eq!(sandbox.json("f32/summary.json")["precision"], "f32");
    let manifest = sandbox.json("f32/model/checkpoint.json");
    assert!(manifest["provenance"].get("precision").is_none());
    let weights = |run: &str| sandbox.bytes(&format!("{run}/model/model.bpk"));
    assert_ne!(weights("run"), weights("f32"));
}

#[test]
fn what_a_bf16_run_reports_is_what_its_checkpoint_computes_in_f32() {
    if !has_bf16() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.train("run", &BF16);
    let outcome = sandbox.succeed("digits", &["evaluate", "run/model", "--json"]);
    let evaluation: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let summary = sandbox.json("run/summary.json");
    assert_eq!(evaluation["test"]["accuracy"], summary["test"]["accuracy"]);
}

#[test]
fn bf16_gives_the_same_bits_on_any_number_of_threads_and_on_both_backends() {
    if !has_bf16() {
        return;
    }
    let sandbox = Sandbox::new();
    let smoke = smoke();
    for (run, threads, backend) in [
        ("a", "1", "ndarray"),
        ("b", "3", "ndarray"),
        ("c", "2", "flex"),
    ] {
        let arguments = ["--config", &smoke, "--run-dir", run, "--backend", backend];
        let status = sandbox
            .command("train", &[&arguments[..], &BF16].concat())
            .env("RAYON_NUM_THREADS", threads)
            .status()
            .unwrap();
        assert!(status.success());
    }
    let weights = |run: &str| sandbox.bytes(&format!("{run}/model/model.bpk"));
    assert_eq!(weights("a"), weights("b"));
    assert_eq!(weights("a"), weights("c"));
}

#[test]
fn a_resumed_run_keeps_its_precision() {
    if !has_bf16() {
        return;
    }
    let sandbox = Sandbox::new();
    let constant = ["--set", "schedule={kind=\"constant\"}"];
    let arguments = [&BF16[..], &constant].concat();
    sandbox.train("whole", &arguments);
    sandbox.train(
        "short",
        &[
            &arguments[..],
            &[
                "--set",
                "training.epochs=1",
                "--set",
                "training.plain_epochs=0",
            ],
        ]
        .concat(),
    );
    let error = sandbox.fail(
        "train",
        &["--resume", "short", "--set", "training.precision=f32"],
    );
    assert!(error.contains("training.precision differs"), "{error}");
    let more = ["training.epochs=2", "training.plain_epochs=1"];
    let more = more.iter().flat_map(|change| ["--set", *change]);
    let arguments: Vec<_> = ["--resume", "short"].into_iter().chain(more).collect();
    sandbox.succeed("train", &arguments);
    let weights = |run: &str| {
        let file = format!("{run}/checkpoints/epoch-002/model.bpk");
        fs::read(sandbox.path(&file)).unwrap()
    };
    assert_eq!(weights("whole"), weights("short"));
}
