//! Images that are held another way than those of training.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use data::{ImageShape, LabelledImages, Source, mnist};
use model::{Backend, Classifier};
use report::{Examination, View};

fn classifier() -> Classifier {
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../artifacts/pretrained");
    Classifier::load(checkpoint, &Backend::default().device().unwrap()).unwrap()
}

fn test() -> LabelledImages {
    let spec = classifier().manifest().spec().unwrap();
    Source::Bundled.test(&spec, &()).unwrap()
}

/// Test images and their classes.
fn images(pixels: Vec<u8>, labels: Vec<u16>) -> LabelledImages {
    LabelledImages::new(mnist::SHAPE, mnist::classes().unwrap(), pixels, labels).unwrap()
}

fn views() -> impl Iterator<Item = View> {
    (0..16).map(|bits| View {
        transposed: bits & 1 != 0,
        mirrored: bits & 2 != 0,
        upside_down: bits & 4 != 0,
        inverted: bits & 8 != 0,
    })
}

#[test]
fn images_held_in_any_way_are_recognised() {
    let (classifier, test) = (classifier(), test());
    for held in views() {
        let seen = (0..300).flat_map(|index| held.of(mnist::SHAPE, test.image(index)));
        let images = images(seen.collect(), test.labels()[..300].to_vec());
        let examination = Examination::new(&classifier, &images).unwrap();
        if held == View::default() {
            assert_eq!(examination.misread, None);
            continue;
        }
        let misread = examination.misread.unwrap();
        assert_eq!(
            misread.view.of(mnist::SHAPE, images.image(0)),
            test.image(0),
            "{held:?} is undone by {misread:?}"
        );
        assert!(
            misread.seen_so.value > 0.95 && misread.hint().contains("would be right instead of")
        );
    }
}

#[test]
fn images_that_no_view_helps_give_no_hint() {
    let (classifier, test) = (classifier(), test());
    let labels = (0..300).map(|index| (test.label(index) + 1) % 10).collect();
    let pixels = test.pixels()[..300 * mnist::SHAPE.len()].to_vec();
    let images = images(pixels, labels);
    let examination = Examination::new(&classifier, &images).unwrap();
    assert!(examination.accuracy < 0.1);
    assert_eq!(examination.misread, None);
}

#[test]
fn a_quarter_turn_is_called_by_its_direction() {
    let mut image = [0; mnist::SHAPE.len()];
    image[1] = 255; // in the top row, on the left
    let clockwise = View {
        transposed: true,
        mirrored: true,
        ..View::default()
    };
    assert_eq!(clockwise.describe(), "a quarter turn clockwise");
    let turned = clockwise.of(mnist::SHAPE, &image);
    assert_eq!(turned.iter().position(|&value| value == 255), Some(28 + 27));
}

#[test]
fn the_channels_of_an_image_that_is_no_square_are_seen_alike_and_never_transposed() {
    let shape = ImageShape::new(3, 2, 3).unwrap();
    let image: Vec<u8> = (0..18).collect();
    let turned = View {
        mirrored: true,
        upside_down: true,
        ..View::default()
    };
    let expected = [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 17, 16, 15, 14, 13, 12];
    assert_eq!(turned.of(shape, &image), expected);
    assert!(!View::TRANSPOSED.suits(shape) && View::TRANSPOSED.suits(mnist::SHAPE));
    assert_eq!(View::TRANSPOSED.of(shape, &image), image);
}
