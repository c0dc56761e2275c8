//! Finding the digit in pictures of three sizes: `cargo bench --workspace --bench find`. The times are those of one
//! thread; `digits predict` takes as many pictures at a time as there are cores.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../tests/drawing/mod.rs"]
mod drawing;

use divan::{Bencher, black_box, counter::ItemsCount};
use drawing::{Handwriting, Random, Sheet, jpeg, noisy, on_paper, shadow};
use image::RgbImage;

fn main() {
    divan::main();
}

const PAPER: [f32; 3] = [235.0, 230.0, 220.0];
const PEN: [f32; 3] = [30.0, 35.0, 80.0];

fn sheet(side: u32, index: usize) -> Sheet {
    let mut sheet = Sheet::new(side, side);
    let size = side as f32 * 0.8;
    let edge = side as f32 * 0.1;
    sheet.digit(&Handwriting::read("t10k").images[index], edge, edge, size);
    sheet
}

/// Sixteen drawings on clean paper.
#[divan::bench(args = [64, 192])]
fn drawings(bencher: Bencher, side: u32) {
    let pictures: Vec<_> = (0..16)
        .map(|index| on_paper(PAPER, &[(&sheet(side, index), PEN)], |_, _| 1.0).into())
        .collect();
    bencher.counter(ItemsCount::new(pictures.len())).bench(|| {
        pictures
            .iter()
            .for_each(|picture| _ = black_box(pictures::find(picture)))
    });
}

/// Sixteen under uneven light, with noise.
#[divan::bench(args = [64, 192])]
fn photos(bencher: Bencher, side: u32) {
    let mut random = Random(1);
    let pictures: Vec<_> = (0..16)
        .map(|index| {
            let picture = on_paper(PAPER, &[(&sheet(side, index), PEN)], shadow);
            noisy(picture, &mut random, 8.0).into()
        })
        .collect();
    bencher.counter(ItemsCount::new(pictures.len())).bench(|| {
        pictures
            .iter()
            .for_each(|picture| _ = black_box(pictures::find(picture)))
    });
}

/// A photo of 12 megapixels, decoding included.
#[divan::bench(sample_count = 10)]
fn telephone(bencher: Bencher) {
    let mut whole = Sheet::new(4000, 3000);
    whole.digit(&Handwriting::read("t10k").images[0], 1200.0, 800.0, 1400.0);
    let picture: RgbImage = on_paper(PAPER, &[(&whole, PEN)], shadow);
    let bytes = jpeg(&noisy(picture, &mut Random(1), 6.0), 90);
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench(|| black_box(pictures::decode(&bytes, "photo.jpg").unwrap()));
}
