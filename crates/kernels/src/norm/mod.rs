//! Batch normalization (Ioffe and Szegedy, 2015, arXiv 1502.03167) and other per-channel arithmetic.
//!
//! The normalization is split into what one image can do on its own and sums over the batch, so that
//! each kernel touches the values while they are in cache.

mod chunk;
mod tail;
mod vector;

pub(crate) use chunk::{MapChunk, SumsChunk};
pub(crate) use tail::Tail;
pub(crate) use vector::{NormRest, add_moments, add_sums, apply};

use crate::simd::padded;

/// Per-channel map `scale * value + shift`, then ReLU if asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// One factor per channel.
    pub scale: Vec<f32>,
    /// One summand per channel.
    pub shift: Vec<f32>,
    /// Whether negative results become zero.
    pub relu: bool,
}

impl Affine {
    /// Bias, then batch normalization by given statistics: of `bias`, `gamma`, `beta`, mean and variance, one value
    /// per channel each.
    pub(crate) fn normalizing(vectors: [&[f32]; 5], epsilon: f64, relu: bool) -> Self {
        let [bias, gamma, beta, mean, variance] = vectors;
        let (mut scales, mut shifts) = (Vec::new(), Vec::new());
        for c in 0..bias.len() {
            let scale = f64::from(gamma[c]) / (f64::from(variance[c]) + epsilon).sqrt();
            let centre = f64::from(bias[c]) - f64::from(mean[c]);
            scales.push(scale as f32);
            shifts.push((f64::from(beta[c]) + scale * centre) as f32);
        }
        Self {
            scale: scales,
            shift: shifts,
            relu,
        }
    }

    /// The map with its parameters padded to whole vectors.
    pub(crate) fn padded(&self, lanes: usize) -> Self {
        Self {
            scale: pad(&self.scale, lanes),
            shift: pad(&self.shift, lanes),
            relu: self.relu,
        }
    }
}

/// Parameters of a batch normalization, `gamma * (value - mean) / sqrt(variance + epsilon) + beta`, with
/// an optional ReLU after it.
#[derive(Clone, Copy, Debug)]
pub struct Normalization<'a> {
    /// Factor of each channel.
    pub gamma: &'a [f32],
    /// Summand of each channel.
    pub beta: &'a [f32],
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether a ReLU follows.
    pub relu: bool,
}

impl Normalization<'_> {
    /// The normalization by given statistics as a map, padded to whole vectors.
    pub(crate) fn map(&self, moments: &Moments, lanes: usize) -> Affine {
        let (mut scale, mut shift) = (Vec::new(), Vec::new());
        for (c, (gamma, beta)) in self.gamma.iter().zip(self.beta).enumerate() {
            let factor = f64::from(*gamma) * moments.inverse_deviation(c, self.epsilon);
            scale.push(factor as f32);
            shift.push((f64::from(*beta) - factor * moments.mean[c]) as f32);
        }
        Affine {
            scale: pad(&scale, lanes),
            shift: pad(&shift, lanes),
            relu: self.relu,
        }
    }
}

/// Mean and variance per channel over a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Values per channel.
    pub count: f64,
    /// Mean of each channel.
    pub mean: Vec<f64>,
    /// Sum of squared deviations from the mean, of each channel.
    pub squares: Vec<f64>,
}

impl Moments {
    /// Biased variance of one channel.
    pub fn variance(&self, channel: usize) -> f64 {
        self.squares[channel] / self.count
    }

    fn inverse_deviation(&self, channel: usize, epsilon: f64) -> f64 {
        1.0 / (self.variance(channel) + epsilon).sqrt()
    }

    /// Channels, count, means and squares, in little-endian order.
    #[cfg(feature = "remote")]
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let channels = (self.mean.len() as u64).to_le_bytes();
        let numbers = [self.count].into_iter().chain(self.mean.iter().copied());
        let numbers = numbers.chain(self.squares.iter().copied());
        channels
            .into_iter()
            .chain(numbers.flat_map(f64::to_le_bytes))
            .collect()
    }

    /// The inverse of [`to_bytes`](Self::to_bytes), and the bytes that follow; none if there are too few.
    #[cfg(feature = "remote")]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (channels, bytes) = bytes.split_first_chunk()?;
        let channels = usize::try_from(u64::from_le_bytes(*channels)).ok()?;
        let len = channels.checked_mul(2)?.checked_add(1)?.checked_mul(8)?;
        let (numbers, rest) = bytes.split_at_checked(len)?;
        let (numbers, _) = numbers.as_chunks();
        let numbers: Vec<f64> = numbers
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect();
        let moments = Moments {
            count: numbers[0],
            mean: numbers[1..=channels].to_vec(),
            squares: numbers[channels + 1..].to_vec(),
        };
        Some((moments, rest))
    }

    /// Statistics of the union (Chan, Golub and LeVeque, 1979).
    pub(crate) fn merge(&mut self, other: &Moments) {
        if self.count == 0.0 {
            self.clone_from(other);
            return;
        }
        let count = self.count + other.count;
        let weight = other.count / count;
        for c in 0..self.mean.len() {
            let delta = other.mean[c] - self.mean[c];
            self.mean[c] += delta * weight;
            self.squares[c] += other.squares[c] + delta * delta * self.count * weight;
        }
        self.count = count;
    }
}

/// Sums over positions of the output gradient `g` that ReLU lets pass, per channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GradSums {
    /// Sum of `g`: the gradient of `beta`.
    pub(crate) plain: Vec<f64>,
    /// Sum of `g * (value - mean)`: `sqrt(variance + epsilon)` times the gradient of `gamma`.
    pub(crate) centred: Vec<f64>,
}

impl GradSums {
    pub(crate) fn zeros(channels: usize) -> Self {
        Self {
            plain: vec![0.0; channels],
            centred: vec![0.0; channels],
        }
    }

    pub(crate) fn merge(&mut self, other: &GradSums) {
        for c in 0..self.plain.len() {
            self.plain[c] += other.plain[c];
            self.centred[c] += other.centred[c];
        }
    }
}

/// The gradient through a normalization by batch statistics, padded to whole vectors.
///
/// With `scale = gamma / sqrt(variance + epsilon)`, the gradient by a value is
/// `scale * g + linear * (value - mean) + constant`, where `g` is the output gradient that ReLU lets
/// pass; the last two terms come from the statistics.
#[derive(Clone, Debug)]
pub(crate) struct NormGrad {
    pub(crate) scale: Vec<f32>,
    pub(crate) shift: Vec<f32>,
    pub(crate) mean: Vec<f32>,
    pub(crate) linear: Vec<f32>,
    pub(crate) constant: Vec<f32>,
    pub(crate) relu: bool,
}

impl NormGrad {
    /// What the sums over the batch need.
    pub(crate) fn new(norm: &Normalization<'_>, moments: &Moments, lanes: usize) -> Self {
        let Affine { scale, shift, relu } = norm.map(moments, lanes);
        let mean: Vec<f32> = moments.mean.iter().map(|mean| *mean as f32).collect();
        Self {
            scale,
            shift,
            mean: pad(&mean, lanes),
            linear: Vec::new(),
            constant: Vec::new(),
            relu,
        }
    }

    /// Takes the sums over the batch in. Returns the gradients by `gamma` and by `beta`.
    pub(crate) fn complete(
        &mut self,
        sums: &GradSums,
        norm: &Normalization<'_>,
        moments: &Moments,
    ) -> [Vec<f32>; 2] {
        let (mut by_gamma, mut by_beta) = (Vec::new(), Vec::new());
        let (mut linear, mut constant) = (vec![0.0; self.scale.len()], vec![0.0; self.scale.len()]);
        for (c, (plain, centred)) in sums.plain.iter().zip(&sums.centred).enumerate() {
            let inverse = moments.inverse_deviation(c, norm.epsilon);
            let scale = f64::from(self.scale[c]) / moments.count;
            linear[c] = (-scale * inverse * inverse * centred) as f32;
            constant[c] = (-scale * plain) as f32;
            by_gamma.push((inverse * centred) as f32);
            by_beta.push(*plain as f32);
        }
        (self.linear, self.constant) = (linear, constant);
        [by_gamma, by_beta]
    }
}

/// `values` followed by zeros up to whole vectors.
pub(crate) fn pad(values: &[f32], lanes: usize) -> Vec<f32> {
    let mut padded_values = values.to_vec();
    padded_values.resize(padded(values.len(), lanes), 0.0);
    padded_values
}
