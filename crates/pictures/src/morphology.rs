//! The greatest and the least within a window around each pixel.

use crate::plane::{Plane, greater, lesser, most};

impl Plane {
    /// The greatest value within a square of `radius` pixels to each side.
    pub fn dilated(&self, radius: usize) -> Self {
        self.around(radius, f32::NEG_INFINITY, greater)
    }

    /// The least value within such a square.
    pub fn eroded(&self, radius: usize) -> Self {
        self.around(radius, f32::INFINITY, lesser)
    }

    /// What is left of bright things after those that hold no square of `radius` pixels to each
    /// side are removed (morphological opening): edges and slopes stay as they are.
    pub fn opened(&self, radius: usize) -> Self {
        self.eroded(radius).dilated(radius)
    }

    /// The same for dark things: gaps between bright ones are filled.
    pub fn closed(&self, radius: usize) -> Self {
        self.dilated(radius).eroded(radius)
    }

    /// The value within a square that `pick` chooses of each two; never `none`.
    fn around(&self, radius: usize, none: f32, pick: impl Fn(f32, f32) -> f32 + Copy) -> Self {
        if radius + 1 >= self.long_side() {
            return self.with(vec![most(&self.values, none, pick); self.values.len()]);
        }
        let mut out = self.clone();
        out.raise_rows(radius, none, pick);
        out.raise_columns(radius, none, pick);
        out
    }

    /// Puts the value within `radius` pixels to the left and right that is picked in the place of each.
    ///
    /// A window of any length is the union of two windows of a power of two, and the value of
    /// those follows from the values of two of half the length.
    fn raise_rows(&mut self, radius: usize, none: f32, pick: impl Fn(f32, f32) -> f32 + Copy) {
        if radius + 1 >= self.width {
            for row in self.values.chunks_exact_mut(self.width) {
                let most = row.iter().copied().fold(none, pick);
                row.fill(most);
            }
            return;
        }
        if radius == 0 {
            return;
        }
        let steps: Vec<usize> = doubling(2 * radius + 1).collect();
        let mut padded = vec![none; self.width + 2 * radius];
        let mut raised = padded.clone();
        for row in self.values.chunks_exact_mut(self.width) {
            padded[..radius].fill(none);
            padded[radius..][..row.len()].copy_from_slice(row);
            padded[radius + row.len()..].fill(none);
            let mut length = padded.len();
            for step in &steps {
                length -= step;
                let pairs = padded[..length].iter().zip(&padded[*step..][..length]);
                for (most, (a, b)) in raised[..length].iter_mut().zip(pairs) {
                    *most = pick(*a, *b);
                }
                std::mem::swap(&mut padded, &mut raised);
            }
            row.copy_from_slice(&padded[..row.len()]);
        }
    }

    /// The same up and down.
    fn raise_columns(&mut self, radius: usize, none: f32, pick: impl Fn(f32, f32) -> f32 + Copy) {
        if radius + 1 >= self.height {
            let (first, rest) = self.values.split_at_mut(self.width);
            for row in rest.chunks_exact(self.width) {
                for (most, value) in first.iter_mut().zip(row) {
                    *most = pick(*most, *value);
                }
            }
            for row in rest.chunks_exact_mut(self.width) {
                row.copy_from_slice(first);
            }
            return;
        }
        if radius == 0 {
            return;
        }
        let margin = radius * self.width;
        let mut padded = vec![none; self.values.len() + 2 * margin];
        padded[margin..][..self.values.len()].copy_from_slice(&self.values);
        let mut length = padded.len();
        for step in doubling(2 * radius + 1) {
            let step = step * self.width;
            length -= step;
            for start in (0..length).step_by(step) {
                let (mine, below) = padded.split_at_mut(start + step);
                let count = step.min(length - start);
                pick_each(&mut mine[start..][..count], &below[..count], pick);
            }
        }
        let count = self.values.len();
        self.values.copy_from_slice(&padded[..count]);
    }
}

/// Puts what is picked of each two in the place of the first. It is a function of its own so that the
/// compiler knows that they are apart, and takes many at a time.
#[inline(never)]
fn pick_each(values: &mut [f32], others: &[f32], pick: impl Fn(f32, f32) -> f32) {
    for (value, other) in values.iter_mut().zip(others) {
        *value = pick(*value, *other);
    }
}

/// The distances at which to take the greater of two neighbours, one after the other, for the greatest
/// in a window of `length` from each place on.
pub(crate) fn doubling(length: usize) -> impl Iterator<Item = usize> {
    let mut covered = 1;
    std::iter::from_fn(move || {
        let step = covered.min(length - covered);
        covered += step;
        (step > 0).then_some(step)
    })
}
