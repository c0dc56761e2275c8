//! What is said where the data at hand contradict a checkpoint: through the binaries.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use serde_json::Value;
use tests::{Sandbox, pretrained, root};

const PIXELS: usize = 28 * 28;

/// Images and labels of one split.
#[derive(Clone)]
struct Split {
    images: Vec<[u8; PIXELS]>,
    labels: Vec<u8>,
}

impl Split {
    /// The first of MNIST's, as they lie in the repository.
    fn mnist(split: &str, count: usize) -> Self {
        let read = |file: &str| {
            let path = root()
                .join("crates/data/mnist")
                .join(format!("{split}-{file}-ubyte.gz"));
            let mut bytes = Vec::new();
            flate2::read::GzDecoder::new(File::open(path).unwrap())
                .read_to_end(&mut bytes)
                .unwrap();
            bytes
        };
        let images = read("images-idx3");
        Split {
            images: images[16..].as_chunks::<PIXELS>().0[..count].to_vec(),
            labels: read("labels-idx1")[8..][..count].to_vec(),
        }
    }

    fn transposed(mut self) -> Self {
        for image in &mut self.images {
            *image = std::array::from_fn(|at| image[at % 28 * 28 + at / 28]);
        }
        self
    }

    fn inverted(mut self) -> Self {
        for value in self.images.as_flattened_mut() {
            *value = 255 - *value;
        }
        self
    }

    /// Labels that have nothing to do with the images.
    fn relabelled(mut self) -> Self {
        for (index, label) in self.labels.iter_mut().enumerate() {
            *label = (index * 7_919 % 10_007 % 10) as u8;
        }
        self
    }

    fn write(&self, folder: &Path, name: &str) {
        fs::create_dir_all(folder).unwrap();
        let mut images = vec![0, 0, 8, 3];
        for number in [self.images.len(), 28, 28] {
            images.extend((number as u32).to_be_bytes());
        }
        images.extend(self.images.as_flattened());
        fs::write(folder.join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        self.write_labels(folder, name);
    }

    fn write_labels(&self, folder: &Path, name: &str) {
        let mut labels = vec![0, 0, 8, 1];
        labels.extend((self.labels.len() as u32).to_be_bytes());
        labels.extend(&self.labels);
        fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), labels).unwrap();
    }
}

fn checkpoint() -> String {
    pretrained().display().to_string()
}

fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    serde_json::from_str(&sandbox.succeed("digits", arguments).stdout).unwrap()
}

#[test]
fn a_promise_that_the_labels_contradict_is_withdrawn_where_it_would_have_stood() {
    let sandbox = Sandbox::new();
    let turned = Split::mnist("t10k", 3_000).transposed();
    turned.write(&sandbox.path("turned"), "t10k");
    let arguments = ["evaluate", &checkpoint(), "--data-dir", "turned"];

    let text = sandbox.succeed(
        "digits",
        &[&arguments[..], &["--report", "page.html"]].concat(),
    );
    let promise: Vec<_> = text
        .stdout
        .lines()
        .filter(|line| line.starts_with("threshold"))
        .collect();
    assert!(
        matches!(promise[..], [line] if line.starts_with("threshold not certified: ")
            && line.contains("accepted are wrong here, which contradicts the 0.1 %")),
        "{promise:?}"
    );
    assert!(!text.stdout.contains("at most 0.1 %"), "{}", text.stdout);
    assert!(
        text.stdout.contains(
            "tried would be right instead of 15.0 % with rows and columns exchanged, as EMNIST's"
        ),
        "{}",
        text.stdout
    );
    let page = fs::read_to_string(sandbox.path("page.html")).unwrap();
    assert!(page.contains("accepted are wrong here") && !page.contains("at most 0.1 %"));

    let found = json(&sandbox, &[&arguments[..], &["--json"]].concat());
    let deferral = &found["test"]["deferral"];
    assert_eq!(deferral["certified"], false);
    assert_eq!(deferral["certified_on_validation"], true);
    assert_eq!(deferral["contradicted"], true);
    assert_eq!(found["test"]["misread"]["view"]["transposed"], true);
    assert_eq!(found["test"]["misread"]["view"]["inverted"], false);
    assert_eq!(
        found["test"]["origin"]["same"],
        Value::Null,
        "no training images tell"
    );
}

#[test]
fn what_nothing_contradicts_is_promised_as_before() {
    let sandbox = Sandbox::new();
    let text = sandbox
        .succeed("digits", &["evaluate", &checkpoint()])
        .stdout;
    assert!(
        text.contains(
            "accepted: 9663 of 10000 (96.63 %), 2 of them wrong (0.021 %; 95 % interval 0.00 to 0.07 %); \
             the others go to a person\nthreshold certified on 10000 held-out images: with 95 % \
             certainty, at most 0.1 % of what is accepted is wrong\n"
        ) && !text.contains("note:"),
        "{text}"
    );
    let found = json(&sandbox, &["evaluate", &checkpoint(), "--json"]);
    let deferral = &found["test"]["deferral"];
    assert_eq!(
        (&deferral["certified"], &deferral["contradicted"]),
        (&true.into(), &false.into())
    );
    assert_eq!(found["test"]["origin"]["same"], true);
    assert_eq!(found["test"]["misread"], Value::Null);
}

#[test]
fn dark_ink_on_light_ground_is_recognised_as_such() {
    let sandbox = Sandbox::new();
    let dark = Split::mnist("t10k", 500).inverted().transposed();
    dark.write(&sandbox.path("dark"), "t10k");
    let found = json(
        &sandbox,
        &["evaluate", &checkpoint(), "--data-dir", "dark", "--json"],
    );
    let view = &found["test"]["misread"]["view"];
    assert_eq!(
        (&view["inverted"], &view["transposed"]),
        (&true.into(), &true.into())
    );
}

#[test]
fn a_network_that_learned_nothing_accepts_nothing_and_says_why() {
    let sandbox = Sandbox::new();
    Split::mnist("train", 9_000)
        .relabelled()
        .write(&sandbox.path("noise"), "train");
    Split::mnist("t10k", 2_000)
        .relabelled()
        .write(&sandbox.path("noise"), "t10k");
    for (run, validation) in [("many", "4000"), ("few", "500")] {
        let held_out = format!("data.validation={validation}");
        sandbox.train(run, &["--data-dir", "noise", "--set", &held_out, "--quiet"]);
        let test = &sandbox.json(&format!("{run}/summary.json"))["test"];
        assert!(test["accuracy"].as_f64().unwrap() < 0.2);
        assert_eq!(test["evaluation"]["selective"]["accepted"], 0, "{run}");
        let text = sandbox
            .succeed("digits", &["inspect", &format!("{run}/model")])
            .stdout;
        assert!(
            text.contains("accepted        nothing; not certified"),
            "{text}"
        );
    }
    let text = sandbox
        .succeed("digits", &["evaluate", "many/model"])
        .stdout;
    assert!(
        text.contains("threshold not certified, and nothing is accepted: "),
        "{text}"
    );
    let picture = root().join("fuzz/seeds/picture/mnist.png");
    let picture = picture.display().to_string();
    let arguments = ["predict", "many/model", &picture, "--json"];
    let answer = json(&sandbox, &arguments);
    assert!(answer["digit"].is_u64(), "{answer}");
    assert_eq!(answer["accepted"], false, "{answer}");
}

#[test]
fn a_checkpoint_is_examined_on_the_data_that_it_was_trained_on() {
    let sandbox = Sandbox::new();
    let other = sandbox.path("other");
    Split::mnist("train", 3_000)
        .inverted()
        .write(&other, "train");
    Split::mnist("t10k", 500).inverted().write(&other, "t10k");
    sandbox.train("run", &["--data-dir", "other", "--quiet"]);

    for verb in ["evaluate", "stress"] {
        let arguments = [verb, "run/model", "--json"];
        let found = json(&sandbox, &arguments);
        let origin = match verb {
            "evaluate" => &found["test"]["origin"],
            _ => &found["origin"],
        };
        let source = origin["source"].as_str().unwrap();
        assert!(
            source.ends_with("other") && origin["same"] == true,
            "{verb}: {origin}"
        );
    }
    let found = json(&sandbox, &["evaluate", "run/model", "--json"]);
    assert_eq!(found["test"]["evaluation"]["after"]["n"], 500);

    // Not MNIST's, unless that is asked for, and then it is said.
    let mnist = root().join("crates/data/mnist").display().to_string();
    for verb in ["evaluate", "stress"] {
        let text = sandbox
            .succeed("digits", &[verb, "run/model", "--data-dir", &mnist])
            .stdout;
        assert!(
            text.contains("note: measured on another data set (") && text.contains("other)"),
            "{text}"
        );
    }

    // Changed since, or gone.
    Split::mnist("train", 2_000).write(&other, "train");
    for problem in ["holds other training images", "which is not here"] {
        for verb in ["evaluate", "stress"] {
            let error = sandbox.fail("digits", &[verb, "run/model"]);
            assert!(
                error.contains(problem) && error.contains("--data-dir"),
                "{error}"
            );
        }
        if other.exists() {
            fs::remove_dir_all(&other).unwrap();
        }
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named_before_anything_is_computed() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("file"), "kept").unwrap();
    for (verb, flag, place) in [
        ("evaluate", "--dump", "nowhere/out.csv"),
        ("evaluate", "--report", "nowhere/out.html"),
        ("evaluate", "--dump", "."),
        ("evaluate", "--review-dir", "file/folder"),
        ("stress", "--report", "nowhere/out.html"),
    ] {
        let outcome = sandbox.run("digits", &[verb, &checkpoint(), flag, place]);
        assert_eq!(outcome.code, Some(1), "{flag} {place}");
        assert!(outcome.stderr.contains(place), "{}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{flag} {place}: nothing was computed");
    }
    assert_eq!(sandbox.bytes("file"), b"kept");
    // What can be written but isn't, for another reason, stays as it was.
    sandbox.fail(
        "digits",
        &[
            "evaluate",
            &checkpoint(),
            "--dump",
            "file",
            "--report",
            "nowhere/out.html",
        ],
    );
    assert_eq!(sandbox.bytes("file"), b"kept");
    sandbox.fail(
        "digits",
        &[
            "evaluate",
            &checkpoint(),
            "--dump",
            "new.csv",
            "--report",
            "nowhere/out.html",
        ],
    );
    assert!(!sandbox.path("new.csv").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn the_figures_are_printed_although_they_cannot_be_written_down() {
    let sandbox = Sandbox::new();
    // It opens, and every write fails.
    for (verb, flag, figure) in [
        ("evaluate", "--dump", "test accuracy 99.59 %"),
        ("evaluate", "--report", "test accuracy 99.59 %"),
        ("stress", "--report", "identity"),
    ] {
        let outcome = sandbox.run("digits", &[verb, &checkpoint(), flag, "/dev/full"]);
        assert_eq!(outcome.code, Some(1));
        assert!(
            outcome.stderr.starts_with("error: /dev/full: can't write"),
            "{}",
            outcome.stderr
        );
        assert!(outcome.stdout.contains(figure), "{}", outcome.stdout);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_no_text_is_shown_as_well_as_it_can_be() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let sandbox = Sandbox::new();
    let name = OsStr::from_bytes(b"model-\xff");
    let folder = sandbox.path("").join(name);
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(pretrained()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    for arguments in [
        &["evaluate", "--json"][..],
        &["evaluate"],
        &["stress", "--limit", "5", "--json"],
        &["stress", "--limit", "5"],
        &["verify", "--json"],
        &["verify"],
        &["inspect", "--json"],
        &["inspect"],
    ] {
        let output = sandbox
            .command("digits", arguments)
            .arg(name)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {error}");
        let text = String::from_utf8(output.stdout).unwrap();
        if arguments.contains(&"--json") && arguments[0] != "inspect" {
            assert!(text.contains("model-\u{fffd}"), "{arguments:?}: {text}");
        }
    }
}

#[test]
fn digits_are_not_taken_for_letters() {
    let sandbox = Sandbox::new();
    let stress = |folder: &str| {
        sandbox.run(
            "digits",
            &[
                "stress",
                &checkpoint(),
                "--limit",
                "200",
                "--json",
                "--letters",
                folder,
            ],
        )
    };
    let digits = Split::mnist("t10k", 1_000);
    digits.write(&sandbox.path("digits"), "t10k");
    let refused = stress("digits");
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .contains("of these images as they are labelled"),
        "{}",
        refused.stderr
    );

    // Digits among others: labels below ten.
    let mut mixed = digits.clone();
    for label in &mut mixed.labels[500..] {
        *label += 10;
    }
    mixed.write(&sandbox.path("mixed"), "t10k");
    let outcome = stress("mixed");
    assert!(
        outcome
            .stderr
            .contains("500 images whose labels the network answers are left out"),
        "{}",
        outcome.stderr
    );
    let found: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(found["rows"][21]["images"], 200);

    // Labels below ten that mean something else, such as the letters A to J.
    digits
        .clone()
        .relabelled()
        .write(&sandbox.path("others"), "t10k");
    assert_eq!(stress("others").code, Some(0));

    // Without labels nobody knows, which is said.
    fs::remove_file(sandbox.path("digits/t10k-labels-idx1-ubyte")).unwrap();
    let unknown = stress("digits");
    assert_eq!(unknown.code, Some(0));
    assert!(
        unknown
            .stderr
            .contains("of these images are accepted, and no labels"),
        "{}",
        unknown.stderr
    );

    // MNIST's own need none.
    let whole = Split::mnist("t10k", 10_000);
    whole.write(&sandbox.path("mnist"), "t10k");
    fs::remove_file(sandbox.path("mnist/t10k-labels-idx1-ubyte")).unwrap();
    assert!(stress("mnist").stderr.contains("these are MNIST's digits"));
}

#[test]
fn letters_under_emnists_name_are_turned() {
    let sandbox = Sandbox::new();
    let turned = Split::mnist("t10k", 500).transposed().relabelled();
    turned.write(&sandbox.path("letters"), "emnist-letters-test");
    let outcome = sandbox.succeed(
        "digits",
        &[
            "stress",
            &checkpoint(),
            "--limit",
            "200",
            "--json",
            "--letters",
            "letters",
        ],
    );
    assert!(
        outcome.stderr.contains("the images are turned"),
        "{}",
        outcome.stderr
    );
    let found: Value = serde_json::from_str(&outcome.stdout).unwrap();
    // Digits, the right way up again.
    assert!(
        found["rows"][21]["accepted"].as_u64().unwrap() > 150,
        "{found}"
    );
}
