//! What a batch of 128 costs before it reaches the network, on one thread and on all.
//!
//! `cargo bench -p data`
#![allow(clippy::unwrap_used, deprecated)]

use std::hint::black_box;
use std::time::Instant;

use burn::tensor::Device;
use data::{Augmentation, LabelledImages, Loader, Normalization, Random, mnist};

const BATCH: usize = 128;
const BATCHES: usize = 80;
const REPEATS: usize = 9;

fn main() {
    // As many as in an epoch of the test images of MNIST, which are there if they are compiled in.
    let noise = noise(BATCH * BATCHES);
    #[cfg(feature = "bundled")]
    let images = data::Source::Bundled.test(&noise.spec(), &()).unwrap();
    #[cfg(not(feature = "bundled"))]
    let images = noise;
    let normalization = Normalization::of(&images);
    let loader = Loader::whole(images, &normalization, BATCH, &Device::ndarray()).shuffled(1);
    let bent = Augmentation {
        rotation: 10.0,
        shift: 0.1,
        zoom: 0.1,
        shear: 5.0,
        ..Augmentation::NONE
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
    let pixels = (0..count * mnist::SHAPE.len())
        .map(|_| random.next_u64() as u8)
        .collect();
    let classes = mnist::classes().unwrap();
    LabelledImages::new(mnist::SHAPE, classes, pixels, vec![0; count]).unwrap()
}
