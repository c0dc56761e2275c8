use data::idx::{Input, MAX_ITEMS, image_header, read_images, read_labels, read_split};
use data::{Classes, DataError, ImageShape};

use crate::{COLOUR, GREY, digits, gzip, idx_files, numbered, numbered_images};

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
        let expected = (GREY, set.pixels().to_vec());
        assert_eq!(read_images(&images, FILE).unwrap(), expected);
        assert_eq!(read_labels(&labels, FILE).unwrap(), set.labels());
    }
}

#[test]
fn gzip_members_in_a_row_are_one_stream() {
    let file = images();
    let (start, end) = file.split_at(1000);
    let bytes = [gzip(start), gzip(end)].concat();
    assert_eq!(
        read_images(&bytes, FILE).unwrap().1,
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

/// A file of images of that rank and these sides, of zeros where there are few of them.
fn of_sides(sides: &[u32]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sides.len() as u8 + 1];
    for value in [3].iter().chain(sides) {
        file.extend(u32::to_be_bytes(*value));
    }
    let content = sides.iter().fold(3, |all, &side| all * u128::from(side));
    file.resize(file.len() + content.min(1 << 20) as usize, 0);
    file
}

#[test]
fn grey_and_colour_images_of_any_sides_are_read() {
    for (sides, [channels, height, width]) in [
        (&[28, 28][..], [1, 28, 28]),
        (&[1, 1], [1, 1, 1]),
        (&[256, 1], [1, 256, 1]),
        (&[17, 256], [1, 17, 256]),
        (&[1, 9, 4], [1, 9, 4]),
        (&[3, 32, 32], [3, 32, 32]),
        (&[3, 5, 7], [3, 5, 7]),
        (&[3, 256, 256], [3, 256, 256]),
        // What could be channels first is taken so.
        (&[3, 3, 3], [3, 3, 3]),
        (&[3, 9, 3], [3, 9, 3]),
        (&[1, 9, 1], [1, 9, 1]),
    ] {
        let shape = ImageShape::new(channels, height, width).unwrap();
        let file = of_sides(sides);
        for bytes in [gzip(&file), file] {
            let (found, pixels) = read_images(&bytes, FILE).unwrap();
            assert_eq!((found, pixels.len()), (shape, 3 * shape.len()));
        }
    }
}

#[test]
fn what_was_written_is_read_back_in_every_shape() {
    for shape in [GREY, COLOUR, ImageShape::new(1, 3, 11).unwrap()] {
        let set = numbered(shape, digits(), 12);
        let (images, labels) = idx_files(&set);
        let read = read_split(
            Input::bytes(&images, "images"),
            Input::bytes(&labels, "labels"),
            |_| Ok(digits()),
        )
        .unwrap();
        assert_eq!((read.shape(), read.labels()), (shape, set.labels()));
        for index in 0..12 {
            assert_eq!(read.image(index), set.image(index));
        }
    }
}

#[test]
fn the_channels_of_a_pixel_beside_each_other_are_refused_with_the_way_out() {
    for sides in [[32, 32, 3], [28, 28, 1], [2, 256, 3], [5, 7, 3]] {
        refused!(
            read_images,
            of_sides(&sides),
            DataError::ChannelsLast { item, .. } if item == sides
        );
    }
    let error = read_images(&of_sides(&[32, 30, 3]), FILE).unwrap_err();
    let message = error.to_string();
    for part in ["32×30", "3 channels", "[n, channels, height, width]"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn sides_and_channels_that_no_image_has_are_refused_before_the_images_are_read() {
    for sides in [&[0, 28][..], &[28, 0], &[3, 0, 5], &[0, 5, 5], &[3, 5, 0]] {
        refused!(read_images, of_sides(sides), DataError::NoPixels { .. });
    }
    for sides in [
        &[257, 28][..],
        &[28, 257],
        &[28, u32::MAX],
        &[u32::MAX, u32::MAX],
        &[2, 28, 28],
        &[4, 28, 28],
        &[3, 257, 2],
        &[3, 28, 257],
        &[u32::MAX, u32::MAX, u32::MAX],
    ] {
        refused!(
            read_images,
            of_sides(sides),
            DataError::InFile { ref error, .. } if matches!(**error, DataError::Shape { .. })
        );
        // Nothing of the file but its header is there.
        let header = of_sides(sides)[..8 + 4 * sides.len()].to_vec();
        refused!(
            read_images,
            header,
            DataError::InFile { ref error, .. } if matches!(**error, DataError::Shape { .. })
        );
    }
}

#[test]
fn files_without_an_item_are_refused() {
    refused!(read_images, with(images(), 4, 0), DataError::Empty { .. });
    refused!(read_labels, with(labels(), 4, 0), DataError::Empty { .. });
}

#[test]
fn a_side_that_is_not_that_of_the_content_is_refused() {
    for at in [8, 12] {
        for side in [1, 27] {
            let file = with(images(), at, side);
            refused!(read_images, file, DataError::Trailing { .. });
        }
        for side in [29, 256] {
            let file = with(images(), at, side);
            refused!(read_images, file, DataError::Truncated { .. });
        }
    }
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

/// A file of labels of 8, 16 or 32 bits.
fn labels_of(bits: u8, labels: &[u32]) -> Vec<u8> {
    let kind = match bits {
        8 => 8,
        16 => 0x0b,
        _ => 0x0c,
    };
    let mut file = vec![0, 0, kind, 1];
    file.extend((labels.len() as u32).to_be_bytes());
    for label in labels {
        file.extend(&label.to_be_bytes()[4 - usize::from(bits / 8)..]);
    }
    file
}

#[test]
fn labels_have_8_16_or_32_bits() {
    for (bits, labels) in [
        (8, &[0_u32, 255, 3][..]),
        (16, &[0, 255, 256, 65_535]),
        (32, &[0, 255, 256, 65_535]),
    ] {
        let expected: Vec<u16> = labels.iter().map(|&label| label as u16).collect();
        let file = labels_of(bits, labels);
        for bytes in [gzip(&file), file.clone()] {
            assert_eq!(read_labels(&bytes, FILE).unwrap(), expected);
        }
        let cut = file[..file.len() - 1].to_vec();
        refused!(read_labels, cut, DataError::Truncated { .. });
        let more = [&file[..], &[0]].concat();
        refused!(read_labels, more, DataError::Trailing { .. });
    }
    for label in [65_536, 1 << 24, u32::MAX] {
        refused!(
            read_labels,
            labels_of(32, &[1, 2, label]),
            DataError::WideLabel { index: 2, .. }
        );
    }
}

/// Reads labels with images of one pixel.
fn labelled(labels: &[u32], classes: Vec<u16>) -> Result<Vec<u16>, DataError> {
    let mut images = vec![0, 0, 8, 3];
    for value in [labels.len() as u32, 1, 1] {
        images.extend(value.to_be_bytes());
    }
    images.resize(images.len() + labels.len(), 0);
    let labels = labels_of(16, labels);
    let set = read_split(
        Input::bytes(&images, "images"),
        Input::bytes(&labels, FILE),
        |_| Classes::numbered(classes),
    )?;
    Ok(set.labels().to_vec())
}

#[test]
fn labels_with_gaps_and_from_any_number_on_become_indices() {
    assert_eq!(labelled(&[1, 26, 2], vec![1, 2, 26]).unwrap(), [0, 2, 1]);
    assert_eq!(
        labelled(&[65_535, 0, 300], vec![0, 10, 300, 65_535]).unwrap(),
        [3, 0, 2]
    );
}

#[test]
fn a_label_that_no_class_has_is_refused_with_its_place() {
    for (found, classes, known) in [
        (10, (0..10).collect(), "0 to 9"),
        (0, (1..27).collect(), "1 to 26"),
        (4, vec![1, 2, 3, 7, 9], "1 to 3, 7, 9"),
    ] {
        let first = u32::from(classes[0]);
        let error = labelled(&[first, first, found, 60_000], classes).unwrap_err();
        assert!(
            matches!(error, DataError::Label { index: 2, label, .. } if u32::from(label) == found),
            "{error:?}"
        );
        let message = error.to_string();
        assert!(
            message.contains(FILE) && message.contains(known),
            "{message}"
        );
    }
}

#[test]
fn the_classes_are_asked_for_with_the_labels_of_the_file() {
    let set = numbered_images(30);
    let (images, labels) = idx_files(&set);
    let mut asked = Vec::new();
    read_split(
        Input::bytes(&images, "images"),
        Input::bytes(&labels, "labels"),
        |labels| {
            asked = labels.to_vec();
            Ok(digits())
        },
    )
    .unwrap();
    assert_eq!(asked, set.labels());
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
        let bytes = gzip(&image_header(count, GREY));
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
        |_| Ok(digits()),
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
