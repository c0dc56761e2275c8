use data::idx::{Input, MAX_ITEMS, read_images, read_labels, read_split};
use data::{Classes, DataError, ImageShape, LabelledImages};
use proptest::prelude::*;

use crate::{gzip, idx_files, numbered};

fn many() -> ProptestConfig {
    ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..Default::default()
    }
}

fn shape() -> impl Strategy<Value = ImageShape> {
    let channels = prop::sample::select(vec![1, 3]);
    (channels, 1_usize..20, 1_usize..20)
        .prop_map(|(channels, height, width)| ImageShape::new(channels, height + 3, width).unwrap())
}

/// Sets of classes as there are: from 0, from 1, with gaps, beyond what a byte holds.
fn classes() -> impl Strategy<Value = Classes> {
    let labels = prop::sample::select(vec![
        (0..10).collect(),
        (1..27).collect(),
        vec![0, 3, 200],
        vec![5, 256, 1_000, 65_535],
    ]);
    labels.prop_map(|labels| Classes::numbered(labels).unwrap())
}

fn read(images: &[u8], labels: &[u8], classes: &Classes) -> Result<LabelledImages, DataError> {
    read_split(
        Input::bytes(images, "images"),
        Input::bytes(labels, "labels"),
        |_| Ok(classes.clone()),
    )
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

/// Numbers that a header may hold: mostly small, and those at the limits.
fn field() -> impl Strategy<Value = u32> {
    prop_oneof![
        8 => 1_u32..6,
        1 => Just(0),
        1 => prop::sample::select(vec![255, 256, 257, MAX_ITEMS, MAX_ITEMS + 1, u32::MAX]),
    ]
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn a_file_is_read_exactly_if_its_header_is_right_and_its_length_is_what_the_header_says(
        kind in prop::sample::select(vec![8_u8, 8, 8, 8, 0x0b, 0x0c, 9, 0x0d, 0]),
        rank in prop::sample::select(vec![1_u8, 3, 3, 3, 4, 4, 4, 2, 0, 5]),
        fields in prop::collection::vec(field(), 5),
        colours in prop::sample::select(vec![None, Some(1), Some(3)]),
        off in prop_oneof![6 => Just(0_i64), 1 => -3_i64..4],
        fill in any::<u8>(),
        compressed in any::<bool>(),
    ) {
        let mut fields = fields[..usize::from(rank.min(5))].to_vec();
        if let (4, Some(colours)) = (rank, colours) {
            fields[1] = colours;
        }
        let mut file = vec![0, 0, kind, rank];
        fields.iter().for_each(|field| file.extend(field.to_be_bytes()));
        let size = match kind { 0x0b => 2, 0x0c => 4, _ => 1 };
        let content = fields.iter().fold(size, |all, &field| all * u128::from(field));
        let present = (content as i64).saturating_add(off).clamp(0, 1 << 16);
        file.resize(file.len() + present as usize, fill);
        let whole = present as u128 == content && content > 0;
        let sides = |sides: &[u32]| sides.iter().all(|side| (1..=256).contains(side));
        let images = kind == 8 && match *fields {
            [_, height, width] => sides(&[height, width]),
            [_, channels, height, width] => [1, 3].contains(&channels) && sides(&[height, width]),
            _ => false,
        };
        // A 32-bit label that fits 16 bits needs two zeros.
        let labels = rank == 1 && [8, 0x0b, 0x0c].contains(&kind) && (kind != 0x0c || fill == 0);
        let counted = fields.first().is_some_and(|count| (1..=MAX_ITEMS).contains(count));
        let bytes = if compressed { gzip(&file) } else { file.clone() };
        let found = read_images(&bytes, "the file");
        prop_assert_eq!(found.is_ok(), images && whole && counted, "{:?}: {:?}", file, found);
        match found {
            Ok((shape, pixels)) => {
                prop_assert_eq!(pixels.len(), fields[0] as usize * shape.len());
                prop_assert!(pixels.iter().all(|&pixel| pixel == fill));
            }
            Err(error) => prop_assert!(error.to_string().contains("the file")),
        }
        let found = read_labels(&bytes, "the file");
        prop_assert_eq!(found.is_ok(), labels && whole && counted, "{:?}: {:?}", file, found);
        match found {
            Ok(labels) => prop_assert_eq!(labels.len(), fields[0] as usize),
            Err(error) => prop_assert!(error.to_string().contains("the file")),
        }
    }

    #[test]
    fn a_damaged_file_is_refused_or_has_the_promised_size(
        count in 1_usize..5,
        shape in shape(),
        classes in classes(),
        compressed in any::<bool>(),
        changes in damage(),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let (images, labels) = idx_files(&numbered(shape, classes.clone(), count));
        let (images, labels) = match compressed {
            true => (gzip(&images), gzip(&labels)),
            false => (images, labels),
        };
        let images = damaged(images, &changes, cut);
        let labels = damaged(labels, &changes, cut);
        if let Ok((shape, pixels)) = read_images(&images, "the file") {
            prop_assert!(pixels.len() % shape.len() == 0 && !pixels.is_empty());
        }
        if let Ok(set) = read(&images, &labels, &classes) {
            prop_assert_eq!(set.pixels().len(), set.labels().len() * set.shape().len());
            prop_assert!(set.labels().iter().all(|&label| usize::from(label) < classes.len()));
        }
    }

    #[test]
    fn damage_inside_gzip_still_finds_the_reader_awake(
        count in 1_usize..4,
        shape in shape(),
        classes in classes(),
        changes in damage(),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let (images, labels) = idx_files(&numbered(shape, classes, count));
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
        shape in shape(),
        classes in classes(),
        labels in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
        fill in any::<u8>(),
        compressed in any::<bool>(),
    ) {
        let pixels = (0..labels.len() * shape.len())
            .map(|at| fill.wrapping_add((at / 7) as u8))
            .collect();
        let labels = labels.iter().map(|label| label.index(classes.len()) as u16).collect();
        let set = LabelledImages::new(shape, classes.clone(), pixels, labels).unwrap();
        let (images, labels) = idx_files(&set);
        let (images, labels) = match compressed {
            true => (gzip(&images), gzip(&labels)),
            false => (images, labels),
        };
        let read = read(&images, &labels, &classes).unwrap();
        prop_assert_eq!(read.spec(), set.spec());
        prop_assert_eq!(read.pixels(), set.pixels());
        prop_assert_eq!(read.labels(), set.labels());
    }
}
