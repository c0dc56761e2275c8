use data::idx::{Input, MAX_ITEMS, read_images, read_labels, read_split};
use data::{DataError, LabelledImages, PIXELS};

use crate::{gzip, idx_files, numbered_images};

const FILE: &str = "some/folder/images";

/// Reads a damaged file, plain and compressed; the error must fit the pattern both times, name the
/// file and be one line.
macro_rules! refused {
    ($read:ident, $bytes:expr, $pattern:pat $(if $guard:expr)?) => {{
        let bytes: Vec<u8> = $bytes;
        for bytes in [bytes.clone(), gzip(&bytes)] {
            let error = $read(&bytes, FILE).unwrap_err();
            assert!(matches!(error, $pattern $(if $guard)?), "{error:?}");
            let message = error.to_string();
            assert!(
                message.contains(FILE) && !message.contains('\n'),
                "{message}"
            );
        }
    }};
}

fn images() -> Vec<u8> {
    idx_files(&numbered_images(3)).0
}

fn labels() -> Vec<u8> {
    idx_files(&numbered_images(3)).1
}

/// The file with the big-endian field at `at` replaced.
fn with(mut bytes: Vec<u8>, at: usize, value: u32) -> Vec<u8> {
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    bytes
}

#[test]
fn plain_and_gzip_files_give_their_content() {
    let set = numbered_images(3);
    for (images, labels) in [
        (images(), labels()),
        (gzip(&images()), gzip(&labels())),
        (gzip(&images()), labels()),
    ] {
        assert_eq!(read_images(&images, FILE).unwrap(), set.pixels());
        assert_eq!(read_labels(&labels, FILE).unwrap(), set.labels());
    }
}

#[test]
fn gzip_members_in_a_row_are_one_stream() {
    let file = images();
    let (start, end) = file.split_at(1000);
    let bytes = [gzip(start), gzip(end)].concat();
    assert_eq!(
        read_images(&bytes, FILE).unwrap(),
        numbered_images(3).pixels()
    );
}

#[test]
fn a_wrong_magic_number_is_refused_with_what_it_may_be() {
    refused!(
        read_images,
        with(images(), 0, 0x0000_0c03),
        DataError::Magic { .. }
    );
    refused!(read_images, labels(), DataError::Magic { hint, .. } if hint.contains("labels"));
    refused!(read_labels, images(), DataError::Magic { hint, .. } if hint.contains("images"));
    refused!(
        read_images,
        with(images(), 0, 0x0308_0000),
        DataError::Magic { hint, .. } if hint.contains("little-endian")
    );
}

#[test]
fn other_kinds_of_idx_files_are_called_what_they_are() {
    for (magic, part) in [
        (0x0000_0c02, "QMNIST"),
        (0x0000_0901, "signed bytes"),
        (0x0000_0b01, "16-bit integers"),
        (0x0000_0c01, "32-bit integers"),
        (0x0000_0d01, "32-bit floating-point"),
        (0x0000_0e01, "64-bit floating-point"),
        (0x0000_0802, "two dimensions"),
    ] {
        refused!(
            read_labels,
            with(labels(), 0, magic),
            DataError::Magic { hint, .. } if hint.contains(part) && !hint.contains("damaged")
        );
    }
    for magic in [0x0000_0d03, 0x0000_0b03] {
        refused!(
            read_images,
            with(images(), 0, magic),
            DataError::Magic { hint, .. } if !hint.contains("damaged")
        );
    }
    refused!(
        read_labels,
        with(labels(), 0, 0x4d4e_4953),
        DataError::Magic { hint, .. } if hint.contains("damaged")
    );
}

#[test]
fn impossible_dimensions_are_refused() {
    refused!(read_images, with(images(), 4, 0), DataError::Empty { .. });
    refused!(read_labels, with(labels(), 4, 0), DataError::Empty { .. });
    for side in [0, 27, 29, u32::MAX] {
        refused!(
            read_images,
            with(images(), 8, side),
            DataError::ImageSize { .. }
        );
        refused!(
            read_images,
            with(images(), 12, side),
            DataError::ImageSize { .. }
        );
    }
    let overflow = with(with(images(), 8, u32::MAX), 12, u32::MAX);
    refused!(
        read_images,
        with(overflow, 4, u32::MAX),
        DataError::ImageSize { .. }
    );
}

#[test]
fn counts_beyond_the_limit_are_refused() {
    for count in [MAX_ITEMS + 1, u32::MAX] {
        refused!(
            read_images,
            with(images(), 4, count),
            DataError::TooMany { .. }
        );
        refused!(
            read_labels,
            with(labels(), 4, count),
            DataError::TooMany { .. }
        );
    }
}

#[test]
fn more_or_fewer_items_than_promised_are_refused() {
    refused!(
        read_images,
        with(images(), 4, 2),
        DataError::Trailing { .. }
    );
    refused!(
        read_images,
        with(images(), 4, 4),
        DataError::Truncated { .. }
    );
    refused!(
        read_labels,
        with(labels(), 4, 2),
        DataError::Trailing { .. }
    );
    refused!(
        read_labels,
        with(labels(), 4, 4),
        DataError::Truncated { .. }
    );
    refused!(
        read_images,
        [images(), vec![0]].concat(),
        DataError::Trailing { .. }
    );
    refused!(
        read_images,
        images()[..images().len() - 1].to_vec(),
        DataError::Truncated { .. }
    );
}

#[test]
fn a_file_that_ends_within_its_header_is_refused() {
    for length in 0..16 {
        refused!(
            read_images,
            images()[..length].to_vec(),
            DataError::Truncated { .. }
        );
    }
    for length in 0..8 {
        refused!(
            read_labels,
            labels()[..length].to_vec(),
            DataError::Truncated { .. }
        );
    }
}

#[test]
fn a_label_above_nine_is_refused_with_its_place() {
    let mut bytes = labels();
    bytes[8 + 2] = 10;
    refused!(
        read_labels,
        bytes,
        DataError::Label {
            index: 2,
            label: 10,
            ..
        }
    );
}

#[test]
fn a_web_page_is_recognised() {
    for page in [
        "<!DOCTYPE html><html>",
        "\n <html>",
        "\u{feff}<?xml version=\"1.0\"?>",
    ] {
        let error = read_images(page.as_bytes(), FILE).unwrap_err();
        assert!(matches!(error, DataError::Html { .. }), "{error:?}");
    }
}

#[test]
fn gzip_cut_at_any_place_is_refused() {
    let whole = gzip(&labels());
    for length in 2..whole.len() {
        let error = read_labels(&whole[..length], FILE).unwrap_err();
        assert!(
            matches!(error, DataError::Gzip { .. } | DataError::Truncated { .. }),
            "{length}: {error:?}"
        );
    }
}

#[test]
fn gzip_with_a_wrong_checksum_or_something_after_its_end_is_refused() {
    let mut bytes = gzip(&images());
    let checksum = bytes.len() - 8;
    bytes[checksum] ^= 1;
    assert!(matches!(
        read_images(&bytes, FILE),
        Err(DataError::Gzip { .. })
    ));
    let bytes = [gzip(&images()), b"something".to_vec()].concat();
    assert!(matches!(
        read_images(&bytes, FILE),
        Err(DataError::Gzip { .. })
    ));
}

#[test]
fn gzip_that_promises_more_than_it_can_hold_is_refused_unread() {
    for count in [1_000, 100_000, MAX_ITEMS] {
        let bytes = gzip(&with(images()[..16].to_vec(), 4, count));
        let error = read_images(&bytes, FILE).unwrap_err();
        assert!(matches!(error, DataError::Implausible { .. }), "{error:?}");
    }
}

#[test]
fn counts_that_differ_are_refused_before_the_images_are_read() {
    let two = idx_files(&numbered_images(2)).1;
    let cut = gzip(&images());
    let error = read_split(
        Input::bytes(&cut[..cut.len() / 2], "the images"),
        Input::bytes(&two, "the labels"),
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            DataError::CountMismatch {
                image_count: 3,
                label_count: 2,
                ..
            }
        ),
        "{error:?}"
    );
    let message = error.to_string();
    assert!(
        message.contains("the images") && message.contains("the labels"),
        "{message}"
    );
}

#[test]
fn a_set_made_in_memory_is_checked_too() {
    assert!(matches!(
        LabelledImages::new(vec![], vec![]),
        Err(DataError::Empty { .. })
    ));
    assert!(matches!(
        LabelledImages::new(vec![0; PIXELS - 1], vec![0]),
        Err(DataError::PixelCount { .. })
    ));
    assert!(matches!(
        LabelledImages::new(vec![0; PIXELS], vec![0, 1]),
        Err(DataError::CountMismatch { .. })
    ));
    assert!(matches!(
        LabelledImages::new(vec![0; PIXELS], vec![10]),
        Err(DataError::Label { .. })
    ));
}
