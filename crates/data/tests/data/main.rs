//! The crate seen from outside: bytes in, verified and reproducible batches out.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// `Device::ndarray` is deprecated upstream; it is the backend that this project builds on.
#![allow(deprecated)]

mod augmentation;
mod corruption;
#[cfg(feature = "download")]
mod download;
mod idx;
mod idx_properties;
mod loader;
#[cfg(feature = "bundled")]
mod mnist;
mod normalization;
mod random;
mod source;
mod split;

use std::io::Write;

use data::idx::{image_header, label_header};
use data::{LabelledImages, PIXELS, Random};
use flate2::Compression;
use flate2::write::GzEncoder;

/// A set of `count` images of noise; image i starts with the bytes of i, its label is i mod 10.
pub fn numbered_images(count: usize) -> LabelledImages {
    let mut random = Random::keyed(&[count as u64]);
    let mut pixels: Vec<u8> = (0..count * PIXELS)
        .map(|_| random.next_u64() as u8)
        .collect();
    for (index, image) in pixels.chunks_exact_mut(PIXELS).enumerate() {
        image[..4].copy_from_slice(&(index as u32).to_be_bytes());
    }
    let labels = (0..count).map(|index| (index % 10) as u8).collect();
    LabelledImages::new(pixels, labels).unwrap()
}

/// The uncompressed IDX files of a set: images, labels.
pub fn idx_files(set: &LabelledImages) -> (Vec<u8>, Vec<u8>) {
    let count = set.len() as u32;
    (
        [&image_header(count), set.pixels()].concat(),
        [&label_header(count)[..], set.labels()].concat(),
    )
}

/// The bytes as one gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
