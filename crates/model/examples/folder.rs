//! Classifies an image with a checkpoint that lies in a folder:
//! `cargo run --release --example folder -- artifacts/pretrained`.

use std::error::Error;

use model::{Backend, Classifier, Decision};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: folder CHECKPOINT")?;
    let classifier = Classifier::load(folder, &Backend::default().device()?)?;

    // A bright stroke down the middle, whatever the size: a byte for each channel of a pixel, channel by
    // channel, row by row.
    let shape = classifier.shape();
    let middle = shape.width / 2;
    let bright = |at: usize| {
        let (x, y) = (at % shape.width, at % shape.plane() / shape.width);
        x.abs_diff(middle) < 2 && (shape.height / 6..shape.height * 5 / 6).contains(&y)
    };
    let image: Vec<u8> = (0..shape.len())
        .map(|at| if bright(at) { 255 } else { 0 })
        .collect();

    let answer = classifier.classify(&image)?;
    let kept = match answer.decision {
        Decision::Accept => "accepted",
        Decision::Review { .. } => "for a person to decide",
    };
    println!(
        "{}: {:.1} %, {kept}",
        answer.name,
        100.0 * answer.confidence
    );
    Ok(())
}
