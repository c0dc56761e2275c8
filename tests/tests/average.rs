//! What a run validates and publishes where its recipe averages the weights over the steps.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use tests::Sandbox;

const LAST: &str = "checkpoints/epoch-002";

fn decay(value: &str) -> [String; 2] {
    ["--set".into(), format!("training.ema_decay={value}")]
}

/// Trains the smoke recipe with an average of this decay.
fn train(sandbox: &Sandbox, run: &str, value: &str, more: &[&str]) {
    let decay = decay(value);
    let args: Vec<_> = decay.iter().map(String::as_str).collect();
    sandbox.train(run, &[&args, more].concat());
}

/// The loss of each epoch; of training, the loss of each step too.
fn losses(sandbox: &Sandbox, run: &str, split: &str) -> Vec<f64> {
    let text = String::from_utf8(sandbox.bytes(&format!("{run}/metrics.jsonl"))).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["split"] == split && line["name"] == "loss")
        .map(|line| line["value"].as_f64().unwrap())
        .collect()
}

#[test]
fn an_average_that_forgets_at_once_is_worth_as_much_as_the_last_weights() {
    let sandbox = Sandbox::new();
    sandbox.train("plain", &[]);
    train(&sandbox, "run", "1e-30", &[]);
    let of = |run: &str| losses(&sandbox, run, "validation");
    let (plain, run) = (of("plain"), of("run"));
    assert_eq!((plain.len(), run.len()), (3, 3));
    for (plain, run) in plain.iter().zip(&run) {
        assert!((plain - run).abs() < 1e-5, "{plain} {run}");
    }
    let test = |run: &str| sandbox.json(&format!("{run}/summary.json"))["test"]["accuracy"].take();
    assert_eq!(test("plain"), test("run"));
}

#[test]
fn the_average_is_judged_and_published_and_training_goes_on_from_the_live_weights() {
    let sandbox = Sandbox::new();
    sandbox.train("plain", &[]);
    train(&sandbox, "run", "0.9", &[]);
    let read = |file: &str| sandbox.bytes(file);
    let average = read(&format!("run/{LAST}/model.bpk"));
    let plain = read(&format!("plain/{LAST}/model.bpk"));
    // What is learned doesn't change by a bit.
    assert_eq!(read(&format!("run/{LAST}/live.bpk")), plain);
    assert_eq!(
        read(&format!("run/{LAST}/optimizer.bpk")),
        read(&format!("plain/{LAST}/optimizer.bpk"))
    );
    let of = |run: &str, split: &str| losses(&sandbox, run, split);
    assert_eq!(of("run", "train"), of("plain", "train"));
    // What it is judged by does.
    assert_ne!(average, plain);
    let [validated, without] = ["run", "plain"].map(|run| of(run, "validation"));
    assert_eq!(
        validated[0], without[0],
        "before training there is one network"
    );
    assert_ne!(validated[1..], without[1..]);
    assert_eq!(read("run/model/model.bpk"), average);
    assert!(!sandbox.path("run/model/live.bpk").exists());
}

#[test]
fn the_first_steps_are_averaged_over_fewer_weights() {
    let sandbox = Sandbox::new();
    let few = |steps: &str| {
        [
            "data.limit=200",
            "training.batch_size=200",
            "training.plain_epochs=0",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("training.epochs={steps}")])
        .flat_map(|change| ["--set".to_owned(), change])
        .collect::<Vec<_>>()
    };
    // One step an epoch. After the first the effective decay is at most 2/11, after the second 3/12.
    for (steps, alike, smaller) in [("1", "0.2", "0.1"), ("2", "0.26", "0.2")] {
        let more = few(steps);
        let more: Vec<_> = more.iter().map(String::as_str).collect();
        let weights = |value: &str| {
            let run = format!("{steps}-{value}");
            train(&sandbox, &run, value, &more);
            sandbox.bytes(&format!("{run}/checkpoints/epoch-00{steps}/model.bpk"))
        };
        let capped = weights("0.99");
        assert_eq!(capped, weights(alike), "{steps}");
        assert_ne!(capped, weights(smaller), "{steps}");
    }
}

#[test]
fn a_resumed_run_ends_with_the_same_average_in_the_same_bits() {
    let sandbox = Sandbox::new();
    let with = |run: &str, epochs: &str| {
        let changes = [
            "network.dropout=0.1",
            "training.plain_epochs=0",
            "schedule={kind=\"constant\"}",
            epochs,
        ];
        let more: Vec<_> = changes
            .iter()
            .flat_map(|change| ["--set", *change])
            .collect();
        train(&sandbox, run, "0.98", &more);
    };
    with("whole", "training.epochs=3");
    with("cut", "training.epochs=1");
    let more = ["--resume", "cut", "--set", "training.epochs=3"];
    let outcome = sandbox.succeed("train", &more);
    assert!(
        outcome.stderr.contains("going on after epoch 1"),
        "{}",
        outcome.stderr
    );
    for file in [
        "checkpoints/epoch-003/model.bpk",
        "checkpoints/epoch-003/live.bpk",
        "checkpoints/epoch-003/optimizer.bpk",
        "checkpoints/epoch-003/scheduler.bpk",
        "checkpoints/epoch-003/checkpoint.json",
        "model/model.bpk",
    ] {
        let read = |run: &str| sandbox.bytes(&format!("{run}/{file}"));
        assert_eq!(read("whole"), read("cut"), "{file}");
    }
}

#[test]
fn a_run_without_an_average_has_no_second_weights() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]);
    assert!(!sandbox.path(&format!("run/{LAST}/live.bpk")).exists());
    let file = sandbox.path("run/config.toml");
    assert!(!fs::read_to_string(file).unwrap().contains("ema_decay"));
}

#[test]
fn averaging_is_not_begun_changed_or_ended_in_the_middle_of_a_run() {
    let sandbox = Sandbox::new();
    sandbox.train("plain", &[]);
    train(&sandbox, "run", "0.9", &[]);
    for run in ["plain", "run"] {
        let [set, change] = decay("0.5");
        let error = sandbox.fail("train", &["--resume", run, &set, &change]);
        assert!(error.contains("training.ema_decay differs"), "{error}");
    }
}

#[test]
fn a_decay_that_averages_nothing_or_everything_is_refused() {
    let sandbox = Sandbox::new();
    // The last is 1 in 32 bits.
    for value in ["0", "1", "-0.5", "1.5", "nan", "0.99999999999"] {
        let [set, change] = decay(value);
        let error = sandbox.fail("train", &[&set, &change]);
        assert!(error.contains("training.ema_decay"), "{value}: {error}");
    }
}

#[test]
fn live_weights_of_another_network_or_none_are_passed_over() {
    let sandbox = Sandbox::new();
    train(&sandbox, "whole", "0.9", &[]);
    train(&sandbox, "wider", "0.9", &["--set", "network.dense=[48]"]);
    let last = format!("run/{LAST}");
    for (from, named) in [
        (
            Some("wider"),
            "live.bpk: not the weights of the network in model.bpk",
        ),
        (None, "checkpoint.json: training.ema_decay"),
    ] {
        train(&sandbox, "run", "0.9", &[]);
        let live = sandbox.path(&format!("{last}/live.bpk"));
        match from {
            Some(run) => {
                fs::copy(sandbox.path(&format!("{run}/{LAST}/live.bpk")), live).unwrap();
            }
            None => fs::remove_file(live).unwrap(),
        }
        sandbox.reseal(&last);
        let outcome = sandbox.succeed("train", &["--resume", "run"]);
        assert!(
            outcome.stderr.contains(&format!("epoch-002/{named}")),
            "{}",
            outcome.stderr
        );
        let model = |run: &str| sandbox.bytes(&format!("{run}/model/model.bpk"));
        assert_eq!(model("whole"), model("run"));
        fs::remove_dir_all(sandbox.path("run")).unwrap();
    }
}
