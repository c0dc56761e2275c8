use data::idx::{Input, read_images, read_labels, read_split};
use proptest::prelude::*;

use crate::{gzip, idx_files, numbered_images};

fn many() -> ProptestConfig {
    ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..Default::default()
    }
}

/// Changes to a file: each overwrites a byte near the header or anywhere, or cuts the file.
fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, bool)>> {
    prop::collection::vec(
        (any::<prop::sample::Index>(), any::<u8>(), any::<bool>()),
        1..6,
    )
}

fn damaged(
    mut bytes: Vec<u8>,
    changes: &[(prop::sample::Index, u8, bool)],
    cut: Option<prop::sample::Index>,
) -> Vec<u8> {
    for (place, value, early) in changes {
        let reach = if *early {
            bytes.len().min(20)
        } else {
            bytes.len()
        };
        bytes[place.index(reach)] = *value;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
    bytes
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn any_bytes_give_a_result_and_no_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        start in prop::sample::select(vec![
            &b""[..], b"\0\0\x08\x03", b"\0\0\x08\x01", b"\x1f\x8b", b"\x1f\x8b\x08\0", b"<html>",
        ]),
    ) {
        let bytes = [start, &bytes].concat();
        if let Err(error) = read_images(&bytes, "the file") {
            prop_assert!(error.to_string().contains("the file"));
        }
        if let Err(error) = read_labels(&bytes, "the file") {
            prop_assert!(error.to_string().contains("the file"));
        }
    }

    #[test]
    fn a_damaged_file_is_refused_or_has_the_promised_size(
        count in 1_usize..5,
        compressed in any::<bool>(),
        changes in damage(),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let (images, labels) = idx_files(&numbered_images(count));
        let (images, labels) = match compressed {
            true => (gzip(&images), gzip(&labels)),
            false => (images, labels),
        };
        let images = damaged(images, &changes, cut);
        let labels = damaged(labels, &changes, cut);
        if let Ok(pixels) = read_images(&images, "the file") {
            prop_assert!(pixels.len() % 784 == 0 && !pixels.is_empty());
        }
        if let Ok(set) = read_split(Input::bytes(&images, "images"), Input::bytes(&labels, "labels")) {
            prop_assert_eq!(set.pixels().len(), set.labels().len() * 784);
            prop_assert!(set.labels().iter().all(|&label| label <= 9));
        }
    }

    #[test]
    fn damage_inside_gzip_still_finds_the_reader_awake(
        count in 1_usize..4,
        changes in damage(),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let (images, labels) = idx_files(&numbered_images(count));
        let images = damaged(images, &changes, cut);
        let labels = damaged(labels, &changes, cut);
        prop_assert_eq!(
            read_images(&images, "the file").ok(),
            read_images(&gzip(&images), "the file").ok()
        );
        prop_assert_eq!(
            read_labels(&labels, "the file").ok(),
            read_labels(&gzip(&labels), "the file").ok()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..many() })]

    #[test]
    fn a_valid_file_gives_back_what_was_written(
        labels in prop::collection::vec(0_u8..10, 1..8),
        fill in any::<u8>(),
        compressed in any::<bool>(),
    ) {
        let pixels = (0..labels.len() * 784).map(|at| fill.wrapping_add((at / 7) as u8)).collect();
        let set = data::LabelledImages::new(pixels, labels).unwrap();
        let (images, labels) = idx_files(&set);
        let (images, labels) = match compressed {
            true => (gzip(&images), gzip(&labels)),
            false => (images, labels),
        };
        let read = read_split(Input::bytes(&images, "images"), Input::bytes(&labels, "labels")).unwrap();
        prop_assert_eq!(read.pixels(), set.pixels());
        prop_assert_eq!(read.labels(), set.labels());
    }
}
