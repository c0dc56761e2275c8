//! Classifiers whose true error rate is known.

use evaluation::{Logits, Predictions};

/// A generator good enough to simulate with (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// From 0 to below 1.
    pub fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }
}

/// A classifier of two classes whose image at doubt `u`, uniform from 0 (sure) to 1, is wrong with
/// probability `factor · u^power`. Its confidence falls evenly with the doubt.
#[derive(Clone, Copy)]
pub struct Doubting {
    pub factor: f64,
    pub power: f64,
    /// Number of different confidences, if they are rounded.
    pub levels: Option<f64>,
}

impl Doubting {
    pub fn draw(&self, n: usize, random: &mut Random) -> Predictions {
        let (mut probabilities, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..n {
            let doubt = random.uniform();
            let wrong = random.uniform() < self.factor * doubt.powf(self.power);
            let confidence = 1.0 - 0.25 * self.rounded(doubt);
            probabilities.extend([confidence, 1.0 - confidence]);
            labels.push(u16::from(wrong));
        }
        Predictions::from_probabilities(2, probabilities, labels).unwrap()
    }

    /// The error rate among all images that a threshold accepts.
    pub fn true_risk(&self, threshold: f64) -> f64 {
        let doubt = (1.0 - threshold) / 0.25;
        self.factor * doubt.powf(self.power) / (self.power + 1.0)
    }

    /// Rounded up, so that a level holds all the doubt up to it.
    fn rounded(&self, doubt: f64) -> f64 {
        self.levels
            .map_or(doubt, |levels| (doubt * levels).ceil() / levels)
    }
}

/// A population of images in ten classes by a network that is too sure of itself; more `skill`,
/// fewer errors.
pub fn population(n: usize, skill: f64, seed: u64) -> (Vec<[f64; 10]>, Vec<u16>) {
    let mut random = Random::new(seed);
    let mut rows = Vec::new();
    let mut labels = Vec::new();
    for _ in 0..n {
        let label = random.below(10);
        let mut row = [0.0; 10];
        row.iter_mut()
            .for_each(|logit| *logit = 2.0 * random.normal());
        row[label] += 2.0 * (skill + random.normal());
        rows.push(row);
        labels.push(label as u16);
    }
    (rows, labels)
}

/// `n` images of a population, drawn with replacement.
pub fn sample(population: &(Vec<[f64; 10]>, Vec<u16>), n: usize, random: &mut Random) -> Logits {
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let i = random.below(population.1.len());
        values.extend(population.0[i]);
        labels.push(population.1[i]);
    }
    Logits::new(10, values, labels).unwrap()
}

/// All images of a population.
pub fn whole(population: &(Vec<[f64; 10]>, Vec<u16>)) -> Logits {
    Logits::new(10, population.0.concat(), population.1.clone()).unwrap()
}
