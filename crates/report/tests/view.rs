//! Images that are held another way than those of training.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use data::{LabelledImages, PIXELS, Source};
use model::{Backend, Classifier};
use report::{Examination, View};

fn classifier() -> Classifier {
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../artifacts/pretrained");
    Classifier::load(checkpoint, &Backend::default().device().unwrap()).unwrap()
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
    let (classifier, test) = (classifier(), Source::Bundled.test().unwrap());
    for held in views() {
        let images = (0..300).flat_map(|index| held.of(test.image(index)));
        let images = LabelledImages::new(images.collect(), test.labels()[..300].to_vec()).unwrap();
        let examination = Examination::new(&classifier, &images).unwrap();
        if held == View::default() {
            assert_eq!(examination.misread, None);
            continue;
        }
        let misread = examination.misread.unwrap();
        assert_eq!(
            misread.view.of(images.image(0)),
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
    let (classifier, test) = (classifier(), Source::Bundled.test().unwrap());
    let labels = (0..300).map(|index| (test.label(index) + 1) % 10).collect();
    let images = LabelledImages::new(test.pixels()[..300 * PIXELS].to_vec(), labels).unwrap();
    let examination = Examination::new(&classifier, &images).unwrap();
    assert!(examination.accuracy < 0.1);
    assert_eq!(examination.misread, None);
}

#[test]
fn a_quarter_turn_is_called_by_its_direction() {
    let mut image = [0; PIXELS];
    image[1] = 255; // in the top row, on the left
    let clockwise = View {
        transposed: true,
        mirrored: true,
        ..View::default()
    };
    assert_eq!(clockwise.describe(), "a quarter turn clockwise");
    let turned = clockwise.of(&image);
    assert_eq!(turned.iter().position(|&value| value == 255), Some(28 + 27));
}
