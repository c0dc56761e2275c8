//! Other images and classes than MNIST's, in the text for a terminal and on the page.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;

use base64::{Engine, prelude::BASE64_STANDARD};
use common::{elements, parse};
use data::{Classes, ImageShape, LabelledImages, Random};
use model::{Classifier, Manifest, checkpoint::Checkpoint};
use png::ColorType;
use report::{Examination, ExaminationError, Page, PageError};
use roxmltree::Document;
use stress::Stress;

const HOSTILE: &str = "<b>&\"'";
const RIGHT_TO_LEFT: &str = "ספרה\u{202e} שבע";

fn manifest() -> Manifest {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let checkpoint = Checkpoint::open(root.join("artifacts/pretrained")).unwrap();
    checkpoint.manifest().clone()
}

fn colour() -> ImageShape {
    ImageShape::new(3, 12, 20).unwrap()
}

/// A name as long as one may be.
fn long() -> String {
    "very ".repeat(18) + "long class"
}

fn three() -> Vec<String> {
    vec![HOSTILE.into(), long(), RIGHT_TO_LEFT.into()]
}

fn many() -> Vec<String> {
    (0..47).map(|class| format!("class {class}")).collect()
}

/// Images of noise, with every class in turn.
fn images(shape: ImageShape, names: &[String], count: usize) -> LabelledImages {
    let mut random = Random::keyed(&[5]);
    let pixels = (0..count * shape.len()).map(|_| random.next_u64() as u8);
    let labels = (0..count).map(|index| (index % names.len()) as u16);
    let classes = Classes::named(names.to_vec()).unwrap();
    LabelledImages::new(shape, classes, pixels.collect(), labels.collect()).unwrap()
}

/// Text and page of a classifier with random weights.
fn reports(shape: ImageShape, names: &[String], count: usize) -> (String, String) {
    let classifier = common::random(&manifest(), shape, names);
    let images = images(shape, names, count);
    let examination = Examination::new(&classifier, &images).unwrap();
    let page = Page {
        classifier: &classifier,
        images: &images,
        examination: &examination,
        history: None,
        stress: Some(&Stress::new(&classifier, &images, 3, 0).unwrap()),
    };
    (examination.to_string(), page.html().unwrap())
}

/// Width, height and colours of each picture of a kind.
fn pictures(document: &Document, kind: &str) -> Vec<(u32, u32, ColorType)> {
    elements(document, "img")
        .filter(|img| img.attribute("class") == Some(kind))
        .map(|img| {
            let data = img.attribute("src").unwrap();
            let data = data.strip_prefix("data:image/png;base64,").unwrap();
            let png = BASE64_STANDARD.decode(data).unwrap();
            let reader = png::Decoder::new(std::io::Cursor::new(png))
                .read_info()
                .unwrap();
            let info = reader.info();
            (info.width, info.height, info.color_type)
        })
        .collect()
}

#[test]
fn colour_images_that_are_no_squares_are_shown_as_they_are() {
    let (_, html) = reports(colour(), &three(), 60);
    let document = parse(&html);
    let shown = pictures(&document, "image");
    assert!(shown.len() > 50);
    assert!(shown.iter().all(|of| *of == (20, 12, ColorType::Rgb)));
    assert!(
        pictures(&document, "image ink").is_empty(),
        "photographs are no ink"
    );
    // Pixels that spoke for the answer, and the four filters of the first layer.
    let signed = pictures(&document, "signed");
    let count = |of| signed.iter().filter(|picture| **picture == of).count();
    assert!(count((20, 12, ColorType::Rgba)) > 0);
    assert_eq!(count((3, 3, ColorType::Rgb)), 4);
}

#[test]
fn any_class_name_is_text_and_whole() {
    let (text, html) = reports(colour(), &three(), 60);
    let document = parse(&html);
    assert_eq!(elements(&document, "b").count(), 0);
    let names: Vec<_> = elements(&document, "bdi").collect();
    for name in three() {
        let shown = names.iter().filter(|node| node.text() == Some(&*name));
        let shown: Vec<_> = shown.collect();
        assert!(shown.len() > 2, "{name} in matrix and table");
        assert!(
            shown
                .iter()
                .all(|node| node.attribute("title") == Some(&*name))
        );
    }
    let isolated = format!("labelled \u{2068}{RIGHT_TO_LEFT}\u{2069}");
    let alts = elements(&document, "img").filter_map(|img| img.attribute("alt"));
    assert!(alts.into_iter().any(|alt| alt.contains(&isolated)));
    assert!(
        text.contains(HOSTILE) && text.contains(RIGHT_TO_LEFT),
        "{text}"
    );
    assert!(
        !text.contains(&long()) && text.contains("very very very"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() < 130),
        "{text}"
    );
}

#[test]
fn of_many_classes_the_worst_are_shown() {
    let grey = ImageShape::new(1, 9, 9).unwrap();
    let (text, html) = reports(grey, &many(), 470);
    let document = parse(&html);
    let table = |caption: &str| {
        elements(&document, "table")
            .find(|table| {
                let mut captions = table
                    .children()
                    .filter(|child| child.has_tag_name("caption"));
                captions.any(|found| found.text() == Some(caption))
            })
            .unwrap_or_else(|| panic!("no table of {caption}"))
    };
    let rows = |caption: &str| {
        let rows = table(caption)
            .descendants()
            .filter(|node| node.has_tag_name("tr"));
        rows.count() - 1
    };
    assert_eq!(rows("The 20 most frequent mistakes"), 20);
    assert_eq!(
        rows("Precision, recall and F1 of the classes of the lowest F1"),
        20
    );
    assert_eq!(rows("Precision, recall and F1 of each class"), 47);
    assert!(!html.contains("class=\"matrix"));
    assert!(text.contains("the 20 of the lowest F1 of 47"), "{text}");
    assert!(text.lines().count() < 80, "{text}");
}

#[test]
fn a_thousand_classes_make_no_larger_a_page_than_people_open() {
    let names: Vec<_> = (0..1000).map(|class| format!("class {class}")).collect();
    let (text, html) = reports(ImageShape::new(1, 5, 5).unwrap(), &names, 1000);
    assert!(text.lines().count() < 80);
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
}

#[test]
fn the_smallest_images_have_a_page() {
    let names = three();
    let shape = ImageShape::new(1, 2, 2).unwrap();
    let (_, html) = reports(shape, &names, 3);
    assert!(!pictures(&parse(&html), "image").is_empty());
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let shape = ImageShape::new(1, 10, 24).unwrap();
    let turned = ImageShape::new(1, 24, 10).unwrap();
    let classifier = common::random(&manifest(), shape, &three());
    let refused = Examination::new(&classifier, &images(turned, &three(), 3)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "images of 24×10 grey for a classifier of 10×24 grey: give images of that shape"
    );
    let unknown = Examination::new(&classifier, &images(shape, &many(), 47));
    assert!(matches!(unknown, Err(ExaminationError::Figures(_))));

    let images = images(shape, &three(), 3);
    let examination = Examination::new(&classifier, &images).unwrap();
    let page = |classifier: &Classifier| {
        let page = Page {
            classifier,
            images: &images,
            examination: &examination,
            history: None,
            stress: None,
        };
        page.html().map(|_| ())
    };
    assert_eq!(page(&classifier), Ok(()));
    for other in [
        common::random(&manifest(), turned, &three()),
        common::random(&manifest(), shape, &many()),
    ] {
        assert!(matches!(page(&other), Err(PageError::Classifier { .. })));
    }
}
