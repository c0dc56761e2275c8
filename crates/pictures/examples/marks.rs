//! Writes what `marks/learn.py` learns from: digits with marks and without, as this crate frames them.
//!
//! `cargo run --release -p pictures --example marks -- train 48000 1 FILE`: the split of MNIST, how many,
//! where chance starts, and the file. Each is a byte for the kind of mark (0 for none), one for the digit,
//! and 28×28 bytes.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../tests/drawing/mod.rs"]
mod drawing;

use std::{fs::File, io::BufWriter, io::Write as _};

use drawing::{Handwriting, Random, kinds};
use pictures::Framing;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [split, count, seed, file] = arguments.as_slice() else {
        panic!("SPLIT COUNT SEED FILE")
    };
    let handwriting = Handwriting::read(split);
    let mut random = Random(seed.parse().unwrap());
    let mut file = BufWriter::new(File::create(file).unwrap());
    let all = || (0_u8..).zip(kinds::KINDS);
    let marks: Vec<_> = all()
        .filter(|(_, kind)| kind.0.starts_with("marked"))
        .collect();
    // What finding leaves of lines and shadows is no mark. Large pictures would only take long, and of
    // what touches a form's box a piece of the box may stay.
    let others: Vec<_> = all()
        .filter(|(_, (name, _))| !name.starts_with("marked") && !name.contains("touches"))
        .filter(|(_, (name, _))| !["clean 500", "small on a page"].contains(name))
        .collect();
    for number in 0..count.parse::<usize>().unwrap() {
        let index = random.below(handwriting.images.len());
        let image = &handwriting.images[index];
        let (kind, picture) = if number % 2 == 0 {
            let (kind, (_, draw)) = marks[number / 2 % marks.len()];
            (kind, draw(&mut random, image))
        } else if number % 8 != 7 {
            let size = random.within(40.0, 200.0).round();
            (0, kinds::clean(&mut random, image, size))
        } else {
            let (_, (_, draw)) = others[number / 8 % others.len()];
            (0, draw(&mut random, image))
        };
        if let Framing::Digit(framed) | Framing::Marked(framed) = pictures::find(&picture) {
            file.write_all(&[kind, handwriting.labels[index]]).unwrap();
            file.write_all(&framed.pixels).unwrap();
        }
    }
}
