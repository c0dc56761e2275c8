//! A grey image of numbers.

/// `[height, width]` numbers, row by row; at least one.
#[derive(Clone, Debug)]
pub(crate) struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f32>,
}

impl Plane {
    pub fn at(&self, x: usize, y: usize) -> f32 {
        self.values[y * self.width + x]
    }

    pub fn long_side(&self) -> usize {
        self.width.max(self.height)
    }

    pub fn map(&self, f: impl Fn(f32) -> f32) -> Self {
        self.with(self.values.iter().map(|&value| f(value)).collect())
    }

    /// Pixel by pixel `f(self, other)`; both have the same size.
    pub fn zip(&self, other: &Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let values = self.values.iter().zip(&other.values);
        self.with(values.map(|(&a, &b)| f(a, b)).collect())
    }

    pub fn with(&self, values: Vec<f32>) -> Self {
        Self { values, ..*self }
    }

    /// From column `left` to `right` and from row `top` to `bottom`, all included.
    pub fn part(&self, [left, right, top, bottom]: [usize; 4]) -> Self {
        let rows = self
            .values
            .chunks_exact(self.width)
            .skip(top)
            .take(bottom - top + 1);
        Self {
            width: right - left + 1,
            height: bottom - top + 1,
            values: rows.flat_map(|row| &row[left..=right]).copied().collect(),
        }
    }

    /// Puts another plane in the place of what is there, from column `left` and row `top` on.
    pub fn paste(&mut self, part: &Self, left: usize, top: usize) {
        let rows = self.values.chunks_exact_mut(self.width).skip(top);
        for (row, new) in rows.zip(part.values.chunks_exact(part.width)) {
            row[left..][..part.width].copy_from_slice(new);
        }
    }

    /// Rows for columns.
    pub fn transposed(&self) -> Self {
        let mut values = Vec::with_capacity(self.values.len());
        for x in 0..self.width {
            values.extend(self.values[x..].iter().step_by(self.width));
        }
        Self {
            width: self.height,
            height: self.width,
            values,
        }
    }
}

/// Without the care for NaN that `f32::max` takes: there are none, and processors have this.
pub(crate) fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

pub(crate) fn lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The value that `pick` chooses of all, in any order; never `none`, unless there are no values.
pub(crate) fn most(values: &[f32], none: f32, pick: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [none; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (most, value) in lanes.iter_mut().zip(chunk) {
            *most = pick(*most, *value);
        }
    }
    lanes.iter().chain(rest).copied().fold(none, pick)
}
