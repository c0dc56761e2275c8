//! A classifier on damaged images and outliers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use data::{ImageShape, LabelledImages, Source, mnist};
use model::{Backend, Classifier};
use stress::{Corruption, Outlier, Stress, StressError};

fn classifier() -> Classifier {
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../artifacts/pretrained");
    Classifier::load(checkpoint, &Backend::default().device().unwrap()).unwrap()
}

fn images(count: usize) -> LabelledImages {
    let train = Source::Bundled.train(&()).unwrap();
    let pixels = train.pixels()[..count * mnist::SHAPE.len()].to_vec();
    let labels = train.labels()[..count].to_vec();
    LabelledImages::new(mnist::SHAPE, train.classes().clone(), pixels, labels).unwrap()
}

#[test]
fn every_image_is_counted_once() {
    let classifier = classifier();
    let mut stress = Stress::new(&classifier, &images(50), 20, 1).unwrap();
    let letters = [9; 3 * mnist::SHAPE.len()];
    stress.add(&classifier, "letters", &letters).unwrap();
    let kinds = Corruption::ALL.len() + Outlier::ALL.len();
    assert_eq!(stress.rows.len(), kinds + 1);
    for row in &stress.rows {
        assert_eq!(
            row.accepted + row.out_of_distribution + row.unreliable + row.low_confidence,
            row.images,
            "{}",
            row.name
        );
        assert!(row.errors <= row.accepted && row.accepted <= row.accepted_by_confidence_alone);
        assert!(row.errors <= row.errors_by_confidence_alone);
        assert_eq!(row.example.len(), mnist::SHAPE.len());
    }
    assert!(stress.rows[..kinds].iter().all(|row| row.images == 20));
    assert_eq!(stress.rows[kinds].images, 3);
    let (damaged, outliers) = stress.rows.split_at(Corruption::ALL.len());
    assert!(damaged.iter().all(|row| row.accuracy.is_some()));
    assert!(
        outliers
            .iter()
            .all(|row| row.accuracy.is_none() && row.errors == row.accepted)
    );
    assert!(damaged[0].accuracy.unwrap().value > 0.9, "undamaged digits");
}

#[test]
fn what_is_no_image_of_the_classifier_is_refused() {
    let classifier = classifier();
    assert!(matches!(
        Stress::new(&classifier, &images(2), 0, 1),
        Err(StressError::Figures(_))
    ));
    let mut stress = Stress::new(&classifier, &images(2), 1, 1).unwrap();
    for wrong in [&[0; 783][..], &[0; 785]] {
        let refused = stress.add(&classifier, "letters", wrong);
        assert!(matches!(refused, Err(StressError::Bytes(_))));
    }
    assert!(matches!(
        stress.add(&classifier, "letters", &[]),
        Err(StressError::Figures(_))
    ));

    let shape = ImageShape::new(1, 14, 56).unwrap();
    let classes = mnist::classes().unwrap();
    let other = LabelledImages::new(shape, classes, vec![0; shape.len()], vec![0]).unwrap();
    let refused = Stress::new(&classifier, &other, 1, 1).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "images of 14×56 grey for a classifier of 28×28 grey: give images of that shape"
    );
}
