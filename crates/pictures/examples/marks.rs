//! Writes what `marks/learn.py` learns from: digits with marks and without, as this crate frames them.
//!
//! `cargo run --release -p pictures --example marks -- train 48000 1 FILE`: the split of MNIST, how many,
//! where chance starts, and the file. Each is a byte for the kind of mark (0 for none), one for the digit,
//! and 28×28 bytes.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../tests/drawing/mod.rs"]
mod drawing;

use std::{fs::File, io::BufWriter, io::Write as _};

use drawing::{Handwriting, Random, Sheet, kinds::KINDS, on_paper};
use pictures::Framing;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [split, count, seed, file] = arguments.as_slice() else {
        panic!("SPLIT COUNT SEED FILE")
    };
    let handwriting = Handwriting::read(split);
    let mut random = Random(seed.parse().unwrap());
    let mut file = BufWriter::new(File::create(file).unwrap());
    let marks = (0_u8..)
        .zip(KINDS)
        .filter(|(_, kind)| kind.0.starts_with("marked"));
    let marks: Vec<_> = marks.collect();
    for number in 0..count.parse::<usize>().unwrap() {
        let index = random.below(handwriting.images.len());
        let image = &handwriting.images[index];
        let (kind, picture) = if number % 2 == 0 {
            let (kind, (_, draw)) = marks[number / 2 % marks.len()];
            (kind, draw(&mut random, image))
        } else {
            let size = random.within(44.0, 110.0).round();
            let side = (1.3 * size) as u32;
            let mut sheet = Sheet::new(side, side);
            sheet.digit(image, 0.15 * size, 0.15 * size, size);
            (
                0,
                on_paper([245.0; 3], &[(&sheet, [25.0; 3])], |_, _| 1.0).into(),
            )
        };
        if let Framing::Digit(framed) | Framing::Marked(framed) = pictures::find(&picture) {
            file.write_all(&[kind, handwriting.labels[index]]).unwrap();
            file.write_all(&framed.pixels).unwrap();
        }
    }
}
