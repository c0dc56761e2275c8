//! A program that carries its checkpoint in itself and needs no file beside it:
//! `cargo run --release --example embedded`.

use std::error::Error;

use model::{Backend, Classifier};

/// The files of the checkpoint, by their names.
const FILES: [(&str, &[u8]); 3] = [
    (
        "SHA256SUMS",
        include_bytes!("../../../artifacts/pretrained/SHA256SUMS"),
    ),
    (
        "checkpoint.json",
        include_bytes!("../../../artifacts/pretrained/checkpoint.json"),
    ),
    (
        "model.bpk",
        include_bytes!("../../../artifacts/pretrained/model.bpk"),
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    // The name stands for the folder in errors. The digests are compared as for a folder.
    let device = Backend::default().device()?;
    let classifier = Classifier::from_bytes("the checkpoint compiled in", &FILES, &device)?;

    // An empty page: nothing that the network knows.
    let image = vec![0; classifier.shape().len()];
    let answer = classifier.classify(&image)?;
    println!("images of {}", classifier.shape());
    println!("classes {}", classifier.classes().join(", "));
    println!(
        "an empty page: {} with {:.1} %",
        answer.name,
        100.0 * answer.confidence
    );
    println!("{:?}", answer.decision);
    Ok(())
}
