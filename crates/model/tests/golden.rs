//! Checkpoints of every version of the format that there ever was load and mean what they meant.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use data::idx;
use model::{
    Backend, Classifier, Decision, PIXELS,
    checkpoint::{Checkpoint, FORMAT_VERSION, MODEL, OPTIMIZER, SCHEDULER},
};

fn golden(version: u64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{version}"))
}

#[test]
fn there_is_a_golden_checkpoint_of_every_version() {
    for version in 1..=FORMAT_VERSION {
        for name in ["model", "training"] {
            let checkpoint = Checkpoint::open(golden(version).join(name)).unwrap();
            assert_eq!(checkpoint.manifest().version, version);
        }
    }
}

#[test]
fn golden_models_give_the_probabilities_that_they_gave() {
    for version in 1..=FORMAT_VERSION {
        let folder = golden(version);
        let file = fs::read(folder.join("images-idx3-ubyte")).unwrap();
        let pixels = idx::read_images(&file, "images").unwrap();
        let (images, _) = pixels.as_chunks::<PIXELS>();
        let expected = fs::read_to_string(folder.join("expected.csv")).unwrap();
        let expected: Vec<Vec<f64>> = expected
            .lines()
            .skip(1)
            .map(|line| {
                line.split(',')
                    .map(|value| value.parse().unwrap())
                    .collect()
            })
            .collect();
        assert_eq!(images.len(), expected.len());
        for backend in Backend::available() {
            let device = backend.device().unwrap();
            let classifier = Classifier::load(folder.join("model"), &device).unwrap();
            for (answer, expected) in classifier.classify_all(images).iter().zip(&expected) {
                let (label, probabilities) = expected.split_first().unwrap();
                for (found, expected) in answer.probabilities.iter().zip(probabilities) {
                    assert!((found - expected).abs() < 1e-5, "{backend}: {label}");
                }
                // What the machine keeps, it has right.
                if answer.decision == Decision::Accept {
                    assert_eq!(f64::from(answer.digit), *label, "{backend}");
                }
            }
        }
    }
}

#[test]
fn golden_training_checkpoints_have_all_that_training_needs() {
    for version in 1..=FORMAT_VERSION {
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
            checkpoint.network(&backend.device().unwrap()).unwrap();
        }
    }
}
