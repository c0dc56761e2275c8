//! What a checkpoint makes of its test images, for those who compare it with others: `tests/exchange` does.
//!
//! `cargo run --release -p digits --example answers -- artifacts/pretrained answers [DATA_DIR]` writes
//! `answers/images.u8`, the raw bytes, and `answers/answers.csv`: `label,class,reason` and a column for each
//! logit, one row per image. The reason is a number, as an exported network gives it.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{fmt::Write as _, fs, path::Path};

use model::{Backend, Classifier};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let classifier =
        Classifier::load(&arguments[0], &Backend::default().device().unwrap()).unwrap();
    let named = arguments.get(2).map(Path::new);
    let (images, _) = report::test_images(classifier.manifest(), named, &()).unwrap();
    let mut csv = String::from("label,class,reason");
    for class in 0..classifier.classes().len() {
        write!(csv, ",z{class}").unwrap();
    }
    csv.push('\n');
    let outputs = classifier.outputs(images.pixels()).unwrap();
    for (index, output) in outputs.iter().enumerate() {
        let answer = classifier.decide(images.image(index), output);
        let code = exchange::onnx::reason(&answer.decision);
        write!(csv, "{},{},{code}", images.labels()[index], answer.class).unwrap();
        for logit in &output.logits {
            write!(csv, ",{logit:e}").unwrap();
        }
        csv.push('\n');
    }
    let to = Path::new(&arguments[1]);
    fs::create_dir_all(to).unwrap();
    fs::write(to.join("images.u8"), images.pixels()).unwrap();
    fs::write(to.join("answers.csv"), csv).unwrap();
}
