//! Plain IDX files: any bytes give images, labels or an error, and what is read is what is there.

#![no_main]

use data::idx::{Input, image_header, label_header, read_images, read_labels, read_split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(pixels) = read_images(bytes, "input") {
        let count = (pixels.len() / data::PIXELS) as u32;
        assert!(is_gzip(bytes) || bytes == [&image_header(count)[..], &pixels].concat());
    }
    if let Ok(labels) = read_labels(bytes, "input") {
        assert!(labels.iter().all(|&label| label < 10));
        let count = labels.len() as u32;
        assert!(is_gzip(bytes) || bytes == [&label_header(count)[..], &labels].concat());
    }
    // A pair of files, the first as long as its first byte says, in images.
    let Some((&images, pair)) = bytes.split_first() else {
        return;
    };
    let (images, labels) = pair.split_at(pair.len().min(16 + usize::from(images) * data::PIXELS));
    let split = read_split(
        Input::bytes(images, "images"),
        Input::bytes(labels, "labels"),
    );
    if let Ok(split) = split {
        assert_eq!(split.pixels().len(), split.len() * data::PIXELS);
    }
});

fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}
