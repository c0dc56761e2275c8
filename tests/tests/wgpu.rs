//! The wgpu backend against ndarray: on a GPU, or on a Vulkan driver in software such as Mesa's
//! llvmpipe. Built and run by `cargo test -p tests --features wgpu --test wgpu`.

#![cfg(feature = "wgpu")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::Value;
use tests::{Sandbox, pretrained};

/// Steps of which several fit between two readings, also without a graphics adapter.
const QUICK_STEPS: [&str; 12] = [
    "--set",
    "network.blocks=[]",
    "--set",
    "network.dense=[16]",
    "--set",
    "network.norm=false",
    "--set",
    "training.batch_size=8",
    "--set",
    "data.limit=1600",
    "--set",
    "schedule={kind=\"constant\"}",
];

/// The README's command, on a few images.
#[test]
fn the_default_recipe_trains_on_an_adapter() {
    let sandbox = Sandbox::new();
    let few = ["--set", "data.limit=512", "--set", "data.validation=500"];
    let short = ["--set", "training.epochs=1", "--set", "inference.views=1"];
    let args = [&["--backend", "wgpu"][..], &few, &short].concat();
    let outcome = sandbox.succeed("train", &args);
    assert!(
        outcome.stderr.contains("backend wgpu"),
        "{}",
        outcome.stderr
    );
    assert!(sandbox.path("artifacts/default-001/report.html").is_file());
}

#[test]
fn thirty_steps_on_wgpu_reach_the_loss_that_ndarray_reaches() {
    let sandbox = Sandbox::new();
    let loss = |backend: &str| {
        let more = [
            "--backend",
            backend,
            "--set",
            "data.limit=960",
            "--set",
            "training.batch_size=32",
            "--set",
            "training.epochs=1",
        ];
        sandbox.train(backend, &more);
        let text = String::from_utf8(sandbox.bytes(&format!("{backend}/metrics.jsonl"))).unwrap();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .find(|line| line["step"] == 30 && line["name"] == "loss")
            .and_then(|line| line["value"].as_f64())
            .unwrap()
    };
    let (ndarray, wgpu) = (loss("ndarray"), loss("wgpu"));
    assert!(
        (ndarray - wgpu).abs() < 1e-3,
        "ndarray {ndarray}, wgpu {wgpu}"
    );
}

#[test]
fn every_step_is_measured_once_and_in_order_though_steps_are_read_together() {
    let sandbox = Sandbox::new();
    let more = ["--backend", "wgpu"];
    sandbox.train("run", &[&more[..], &QUICK_STEPS].concat());
    let text = String::from_utf8(sandbox.bytes("run/metrics.jsonl")).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines: Vec<Value> = lines.filter(|line| !line["step"].is_null()).collect();
    for name in ["loss", "accuracy", "learning_rate"] {
        let of_name = lines.iter().filter(|line| line["name"] == name);
        let steps: Vec<u64> = of_name.map(|line| line["step"].as_u64().unwrap()).collect();
        assert!(steps.len() > 2, "{name}: {steps:?}");
        assert!(
            steps.iter().copied().eq(1..=steps.len() as u64),
            "{name}: {steps:?}"
        );
    }
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_names_the_step_that_ndarray_names() {
    let sandbox = Sandbox::new();
    let smoke = tests::smoke();
    let what = |backend: &str| {
        let args = [
            "--config",
            &smoke,
            "--run-dir",
            backend,
            "--backend",
            backend,
        ];
        let diverging = ["--set", "optimizer.learning_rate=1e20"];
        let error = sandbox.fail("train", &[&args[..], &QUICK_STEPS, &diverging].concat());
        let (what, _) = error.split_once(" (epoch").unwrap();
        what.rsplit(" at ").next().unwrap().to_owned()
    };
    assert_eq!(what("wgpu"), what("ndarray"));
}

#[test]
fn a_checkpoint_gives_the_same_digits_on_every_backend() {
    let sandbox = Sandbox::new();
    let model = pretrained().display().to_string();
    let digits = |backend: &str| -> Vec<usize> {
        let file = format!("{backend}.csv");
        sandbox.succeed(
            "digits",
            &["evaluate", &model, "--backend", backend, "--dump", &file],
        );
        let text = String::from_utf8(sandbox.bytes(&file)).unwrap();
        text.lines()
            .skip(1)
            .map(|line| {
                let values: Vec<f64> = line
                    .split(',')
                    .skip(1)
                    .map(|p| p.parse().unwrap())
                    .collect();
                (0..10)
                    .max_by(|&a, &b| values[a].total_cmp(&values[b]))
                    .unwrap()
            })
            .collect()
    };
    let ndarray = digits("ndarray");
    assert_eq!(ndarray.len(), 10_000);
    for backend in ["flex", "wgpu"] {
        assert_eq!(digits(backend), ndarray, "{backend}");
    }
}
