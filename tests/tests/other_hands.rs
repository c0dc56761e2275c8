//! Training for other hands, pens and papers than MNIST's: what the recipe's keys for it change, what a
//! checkpoint says of it, and a look at it before.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use roxmltree::Document;
use serde_json::Value;
use tests::{Sandbox, smoke};

const OTHERS: [&str; 2] = [
    "--set",
    "data.validation_augmentation={rotation=20,shear=20,stroke=1.5,styles=0.5}",
];

fn weights(sandbox: &Sandbox, run: &str) -> Vec<u8> {
    sandbox.bytes(&format!("{run}/model/model.bpk"))
}

/// The measurements of a split, each with its name.
fn measured(sandbox: &Sandbox, run: &str, split: &str) -> Vec<(String, f64)> {
    let text = String::from_utf8(sandbox.bytes(&format!("{run}/metrics.jsonl"))).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["split"] == split && line["name"] != "images_per_second")
        .map(|line| {
            let name = line["name"].as_str().unwrap().to_owned();
            (name, line["value"].as_f64().unwrap())
        })
        .collect()
}

#[test]
fn negatives_and_styles_change_what_is_learned() {
    let sandbox = Sandbox::new();
    sandbox.train("plain", &[]);
    let plain = weights(&sandbox, "plain");
    for change in ["data.negatives=0.2", "data.augmentation.styles=0.5"] {
        let outcome = sandbox.train(change, &["--set", change]);
        assert_ne!(weights(&sandbox, change), plain, "{change}");
        assert!(!outcome.stderr.contains("note:"), "{}", outcome.stderr);
    }
}

#[test]
fn training_figures_speak_of_digits_although_negatives_are_among_them() {
    let sandbox = Sandbox::new();
    // Weights that hardly move, in a network that looks at each image by itself.
    let still = [
        "optimizer.learning_rate=1e-12",
        "network.norm=false",
        "training.epochs=1",
    ];
    let still: Vec<_> = still.iter().flat_map(|change| ["--set", *change]).collect();
    sandbox.train("without", &still);
    sandbox.train(
        "with",
        &[&still[..], &["--set", "data.negatives=1"]].concat(),
    );
    for split in ["train", "validation"] {
        let of = |run: &str| measured(&sandbox, run, split);
        let (without, with) = (of("without"), of("with"));
        assert!(without.iter().any(|(name, _)| name == "loss"));
        assert!(without.iter().any(|(name, _)| name == "accuracy"));
        assert_eq!(without.len(), with.len());
        for ((name, without), (_, with)) in without.iter().zip(&with) {
            assert!((without - with).abs() < 1e-6, "{name}: {without} {with}");
        }
    }
}

#[test]
fn limits_are_wider_and_the_threshold_the_same_where_validation_images_are_augmented() {
    let sandbox = Sandbox::new();
    sandbox.train("plain", &[]);
    sandbox.train("others", &OTHERS);
    assert_eq!(weights(&sandbox, "others"), weights(&sandbox, "plain"));
    let [plain, others] = ["plain", "others"]
        .map(|run| sandbox.json(&format!("{run}/model/checkpoint.json"))["calibration"].take());
    assert!(plain["augmented"].is_null());
    let augmented = &others["augmented"];
    assert_eq!(augmented["n"], 1000);
    let count = |name: &str| augmented[name].as_u64().unwrap();
    assert!(count("errors") <= count("accepted") && count("accepted") <= count("right"));
    assert!(count("right") > 500, "{augmented}");
    // Temperature, sets and threshold are those of the images as they are.
    assert_eq!(others["temperature"], plain["temperature"]);
    assert_eq!(others["conformal"], plain["conformal"]);
    assert_eq!(others["deferral"]["n"], 1000);
    let energy = |calibration: &Value| calibration["energy"]["value"].as_f64().unwrap();
    assert!(energy(&others) > energy(&plain));
    assert_ne!(others["distance"], plain["distance"]);
    for limit in ["amount", "covered", "border", "roughness"] {
        let of =
            |calibration: &Value, end: usize| calibration["pixels"][limit][end].as_f64().unwrap();
        assert!(of(&others, 0) <= of(&plain, 0), "{limit}");
        assert!(of(&others, 1) >= of(&plain, 1), "{limit}");
    }
    assert_ne!(others["pixels"], plain["pixels"]);
}

#[test]
fn how_the_augmented_validation_images_fared_is_told_wherever_the_calibration_is() {
    let sandbox = Sandbox::new();
    let trained = sandbox.train("run", &OTHERS);
    let checkpoint = sandbox.json("run/model/checkpoint.json");
    let augmented = &checkpoint["calibration"]["augmented"];
    let told = format!(
        "{} of 1000 augmented held-out images accepted, {} of them wrong",
        augmented["accepted"], augmented["errors"]
    );
    let line = format!("in other hands: {told}\n");
    assert!(trained.stdout.contains(&line), "{}", trained.stdout);
    let inspected = sandbox.succeed("digits", &["inspect", "run/model"]).stdout;
    assert!(
        inspected.contains(&format!("in other hands  {told}\n")),
        "{inspected}"
    );
    let report = String::from_utf8(sandbox.bytes("run/report.html")).unwrap();
    assert!(report.contains(&told));
    // The checkpoint is one like any other.
    sandbox.succeed("digits", &["verify", "run"]);
    let evaluated = sandbox.succeed("digits", &["evaluate", "run/model", "--json"]);
    let evaluated: Value = serde_json::from_str(&evaluated.stdout).unwrap();
    assert_eq!(
        evaluated["test"]["accuracy"],
        sandbox.json("run/summary.json")["test"]["accuracy"]
    );
    // Without them, nothing is said of them.
    let plain = sandbox.train("plain", &[]);
    let inspected = sandbox.succeed("digits", &["inspect", "plain/model"]);
    assert!(!plain.stdout.contains("in other hands"));
    assert!(!inspected.stdout.contains("in other hands"));
    let report = String::from_utf8(sandbox.bytes("plain/report.html")).unwrap();
    assert!(!report.contains("augmented held-out images"));
}

#[test]
fn a_resumed_run_learns_from_the_same_negatives() {
    let sandbox = Sandbox::new();
    let keys = [
        "--set",
        "data.negatives=0.2",
        "--set",
        "schedule={kind=\"constant\"}",
    ];
    sandbox.train("whole", &keys);
    let one = [
        "--set",
        "training.epochs=1",
        "--set",
        "training.plain_epochs=0",
    ];
    sandbox.train("run", &[&keys[..], &one].concat());
    let more = [
        "--set",
        "training.epochs=2",
        "--set",
        "training.plain_epochs=1",
    ];
    sandbox.succeed("train", &[&["--resume", "run"][..], &more].concat());
    assert_eq!(
        sandbox.bytes("run/checkpoints/epoch-002/model.bpk"),
        sandbox.bytes("whole/checkpoints/epoch-002/model.bpk")
    );
}

/// What stands before the rows of a sheet, and how many pictures a sheet has.
fn rows(sandbox: &Sandbox, file: &str) -> Vec<String> {
    let text = String::from_utf8(sandbox.bytes(file)).unwrap();
    let document = Document::parse(&text).unwrap();
    assert!(
        document
            .root_element()
            .has_tag_name(("http://www.w3.org/2000/svg", "svg"))
    );
    let named = |name: &'static str| {
        document
            .descendants()
            .filter(move |node| node.tag_name().name() == name)
    };
    for image in named("image") {
        let data = image.attribute("href").unwrap();
        assert!(data.starts_with("data:image/png;base64,"), "{data}");
        assert!(image.attribute("width").unwrap().parse::<u32>().unwrap() > 0);
    }
    let names: Vec<_> = named("text")
        .map(|node| node.text().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), named("image").count());
    names
}

#[test]
fn a_sheet_shows_a_row_for_each_kind_and_trains_nothing() {
    let sandbox = Sandbox::new();
    let recipe = smoke();
    let changes = [
        "--config",
        &recipe,
        "--set",
        "data.augmentation={rotation=10,noise=0.1,styles=0.5,blur=0}",
        "--set",
        "data.negatives=0.1",
    ];
    sandbox.succeed("train", &[&changes[..], &["--sheet", "sheet.svg"]].concat());
    assert_eq!(
        rows(&sandbox, "sheet.svg"),
        [
            "as they are",
            "rotation 10",
            "noise 0.1",
            "styles 0.5",
            "all together",
            "negatives 0.1"
        ]
    );
    assert!(!sandbox.path("artifacts").exists());
    // The same look at it each time, and another with another seed.
    sandbox.succeed("train", &[&changes[..], &["--sheet", "again.svg"]].concat());
    assert_eq!(sandbox.bytes("again.svg"), sandbox.bytes("sheet.svg"));
    let seeded = [&changes[..], &["--seed", "7", "--sheet", "seven.svg"]].concat();
    sandbox.succeed("train", &seeded);
    assert_ne!(sandbox.bytes("seven.svg"), sandbox.bytes("sheet.svg"));
}

#[test]
fn a_sheet_of_no_augmentation_is_bad_usage_and_one_that_cannot_be_written_is_named() {
    let sandbox = Sandbox::new();
    let recipe = smoke();
    let nothing = "data.augmentation={rotation=0}";
    let arguments = [
        "--config",
        &recipe,
        "--set",
        nothing,
        "--sheet",
        "sheet.svg",
    ];
    let refused = sandbox.run("train", &arguments);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("--sheet") && refused.stderr.contains("data.augmentation"),
        "{}",
        refused.stderr
    );
    assert!(!sandbox.path("sheet.svg").exists());
    fs::create_dir(sandbox.path("folder")).unwrap();
    for file in ["folder", "missing/sheet.svg"] {
        let arguments = ["--config", &recipe, "--sheet", file];
        let unwritable = sandbox.run("train", &arguments);
        assert_eq!(unwritable.code, Some(1), "{}", unwritable.stderr);
        let line = sandbox.fail("train", &arguments);
        assert!(
            line.contains(file) && line.contains("can't be written"),
            "{line}"
        );
    }
}
