//! What a network had learned after an epoch, to be looked at: what it wrote into `learning.json`.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use serde::{Deserialize, Serialize};

/// No `learning.json` has more bytes.
const LIMIT: u64 = 1 << 26;
/// No network has more filters kept, nor a filter more weights.
const FILTERS: usize = 16;
const WEIGHTS: usize = 1 << 12;

/// What a network had learned after an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// The epoch; 0 is before training.
    pub epoch: usize,
    /// Validation images of each class.
    pub images: Vec<u32>,
    /// Those of them that are answered right.
    pub right: Vec<u32>,
    /// The filters of the first layer, where it is a convolution on one or three channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<Filters>,
}

/// The first filters of a layer, in 8 bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Filters {
    /// Filters, channels, height and width.
    pub shape: [usize; 4],
    /// The weight that is written as 127.
    pub most: f32,
    /// `[filters, channels, height, width]` weights.
    pub weights: Vec<i8>,
}

impl Filters {
    /// The first filters of `[filters, channels, height, width]` weights; none where there is nothing to
    /// look at.
    pub fn new(shape: [usize; 4], weights: &[f32]) -> Option<Self> {
        let [filters, channels, height, width] = shape;
        let length = channels * height * width;
        let all = filters.checked_mul(length)?;
        if all == 0 || weights.len() != all || length > WEIGHTS || ![1, 3].contains(&channels) {
            return None;
        }
        let filters = filters.min(FILTERS);
        let weights = &weights[..filters * length];
        let most = weights
            .iter()
            .fold(0.0, |most: f32, weight| most.max(weight.abs()));
        let scale = if most > 0.0 { 127.0 / most } else { 0.0 };
        Some(Self {
            shape: [filters, channels, height, width],
            most,
            weights: weights.iter().map(|w| (w * scale).round() as i8).collect(),
        })
    }

    /// Whether there are as many weights as the shape says.
    fn is_whole(&self) -> bool {
        let [filters, channels, height, width] = self.shape;
        let sides = (1..=FILTERS).contains(&filters)
            && [1, 3].contains(&channels)
            && (1..=WEIGHTS).contains(&height)
            && (1..=WEIGHTS).contains(&width);
        sides && self.weights.len() == filters * channels * height * width
    }
}

/// What was learned over the epochs of a run. All of the first eight are kept, and four for each time that
/// their number doubles after that; the last is always there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learning(Vec<Learned>);

impl Learning {
    /// Reads a `learning.json`, as far as it goes up to an epoch; what makes no sense is left out.
    ///
    /// # Errors
    /// The operating system's, or that it is not a regular file or no such JSON.
    pub fn read(path: &Path, epochs: usize) -> io::Result<Self> {
        // Asked before opening: opening a pipe would wait for a writer.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut json = Vec::new();
        File::open(path)?.take(LIMIT).read_to_end(&mut json)?;
        let mut learned: Vec<Learned> = serde_json::from_slice(&json)?;
        learned.retain(|learned| learned.epoch <= epochs && learned.is_whole());
        learned.sort_by_key(|learned| learned.epoch);
        let first = learned.first().map_or(0, |first| first.images.len());
        let shape = |learned: &Learned| learned.filters.as_ref().map(|filters| filters.shape);
        let shapes = learned.first().and_then(shape);
        learned.retain(|learned| learned.images.len() == first && shape(learned) == shapes);
        Ok(Self(learned))
    }

    /// Adds what was learned after a further epoch.
    pub fn push(&mut self, learned: Learned) {
        if self.0.last().is_some_and(|last| !is_kept(last.epoch)) {
            self.0.pop();
        }
        self.0.push(learned);
    }

    /// In the order of the epochs.
    pub fn epochs(&self) -> &[Learned] {
        &self.0
    }

    /// The text of a `learning.json`.
    ///
    /// # Errors
    /// None that could be named: numbers and lists are JSON.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&self.0)
    }
}

impl Learned {
    /// Whether its numbers fit each other.
    fn is_whole(&self) -> bool {
        let Self {
            images,
            right,
            filters,
            ..
        } = self;
        let shares = images.len() == right.len() && images.iter().zip(right).all(|(n, r)| r <= n);
        shares && filters.as_ref().is_none_or(Filters::is_whole)
    }
}

/// Whether an epoch is still there when others have followed.
fn is_kept(epoch: usize) -> bool {
    let octave = epoch.max(1).ilog2();
    octave < 3 || epoch.is_multiple_of(1 << (octave - 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(epoch: usize) -> Learned {
        Learned {
            epoch,
            images: vec![2],
            right: vec![1],
            filters: None,
        }
    }

    #[test]
    fn a_long_run_keeps_few_epochs_the_first_and_the_last_among_them() {
        let mut learning = Learning::default();
        for epoch in 0..=100_000 {
            learning.push(learned(epoch));
        }
        let epochs: Vec<usize> = learning.epochs().iter().map(|l| l.epoch).collect();
        assert!(epochs.len() < 80, "{epochs:?}");
        assert_eq!(epochs[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]);
        assert_eq!(epochs.last(), Some(&100_000));
    }
}
