//! The numbers that pictures are made from.

use data::Random;

/// The first word of a key: what the numbers are for. The crate `data` has the others.
#[derive(Clone, Copy)]
pub enum Purpose {
    Corruption = 4,
    Outlier = 5,
}

/// The numbers for one image: of one of the kinds of a purpose.
pub fn stream(purpose: Purpose, kind: u64, seed: u64, index: usize) -> Random {
    Random::keyed(&[purpose as u64, kind, seed, index as u64])
}

/// A number drawn evenly from `low` to `high`.
pub fn between(random: &mut Random, low: f64, high: f64) -> f64 {
    low + (high - low) * (random.symmetric() + 1.0) / 2.0
}

/// The same with either sign.
pub fn either_way(random: &mut Random, low: f64, high: f64) -> f64 {
    let amount = between(random, low, high);
    if random.below(2) == 0 {
        amount
    } else {
        -amount
    }
}

/// A number from the standard normal distribution (Box and Muller 1958).
pub fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * between(random, 0.0, 1.0).max(f64::MIN_POSITIVE).ln()).sqrt();
    radius * between(random, 0.0, std::f64::consts::TAU).cos()
}

/// A number from the Poisson distribution of a small mean (Knuth, TAOCP 3.4.1, algorithm Q).
pub fn poisson(random: &mut Random, mean: f64) -> f64 {
    let limit = (-mean).exp();
    let (mut count, mut product) = (0.0, between(random, 0.0, 1.0));
    while product > limit {
        count += 1.0;
        product *= between(random, 0.0, 1.0);
    }
    count
}
