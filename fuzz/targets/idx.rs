//! Plain IDX files: any bytes give images, labels or an error, and what is read is what is there.

#![no_main]

use std::collections::BTreeSet;

use data::{
    Classes,
    idx::{Input, image_header, read_images, read_labels, read_split},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok((shape, pixels)) = read_images(bytes, "input") {
        assert!(pixels.len().is_multiple_of(shape.len()));
        let count = (pixels.len() / shape.len()) as u32;
        let rank_3 = bytes.starts_with(&[0, 0, 8, 3]);
        assert!(!rank_3 || bytes == [&image_header(count, shape)[..], &pixels].concat());
        assert!(is_gzip(bytes) || bytes.ends_with(&pixels));
    }
    if let Ok(labels) = read_labels(bytes, "input") {
        let bytes_each = (bytes.len() - 8) / labels.len();
        assert!(is_gzip(bytes) || [1, 2, 4].contains(&bytes_each));
    }
    // A pair of files, the first as long as its first two bytes say.
    let Some((&length, pair)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let length = usize::from(u16::from_le_bytes(length));
    let (images, labels) = pair.split_at(pair.len().min(length));
    let split = read_split(
        Input::bytes(images, "images"),
        Input::bytes(labels, "labels"),
        |labels| {
            Classes::numbered(
                labels
                    .iter()
                    .copied()
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect(),
            )
        },
    );
    if let Ok(split) = split {
        assert_eq!(split.pixels().len(), split.len() * split.shape().len());
        assert!(
            split
                .labels()
                .iter()
                .all(|&class| usize::from(class) < split.classes().len())
        );
    }
});

fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}
