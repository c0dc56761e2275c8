//! What a checkpoint makes of pictures of many kinds, drawn from MNIST's test digits: the table in
//! `docs/uncertainty.md`.
//!
//! `cargo run --release -p digits --example pictures -- artifacts/pretrained 120`: the checkpoint, how many
//! of each kind, and, if only some are wanted, a part of their names.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../pictures/tests/drawing/mod.rs"]
mod drawing;

use drawing::{Handwriting, Random, kinds::KINDS};
use model::{Backend, Classifier, Decision};
use pictures::{Framing, PIXELS};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (checkpoint, count) = (&arguments[0], arguments[1].parse::<usize>().unwrap());
    let part = arguments.get(2).map_or("", String::as_str);
    let classifier = Classifier::load(checkpoint, &Backend::default().device().unwrap()).unwrap();
    let handwriting = Handwriting::read("t10k");
    println!(
        "| pictures | accepted | wrong among them | right if all were answered |\n|---|---|---|---|"
    );
    for (name, draw) in KINDS.iter().filter(|kind| kind.0.contains(part)) {
        let mut framed: Vec<[u8; PIXELS]> = Vec::new();
        let mut labels = Vec::new();
        let mut random = Random(name.len() as u64);
        for number in 0..count {
            let index = (1009 * number + 17) % handwriting.images.len();
            if let Framing::Digit(found) =
                pictures::find(&draw(&mut random, &handwriting.images[index]))
            {
                framed.push(found.pixels);
                labels.push(handwriting.labels[index]);
            }
        }
        let answers = classifier.classify_all(framed.as_flattened()).unwrap();
        let (mut right, mut accepted, mut wrong) = (0, 0, 0);
        for (answer, label) in answers.iter().zip(&labels) {
            let correct = answer.class == u16::from(*label);
            right += usize::from(correct);
            if answer.decision == Decision::Accept {
                accepted += 1;
                wrong += usize::from(!correct);
            }
        }
        let share = 100.0 * right as f64 / count as f64;
        println!("| {name} | {accepted} of {count} | {wrong} | {share:.1} % |");
    }
}
