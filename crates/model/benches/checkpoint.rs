//! What it costs to believe a checkpoint: `cargo bench -p train -p model --bench checkpoint`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use divan::Bencher;
use model::{Backend, Classifier, checkpoint::Checkpoint};

fn main() {
    divan::main();
}

/// The committed checkpoint of the default network.
fn pretrained() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../artifacts/pretrained"
    ))
}

/// Reading all files and comparing every byte with `SHA256SUMS`.
#[divan::bench]
fn open_and_verify() -> Checkpoint {
    Checkpoint::open(pretrained()).unwrap()
}

/// The same, up to a classifier that is ready.
#[divan::bench]
fn load(bencher: Bencher) {
    let device = Backend::default().device().unwrap();
    bencher.bench(|| Classifier::load(pretrained(), &device).unwrap());
}
