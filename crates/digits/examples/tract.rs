//! An exported network run by tract, beside the checkpoint that it is of, on its first test images.
//!
//! `cargo run --release -p digits --features tract --example tract -- MODEL.onnx CHECKPOINT COUNT` prints the
//! greatest difference between logits, and how many classes, decisions and reasons differ; exits with 1 if one does.

use std::{fs, process::ExitCode};

use anyhow::Context;
use exchange::onnx;
use model::{Backend, Classifier, Decision};

const BATCH: usize = 50;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, checkpoint, count] = &arguments[..] else {
        anyhow::bail!("give the model, its checkpoint and a number of images");
    };
    let model = fs::read(file).with_context(|| file.clone())?;
    let classifier = Classifier::load(checkpoint, &Backend::default().device()?)?;
    let (images, _) = report::test_images(classifier.manifest(), None, &())?;
    let shape = classifier.shape();
    let count = count.parse::<usize>()?.min(images.len());

    let (mut difference, mut differ) = (0_f64, [0; 3]);
    for bytes in images.pixels()[..count * shape.len()].chunks(BATCH * shape.len()) {
        let outputs = classifier.outputs(bytes)?;
        let said = onnx::ask(&model, shape, bytes)?;
        for ((said, output), image) in said.iter().zip(&outputs).zip(bytes.chunks(shape.len())) {
            for (there, here) in said.logits.iter().zip(&output.logits) {
                difference = difference.max((there - here).abs());
            }
            let answer = classifier.decide(image, output);
            differ[0] += usize::from(said.class != i64::from(answer.class));
            differ[1] += usize::from(said.accepted != (answer.decision == Decision::Accept));
            differ[2] += usize::from(said.reason != onnx::reason(&answer.decision));
        }
    }
    let [classes, decisions, reasons] = differ;
    println!("| tract | {count} | {difference:.1e} | {classes} | {decisions} | {reasons} |");
    Ok(ExitCode::from(u8::from(
        differ != [0; 3] || difference > 1e-4,
    )))
}
