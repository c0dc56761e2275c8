//! What the tests share: classifiers of any shape and classes, and a strict look at a page.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use burn::module::Module;
use data::ImageShape;
use model::{
    Backend, BlockConfig, Classifier, Manifest, NetworkConfig, Normalization, Order, PictureInput,
    checkpoint::{self, Checkpoint, MANIFEST, MODEL},
};
use roxmltree::{Document, Node, ParsingOptions};

/// The classifier of a checkpoint whose manifest is another.
pub fn rewritten(original: &Checkpoint, change: impl FnOnce(&mut Manifest)) -> Classifier {
    let mut manifest = original.manifest().clone();
    change(&mut manifest);
    classifier(&manifest, original.file(MODEL).unwrap())
}

/// A classifier with random weights for images of a shape and classes of these names; the rest is as in
/// `like`.
pub fn random(like: &Manifest, shape: ImageShape, names: &[String]) -> Classifier {
    let block = BlockConfig {
        channels: 4,
        padding: 1,
        ..BlockConfig::default()
    };
    let architecture = NetworkConfig {
        blocks: vec![block],
        dense: vec![],
        norm: true,
        order: Order::ConvPoolNormRelu,
        dropout: 0.0,
    };
    let device = Backend::default().device().unwrap();
    let network = architecture.init(3, shape, names.len(), &device).unwrap();
    let manifest = Manifest {
        architecture,
        input: shape,
        picture: PictureInput::Whole,
        normalization: Normalization {
            mean: vec![0.5; shape.channels],
            std: vec![0.3; shape.channels],
        },
        classes: names.to_vec(),
        labels: None,
        calibration: None,
        calibrated_on: None,
        ..like.clone()
    };
    classifier(&manifest, &network.into_record().into_bytes().unwrap())
}

fn classifier(manifest: &Manifest, weights: &[u8]) -> Classifier {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let files = [
        (MANIFEST, &manifest.to_json().unwrap()[..]),
        (MODEL, weights),
    ];
    checkpoint::write(&path, &files).unwrap();
    Classifier::load(&path, &Backend::default().device().unwrap()).unwrap()
}

/// Parses strictly: every element closed, every attribute quoted, every entity known. Elements that
/// HTML leaves open because they are empty are closed first; no attribute has a bare `>`.
pub fn parse(html: &str) -> Document<'static> {
    let mut xml = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        xml += before;
        let (tag, after) = tag.split_once('>').unwrap();
        let name = tag.split(' ').next().unwrap();
        let end = match ["img", "link", "meta"].contains(&name) {
            true => "/>",
            false => ">",
        };
        xml += &format!("<{tag}{end}");
        rest = after;
    }
    xml += rest;
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    // A document borrows its text, for as long as the test runs.
    Document::parse_with_options(Box::leak(xml.into_boxed_str()), options).unwrap()
}

/// The elements of a name.
pub fn elements<'a>(document: &'a Document, name: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    document
        .descendants()
        .filter(move |node| node.tag_name().name() == name)
}
