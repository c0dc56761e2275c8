//! The page for a browser: whole, safe, the same each time.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

mod common;

use common::{elements, parse, rewritten};
use data::{LabelledImages, Source, mnist};
use model::{Backend, Classifier, checkpoint::Checkpoint};
use report::{Examination, Page, PageError};
use runs::History;
use stress::Stress;

fn pretrained() -> Checkpoint {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Checkpoint::open(root.join("artifacts/pretrained")).unwrap()
}

fn classifier(checkpoint: &Checkpoint) -> Classifier {
    Classifier::from_checkpoint(checkpoint, &Backend::default().device().unwrap()).unwrap()
}

fn test() -> LabelledImages {
    let spec = pretrained().manifest().spec().unwrap();
    Source::Bundled.test(&spec, &()).unwrap()
}

/// The first test images; every tenth has a wrong label, so that there are mistakes to show.
fn images(count: usize) -> LabelledImages {
    let test = test();
    let labels = (0..count).map(|index| match index % 10 {
        0 => (test.label(index) + 1) % 10,
        _ => test.label(index),
    });
    let pixels = test.pixels()[..count * mnist::SHAPE.len()].to_vec();
    LabelledImages::new(
        mnist::SHAPE,
        test.classes().clone(),
        pixels,
        labels.collect(),
    )
    .unwrap()
}

fn history() -> History {
    let mut lines = String::new();
    for step in 1..=20 {
        let epoch = 1 + (step - 1) / 10;
        for (name, value) in [
            ("loss", 1.0 / step as f64),
            ("accuracy", 0.9),
            ("learning_rate", 0.01),
        ] {
            lines += &format!(
                "{{\"epoch\":{epoch},\"step\":{step},\"split\":\"train\",\"name\":\"{name}\",\"value\":{value},\"seconds\":1}}\n"
            );
        }
    }
    for epoch in 1..=2 {
        for (split, name, value) in [
            ("train", "loss", 0.2),
            ("train", "accuracy", 0.93),
            ("train", "images_per_second", 12345.0),
            ("validation", "loss", 0.1),
            ("validation", "accuracy", 0.97),
        ] {
            lines += &format!(
                "{{\"epoch\":{epoch},\"split\":\"{split}\",\"name\":\"{name}\",\"value\":{value},\"seconds\":1}}\n"
            );
        }
    }
    History::parse((lines + "{\"epoch\":3,\"spl").as_bytes()).unwrap()
}

#[test]
fn what_no_run_can_measure_is_left_out() {
    let line = |value: &str| {
        format!(
            "{{\"epoch\":1,\"split\":\"train\",\"name\":\"images_per_second\",\"value\":{value},\"seconds\":1}}\n"
        )
    };
    let lines = ["1e308", "-1e300", "12", "1e999"].map(line).concat();
    assert_eq!(History::parse(lines.as_bytes()).unwrap().speeds(), [12.0]);
}

/// The page with all sections, for a classifier.
fn full(classifier: &Classifier) -> String {
    let images = images(300);
    let page = Page {
        classifier,
        images: &images,
        examination: &Examination::new(classifier, &images).unwrap(),
        history: Some(&history()),
        stress: Some(&Stress::new(classifier, &images, 10, 0).unwrap()),
    };
    page.html().unwrap()
}

#[test]
fn the_page_is_well_formed_and_has_every_section() {
    let html = full(&classifier(&pretrained()));
    let document = parse(&html);
    let ids: Vec<_> = elements(&document, "section")
        .filter_map(|s| s.attribute("id"))
        .collect();
    assert_eq!(
        ids,
        [
            "mistakes", "trust", "images", "network", "stress", "training", "about"
        ]
    );
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
    for text in [
        "Loss",
        "Learning rate",
        "Images per second",
        "Confusion matrix",
        "Reliability after calibration",
        "Risk and coverage",
        "How sure it is",
        "The 25 worst mistakes",
        "The 25 least certain",
        "Filters of the first layer",
        "Pixels that spoke for the answer",
        "glass blur",
        "uniform noise",
    ] {
        assert!(html.contains(text), "{text}");
    }
}

#[test]
fn it_needs_nothing_from_elsewhere() {
    let html = full(&classifier(&pretrained()));
    let document = parse(&html);
    assert_eq!(elements(&document, "script").count(), 0);
    for node in document.descendants() {
        for attribute in ["src", "href"]
            .iter()
            .filter_map(|name| node.attribute(*name))
        {
            assert!(
                attribute.starts_with("data:") || attribute.starts_with('#'),
                "{attribute}"
            );
        }
    }
    assert!(!html.contains("url(") && !html.contains("@import"));
}

#[test]
fn people_who_do_not_see_it_get_its_content_too() {
    let html = full(&classifier(&pretrained()));
    let document = parse(&html);
    let root = document.root_element();
    assert_eq!(root.attribute("lang"), Some("en"));
    let ids: Vec<_> = document
        .descendants()
        .filter_map(|node| node.attribute("id"))
        .collect();
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(ids.len(), unique.len(), "ids are unique");
    assert!(elements(&document, "img").all(|img| img.attribute("alt").is_some()));
    for svg in elements(&document, "svg").filter(|svg| svg.attribute("aria-hidden").is_none()) {
        let names = svg.attribute("aria-labelledby").unwrap();
        assert!(names.split(' ').all(|name| ids.contains(&name)), "{names}");
    }
    let links = elements(&document, "a").filter_map(|a| a.attribute("href"));
    assert!(
        links
            .filter_map(|href| href.strip_prefix('#'))
            .all(|id| ids.contains(&id))
    );
    assert_eq!(elements(&document, "h1").count(), 1);
    assert!(
        elements(&document, "table")
            .all(|table| table.children().any(|c| c.tag_name().name() == "caption"))
    );
}

#[test]
fn the_same_findings_give_the_same_bytes() {
    let checkpoint = pretrained();
    assert_eq!(
        full(&classifier(&checkpoint)),
        full(&classifier(&checkpoint))
    );
}

#[test]
fn text_from_a_checkpoint_stays_text() {
    let hostile = "<img src=x onerror=alert(1)>&\"'";
    let classifier = rewritten(&pretrained(), |manifest| {
        manifest.classes[7] = hostile.into();
        manifest.provenance.data.source = format!("{hostile}\u{1}");
        manifest.provenance.backend = "</table><script>".into();
    });
    let html = full(&classifier);
    let document = parse(&html);
    assert_eq!(elements(&document, "script").count(), 0);
    assert!(elements(&document, "img").all(|img| img.attribute("onerror").is_none()));
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;&amp;"));
}

#[test]
fn a_page_without_history_or_mistakes_is_whole() {
    let classifier = classifier(&pretrained());
    let test = test();
    let classes = test.classes().clone();
    let first = (test.image(0).to_vec(), vec![test.label(0)]);
    let images = LabelledImages::new(mnist::SHAPE, classes, first.0, first.1).unwrap();
    let examination = Examination::new(&classifier, &images).unwrap();
    assert_eq!(examination.errors, 0);
    let page = Page {
        classifier: &classifier,
        images: &images,
        examination: &examination,
        history: Some(&History::default()),
        stress: None,
    };
    let html = page.html().unwrap();
    let document = parse(&html);
    assert!(elements(&document, "section").all(|s| s.attribute("id") != Some("training")));
}

#[test]
fn images_that_were_not_examined_are_refused() {
    let classifier = classifier(&pretrained());
    let page = Page {
        classifier: &classifier,
        images: &images(2),
        examination: &Examination::new(&classifier, &images(3)).unwrap(),
        history: None,
        stress: None,
    };
    assert_eq!(
        page.html(),
        Err(PageError::Images {
            images: 2,
            examined: 3
        })
    );
}
