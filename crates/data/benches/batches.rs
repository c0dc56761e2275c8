//! What a batch of 128 costs before it reaches the network, on one thread and on all.
//!
//! `cargo bench -p data`
#![allow(clippy::unwrap_used, deprecated)]

use std::hint::black_box;
use std::time::Instant;

use burn::tensor::Device;
use data::{Augmentation, LabelledImages, Loader, Normalization, PIXELS, Random, Source};

const BATCH: usize = 128;
const BATCHES: usize = 80;
const REPEATS: usize = 9;

fn main() {
    let images = Source::Bundled
        .test()
        .unwrap_or_else(|_| noise(BATCH * BATCHES));
    let loader = Loader::whole(images, Normalization::MNIST, BATCH, &Device::ndarray()).shuffled(1);
    let bent = Augmentation {
        rotation: 10.0,
        shift: 0.1,
        zoom: 0.1,
        shear: 5.0,
    };
    let augmented = loader.clone().augmented(bent, 1, None);
    for threads in [1, rayon::current_num_threads()] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        for (name, loader) in [("plain", &loader), ("augmented", &augmented)] {
            let mut times: Vec<f64> = (0..REPEATS)
                .map(|_| pool.install(|| micros_per_batch(loader)))
                .collect();
            times.sort_by(f64::total_cmp);
            println!(
                "{name:9} {threads} threads: median {:4.0} µs per batch of {BATCH}, fastest {:4.0}",
                times[REPEATS / 2],
                times[0]
            );
        }
    }
}

fn micros_per_batch(loader: &Loader) -> f64 {
    let start = Instant::now();
    for batch in loader.epoch(1) {
        black_box(batch.unwrap());
    }
    start.elapsed().as_secs_f64() * 1e6 / loader.num_batches() as f64
}

fn noise(count: usize) -> LabelledImages {
    let mut random = Random::keyed(&[count as u64]);
    let pixels = (0..count * PIXELS)
        .map(|_| random.next_u64() as u8)
        .collect();
    LabelledImages::new(pixels, vec![0; count]).unwrap()
}
