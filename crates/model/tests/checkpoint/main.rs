//! A checkpoint is as it was written, or it is refused by name.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod committee;
#[path = "../common/mod.rs"]
mod common;
mod content;
mod contradictions;
mod damage;
mod memory;
mod properties;
mod versions;
mod write;

use std::fs;

use burn::tensor::Tensor;
use common::{Folder, device, json_of, manifest, names, network, seeded, tiny};
use model::checkpoint::{Checkpoint, LIVE, MANIFEST, MODEL, OPTIMIZER, SCHEDULER, SUMS};
use serde_json::{Value, json};

const ALL: [&str; 6] = [SUMS, MANIFEST, MODEL, LIVE, OPTIMIZER, SCHEDULER];

/// A manifest with one value changed.
fn with(pointer: &str, value: Value) -> Vec<u8> {
    let mut json: Value = serde_json::from_slice(&json_of(&manifest(tiny()))).unwrap();
    *json.pointer_mut(pointer).unwrap() = value;
    serde_json::to_vec(&json).unwrap()
}

#[test]
fn what_was_written_is_read() {
    let folder = Folder::new();
    let path = folder.training("a", 7);
    let checkpoint = Checkpoint::open(&path).unwrap();
    let mut expected = manifest(tiny());
    expected.training = Some(json!({ "epoch": 1 }));
    assert_eq!(*checkpoint.manifest(), expected);
    assert_eq!(checkpoint.file(MODEL), Some(&seeded(7)[..]));
    assert_eq!(checkpoint.file(OPTIMIZER), Some(&[7; 300][..]));
    assert_eq!(checkpoint.files().count(), 6);
    let images = || Tensor::<4>::ones([3, 1, 28, 28], &device());
    assert_eq!(
        checkpoint.networks(&device()).unwrap()[0]
            .forward(images())
            .into_data(),
        network(&tiny(), 7).forward(images()).into_data(),
    );
    let mut sorted = ALL;
    sorted.sort();
    assert_eq!(names(&path), sorted);
    assert_eq!(folder.names(), ["a"], "nothing is left beside it");
}

#[test]
fn a_checkpoint_has_the_digests_that_sha256sum_checks() {
    let folder = Folder::new();
    let path = folder.training("a", 7);
    let text = fs::read_to_string(path.join(SUMS)).unwrap();
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.split_once("  ").unwrap())
        .collect();
    assert!(lines.iter().all(|(digest, _)| digest.len() == 64));
    let listed: Vec<_> = lines.iter().map(|(_, name)| *name).collect();
    assert_eq!(listed, [MANIFEST, LIVE, MODEL, OPTIMIZER, SCHEDULER]);
    // SHA-256 of thirty times the byte 7.
    assert_eq!(
        lines[4].0,
        "e9b626fe9cb2fceb5c59fab6ea88424cdf024f469a235999cfbcb0fd1b46e458"
    );
}
