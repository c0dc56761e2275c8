//! Images that an epoch shows more or less often than once.

use crate::Loader;
use crate::random::{Purpose, Random};

/// Images of which every epoch shows some, drawn anew.
#[derive(Clone)]
pub(crate) struct Drawn {
    indices: Vec<u32>,
    count: usize,
    seed: u64,
}

impl Drawn {
    /// The whole copies that a weight makes of the images at `indices`, of `images` in all, and what its
    /// fraction draws. The indices of a copy lie beyond those of the images, each at the same rest.
    pub(crate) fn new(indices: &[u32], images: usize, weight: f64, seed: u64) -> (Vec<u32>, Self) {
        let copy = |number: u32| {
            let offset = number * images as u32;
            indices.iter().map(move |index| index + offset)
        };
        let whole = weight as u32;
        let drawn = Self {
            indices: copy(whole).collect(),
            count: drawn(indices.len(), weight),
            seed,
        };
        ((0..whole).flat_map(copy).collect(), drawn)
    }

    /// How many are drawn.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Those that `epoch` shows; `set` tells apart what has the same seed.
    pub(crate) fn shown(&self, epoch: usize, set: u64) -> Vec<u32> {
        let mut indices = self.indices.clone();
        let key = [Purpose::More as u64, self.seed, epoch as u64, set];
        Random::keyed(&key).shuffle(&mut indices);
        indices.truncate(self.count);
        indices
    }
}

impl Loader {
    /// How many images an epoch shows of so many that [`with_more`](Self::with_more) adds.
    pub fn shown_more(images: usize, weight: f64) -> usize {
        images * weight as usize + drawn(images, weight)
    }

    /// Whether the copies that a weight makes of so many images can be counted.
    pub fn can_repeat(images: usize, weight: f64) -> bool {
        weight >= 0.0 && (weight.floor() + 1.0) * images as f64 <= f64::from(u32::MAX)
    }
}

fn drawn(images: usize, weight: f64) -> usize {
    (weight.fract() * images as f64).round() as usize
}
