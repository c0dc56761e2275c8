//! Checkpoints of every version of the format that there ever was load and mean what they meant.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use data::{ImageShape, mnist};
use model::{
    Backend, Classifier, Decision, PictureInput, Views,
    checkpoint::{Checkpoint, FORMAT_VERSION, MODEL, OPTIMIZER, SCHEDULER},
};

/// The versions that were ever written before today's.
const OLDER: [u64; 2] = [1, 2];

fn golden(version: u64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{version}"))
}

/// The eleven images that the golden models were asked about: an IDX file of 28×28.
fn images() -> Vec<u8> {
    let file = fs::read(golden(1).join("images-idx3-ubyte")).unwrap();
    let (header, pixels) = file.split_at(16);
    assert_eq!(header[..8], [0, 0, 8, 3, 0, 0, 0, 11]);
    assert_eq!(pixels.len(), 11 * 784);
    pixels.to_vec()
}

/// The checkpoints of a version.
fn names(version: u64) -> impl Iterator<Item = &'static str> {
    let published = (version == 1).then_some("pretrained");
    ["model", "training"].into_iter().chain(published)
}

/// The lines of a table below its heading.
fn table(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    let line = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().skip(1).map(line).collect()
}

fn numbers(values: &[String]) -> Vec<f64> {
    values.iter().map(|value| value.parse().unwrap()).collect()
}

#[test]
fn there_is_a_golden_checkpoint_of_every_older_version() {
    assert!((1..FORMAT_VERSION).eq(OLDER));
    for version in OLDER {
        for name in names(version) {
            let checkpoint = Checkpoint::open(golden(version).join(name)).unwrap();
            let manifest = checkpoint.manifest();
            assert_eq!(manifest.version, version);
            assert_eq!((manifest.members, manifest.views), (1, Views::One));
        }
    }
}

#[test]
fn golden_models_take_the_images_that_they_took_and_name_the_digits() {
    for version in OLDER {
        for name in names(version) {
            let checkpoint = Checkpoint::open(golden(version).join(name)).unwrap();
            let manifest = checkpoint.manifest();
            let grey = ImageShape::new(1, 28, 28).unwrap();
            assert_eq!((manifest.input, mnist::SHAPE), (grey, grey));
            assert_eq!(manifest.picture, PictureInput::Framed);
            let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
            assert_eq!(manifest.classes, digits);
        }
    }
}

#[test]
fn golden_models_give_the_probabilities_that_they_gave() {
    let images = images();
    for version in OLDER {
        let expected = table(&golden(version).join("expected.csv"));
        for backend in Backend::available() {
            let device = backend.device().unwrap();
            let classifier = Classifier::load(golden(version).join("model"), &device).unwrap();
            let answers = classifier.classify_all(&images).unwrap();
            assert_eq!(answers.len(), expected.len());
            for (answer, line) in answers.iter().zip(&expected) {
                let (label, probabilities) = line.split_first().unwrap();
                for (found, expected) in answer.probabilities.iter().zip(numbers(probabilities)) {
                    assert!((found - expected).abs() < 1e-5, "{backend}: {label}");
                }
                // What the machine keeps, it has right.
                if answer.decision == Decision::Accept {
                    assert_eq!(*answer.name, **label, "{backend}");
                }
            }
        }
    }
}

#[test]
fn the_first_published_model_decides_as_it_decided() {
    let images = images();
    let expected = table(&golden(1).join("expected-pretrained.csv"));
    for backend in Backend::available() {
        let device = backend.device().unwrap();
        let classifier = Classifier::load(golden(1).join("pretrained"), &device).unwrap();
        let answers = classifier.classify_all(&images).unwrap();
        assert_eq!(answers.len(), expected.len());
        for (answer, line) in answers.iter().zip(&expected) {
            let [label, accepted, probabilities @ ..] = &line[..] else {
                panic!("{line:?}")
            };
            assert_eq!(*answer.name, **label, "{backend}");
            let found = answer.decision == Decision::Accept;
            assert_eq!(found.to_string(), *accepted, "{backend}: {label}");
            assert_eq!(answer.probabilities.len(), probabilities.len());
            for (found, expected) in answer.probabilities.iter().zip(numbers(probabilities)) {
                assert!((found - expected).abs() < 1e-6, "{backend}: {label}");
            }
        }
    }
}

#[test]
fn golden_training_checkpoints_have_all_that_training_needs() {
    for version in OLDER {
        let checkpoint = Checkpoint::open(golden(version).join("training")).unwrap();
        let state = checkpoint.manifest().training.as_ref().unwrap();
        assert_eq!((&state["epoch"], &state["step"]), (&2.into(), &64.into()));
        for file in [MODEL, OPTIMIZER, SCHEDULER] {
            assert!(
                checkpoint.file(file).is_some_and(|bytes| !bytes.is_empty()),
                "{file}"
            );
        }
        for backend in Backend::available() {
            checkpoint.networks(&backend.device().unwrap()).unwrap();
        }
    }
}
