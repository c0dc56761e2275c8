use data::idx::{Input, read_split};
use data::{Classes, ImageShape, LabelledImages, mnist};
use sha2::{Digest, Sha256};

use crate::{COLOUR, GREY, digits, gzip, idx_files, numbered};

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn letters() -> Classes {
    Classes::new(["a", "b", "c"].map(String::from).into(), vec![1, 2, 26]).unwrap()
}

fn sets() -> Vec<LabelledImages> {
    // Bytes hold labels up to 255.
    let [byte, wide, wider] = [vec![0, 255], vec![0, 256], vec![0, 7, 300, 40_000]]
        .map(|labels| Classes::numbered(labels).unwrap());
    let mut sets = Vec::new();
    for shape in [GREY, COLOUR, ImageShape::new(1, 3, 2).unwrap()] {
        for classes in [&digits(), &letters(), &byte, &wide, &wider] {
            sets.push(numbered(shape, classes.clone(), 17));
        }
    }
    sets
}

#[test]
fn a_set_has_the_digests_of_its_uncompressed_files() {
    for set in sets() {
        let (images, labels) = idx_files(&set);
        assert_eq!(set.digest().images, sha256(&images), "{set:?}");
        assert_eq!(set.digest().labels, sha256(&labels), "{set:?}");
    }
}

#[test]
fn what_is_read_from_files_has_their_digests() {
    for set in sets() {
        let (images, labels) = idx_files(&set);
        let read = read_split(
            Input::bytes(&images, "images"),
            Input::bytes(&labels, "labels"),
            |_| Ok(set.classes().clone()),
        )
        .unwrap();
        assert_eq!(read.digest(), set.digest());
        assert_eq!((read.shape(), read.pixels()), (set.shape(), set.pixels()));
    }
}

#[test]
fn large_files_have_the_digests_of_their_content_however_they_hold_it() {
    let set = numbered(GREY, digits(), 3000);
    let (images, labels) = idx_files(&set);
    let mut rank_4 = vec![0, 0, 8, 4];
    rank_4.extend([3000_u32, 1, 28, 28].map(u32::to_be_bytes).concat());
    rank_4.extend(set.pixels());
    for images in [gzip(&images), gzip(&rank_4), images, rank_4] {
        let read = read_split(
            Input::bytes(&images, "images"),
            Input::bytes(&labels, "labels"),
            |_| Ok(digits()),
        );
        assert_eq!(read.unwrap().digest(), set.digest());
    }
}

#[test]
fn the_width_of_labels_in_a_file_does_not_change_the_digest() {
    let set = numbered(GREY, digits(), 12);
    let (images, bytes) = idx_files(&set);
    let mut wider = vec![0, 0, 0x0c, 1];
    wider.extend(&bytes[4..8]);
    wider.extend(bytes[8..].iter().flat_map(|&label| [0, 0, 0, label]));
    let read = read_split(
        Input::bytes(&images, "images"),
        Input::bytes(&wider, "labels"),
        |_| Ok(digits()),
    )
    .unwrap();
    assert_eq!(read.digest(), set.digest());
}

#[test]
fn any_change_of_the_content_changes_the_digest() {
    let set = numbered(COLOUR, digits(), 10);
    let with = |shape, classes, pixels: Vec<u8>, labels: Vec<u16>| {
        LabelledImages::new(shape, classes, pixels, labels)
            .unwrap()
            .digest()
            .clone()
    };
    let (pixels, labels) = (set.pixels().to_vec(), set.labels().to_vec());
    assert_eq!(
        with(COLOUR, digits(), pixels.clone(), labels.clone()),
        *set.digest()
    );
    let mut other = pixels.clone();
    other[100] ^= 1;
    let turned = ImageShape::new(3, 7, 5).unwrap();
    for digest in [
        with(COLOUR, digits(), other, labels.clone()),
        with(turned, digits(), pixels.clone(), labels.clone()),
    ] {
        assert_ne!(digest.images, set.digest().images);
        assert_eq!(digest.labels, set.digest().labels);
    }
    let mut other = labels.clone();
    other[3] = 9;
    let numbers = Classes::numbered((1..=10).collect()).unwrap();
    for digest in [
        with(COLOUR, digits(), pixels.clone(), other),
        with(COLOUR, numbers, pixels.clone(), labels),
    ] {
        assert_eq!(digest.images, set.digest().images);
        assert_ne!(digest.labels, set.digest().labels);
    }
}

#[test]
fn only_the_files_of_mnist_are_taken_for_them() {
    for set in sets() {
        assert!(!mnist::is_test(&set) && !set.digest().is(&mnist::TRAIN));
    }
}
