//! The crate seen from outside: bytes in, verified and reproducible batches out.
#![cfg(feature = "files")]
#![allow(clippy::unwrap_used, clippy::expect_used)]
// `Device::ndarray` is deprecated upstream; it is the backend that this project builds on.
#![allow(deprecated)]

mod augmentation;
mod digest;
#[cfg(feature = "download")]
mod download;
mod idx;
mod idx_properties;
mod loader;
#[cfg(feature = "bundled")]
mod mnist;
mod names;
mod normalization;
mod pens;
mod random;
mod shapes;
mod source;
mod split;
#[cfg(feature = "pictures")]
mod tree;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use data::idx::{image_header, label_header};
use data::{Classes, ImageShape, LabelledImages, Observer, Random};
use flate2::Compression;
use flate2::write::GzEncoder;

/// What MNIST has.
pub const GREY: ImageShape = ImageShape {
    channels: 1,
    height: 28,
    width: 28,
};
/// Neither grey nor square.
pub const COLOUR: ImageShape = ImageShape {
    channels: 3,
    height: 5,
    width: 7,
};

/// The published names of the files for training.
pub const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
/// The published names of the files for testing.
pub const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The ten classes 0 to 9.
pub fn digits() -> Classes {
    Classes::numbered((0..10).collect()).unwrap()
}

/// A set of `count` images of noise; image i starts with the bytes of i, its class is i modulo their
/// number.
pub fn numbered(shape: ImageShape, classes: Classes, count: usize) -> LabelledImages {
    let mut random = Random::keyed(&[count as u64]);
    let mut pixels: Vec<u8> = (0..count * shape.len())
        .map(|_| random.next_u64() as u8)
        .collect();
    for (index, image) in pixels.chunks_exact_mut(shape.len()).enumerate() {
        image[..4].copy_from_slice(&(index as u32).to_be_bytes());
    }
    let labels = (0..count)
        .map(|index| (index % classes.len()) as u16)
        .collect();
    LabelledImages::new(shape, classes, pixels, labels).unwrap()
}

/// Images of 28×28 in ten classes.
pub fn numbered_images(count: usize) -> LabelledImages {
    numbered(GREY, digits(), count)
}

/// The uncompressed IDX files of a set: images, labels.
pub fn idx_files(set: &LabelledImages) -> (Vec<u8>, Vec<u8>) {
    let count = set.len() as u32;
    let known = set.classes().labels();
    let labels = set.labels().iter().map(|&class| known[usize::from(class)]);
    let wide = known.iter().any(|&label| label > 255);
    let bytes: Vec<u8> = match wide {
        true => labels.flat_map(u16::to_be_bytes).collect(),
        false => labels.map(|label| label as u8).collect(),
    };
    (
        [&image_header(count, set.shape())[..], set.pixels()].concat(),
        [label_header(count, wide), bytes].concat(),
    )
}

/// The bytes as one gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes the two files of a split under these names.
pub fn write(folder: &Path, names: [&str; 2], set: &LabelledImages, compressed: bool) {
    let (images, labels) = idx_files(set);
    for (name, bytes) in names.iter().zip([images, labels]) {
        match compressed {
            true => fs::write(folder.join(format!("{name}.gz")), gzip(&bytes)),
            false => fs::write(folder.join(name), bytes),
        }
        .unwrap();
    }
}

/// Keeps what it is told.
#[derive(Default)]
pub struct Notes {
    sentences: Mutex<Vec<String>>,
    progress: Mutex<Vec<(usize, usize)>>,
}

impl Notes {
    /// The sentences that it was told.
    pub fn sentences(&self) -> Vec<String> {
        self.sentences.lock().unwrap().clone()
    }

    /// How often it was told how far the reading is, of how many, and the furthest.
    pub fn progress(&self) -> (usize, usize, usize) {
        let told = self.progress.lock().unwrap();
        let (done, total) = told.iter().copied().max().unwrap_or_default();
        (told.len(), done, total)
    }
}

impl Observer for Notes {
    fn progress(&self, done: usize, total: usize) {
        self.progress.lock().unwrap().push((done, total));
    }

    fn note(&self, sentence: String) {
        self.sentences.lock().unwrap().push(sentence);
    }
}
