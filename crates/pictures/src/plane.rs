//! A grey image of numbers and the few filters that framing needs.

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

    fn with(&self, values: Vec<f32>) -> Self {
        Self { values, ..*self }
    }

    /// Scaled so that the long side is at most `long`; itself if it already is.
    pub fn at_most(&self, long: usize) -> Self {
        if self.long_side() <= long {
            return self.clone();
        }
        let side = |side: usize| (side * long).div_ceil(self.long_side());
        let (width, height) = (side(self.width), side(self.height));
        self.sampled(
            (width, height),
            (0.0, 0.0),
            (
                self.width as f32 / width as f32,
                self.height as f32 / height as f32,
            ),
        )
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

    /// Each pixel of the result is the greatest of `factor` by `factor`, or of what there is of them.
    pub fn pooled(&self, factor: usize) -> Self {
        let (width, height) = (self.width.div_ceil(factor), self.height.div_ceil(factor));
        let mut values = vec![f32::NEG_INFINITY; width * height];
        for (rows, out) in
            (self.values.chunks(factor * self.width)).zip(values.chunks_exact_mut(width))
        {
            for row in rows.chunks_exact(self.width) {
                for (most, block) in out.iter_mut().zip(row.chunks(factor)) {
                    *most = block.iter().copied().fold(*most, greater);
                }
            }
        }
        Self {
            width,
            height,
            values,
        }
    }

    /// Each pixel of the result is the mean over a rectangle of `step` pixels of this plane, exact
    /// to fractions of a pixel; the first starts at `origin`. Outside the plane there is 0.
    pub fn sampled(&self, size: (usize, usize), origin: (f32, f32), step: (f32, f32)) -> Self {
        let columns = weights(size.0, origin.0, step.0, self.width);
        let rows = weights(size.1, origin.1, step.1, self.height);
        let mut values = vec![0.0; size.0 * size.1];
        let mut line = vec![0.0; self.width];
        for (row, out) in rows.iter().zip(values.chunks_exact_mut(size.0)) {
            line.fill(0.0);
            for &(y, weight) in row {
                let source = &self.values[y * self.width..][..self.width];
                for (sum, value) in line.iter_mut().zip(source) {
                    *sum += weight * value;
                }
            }
            for (out, column) in out.iter_mut().zip(&columns) {
                *out = column.iter().map(|&(x, weight)| weight * line[x]).sum();
            }
        }
        Self {
            width: size.0,
            height: size.1,
            values,
        }
    }

    /// The median of each pixel and its eight neighbours: removes specks and most noise, keeps
    /// edges and strokes of two pixels. The outermost pixels stay.
    pub fn median(&self) -> Self {
        let mut out = self.clone();
        if self.width < 3 || self.height < 3 {
            return out;
        }
        let mut sorted = [(); 3].map(|()| vec![0.0; self.width]);
        for (above, target) in out
            .values
            .chunks_exact_mut(self.width)
            .skip(1)
            .take(self.height - 2)
            .enumerate()
        {
            let [a, b, c] =
                [0, 1, 2].map(|row| &self.values[(above + row) * self.width..][..self.width]);
            let [low, middle, high] = &mut sorted;
            for (x, ((&a, &b), &c)) in a.iter().zip(b).zip(c).enumerate() {
                let (less, more) = (lesser(a, b), greater(a, b));
                low[x] = lesser(less, c);
                middle[x] = greater(less, lesser(more, c));
                high[x] = greater(more, c);
            }
            // Of nine numbers in sorted columns, the median is that of the greatest of the least, the
            // median of the middle and the least of the greatest.
            let inner = &mut target[1..self.width - 1];
            let windows = low.windows(3).zip(middle.windows(3)).zip(high.windows(3));
            for (target, ((low, middle), high)) in inner.iter_mut().zip(windows) {
                *target = median_of(
                    greater(greater(low[0], low[1]), low[2]),
                    median_of(middle[0], middle[1], middle[2]),
                    lesser(lesser(high[0], high[1]), high[2]),
                );
            }
        }
        out
    }

    /// The greatest value within a square of `radius` pixels to each side.
    pub fn dilated(&self, radius: usize) -> Self {
        let mut out = self.clone();
        out.raise_rows(radius);
        out.raise_columns(radius);
        out
    }

    /// Puts the greatest value within `radius` pixels to the left and right in the place of each.
    ///
    /// A window of any length is the union of two windows of a power of two, and the greatest of
    /// those follows from the greatest of two of half the length.
    fn raise_rows(&mut self, radius: usize) {
        if radius + 1 >= self.width {
            for row in self.values.chunks_exact_mut(self.width) {
                let greatest = row.iter().copied().fold(f32::NEG_INFINITY, greater);
                row.fill(greatest);
            }
            return;
        }
        if radius == 0 {
            return;
        }
        let steps: Vec<usize> = doubling(2 * radius + 1).collect();
        let mut padded = vec![f32::NEG_INFINITY; self.width + 2 * radius];
        let mut raised = padded.clone();
        for row in self.values.chunks_exact_mut(self.width) {
            padded.fill(f32::NEG_INFINITY);
            padded[radius..][..row.len()].copy_from_slice(row);
            let mut length = padded.len();
            for step in &steps {
                length -= step;
                let pairs = padded[..length].iter().zip(&padded[*step..][..length]);
                for (most, (a, b)) in raised[..length].iter_mut().zip(pairs) {
                    *most = greater(*a, *b);
                }
                std::mem::swap(&mut padded, &mut raised);
            }
            row.copy_from_slice(&padded[..row.len()]);
        }
    }

    /// The same up and down.
    fn raise_columns(&mut self, radius: usize) {
        if radius + 1 >= self.height {
            let (first, rest) = self.values.split_at_mut(self.width);
            for row in rest.chunks_exact(self.width) {
                for (most, value) in first.iter_mut().zip(row) {
                    *most = greater(*most, *value);
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
        let mut padded = vec![f32::NEG_INFINITY; self.values.len() + 2 * margin];
        padded[margin..][..self.values.len()].copy_from_slice(&self.values);
        let mut length = padded.len();
        for step in doubling(2 * radius + 1) {
            let step = step * self.width;
            length -= step;
            for start in (0..length).step_by(self.width) {
                let (mine, below) = padded.split_at_mut(start + step);
                let mine = &mut mine[start..][..self.width];
                for (most, value) in mine.iter_mut().zip(&below[..self.width]) {
                    *most = greater(*most, *value);
                }
            }
        }
        let count = self.values.len();
        self.values.copy_from_slice(&padded[..count]);
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

    /// What is left of bright things after those that hold no square of `radius` pixels to each
    /// side are removed (morphological opening): edges and slopes stay as they are.
    pub fn opened(&self, radius: usize) -> Self {
        self.eroded(radius).dilated(radius)
    }

    /// The same for dark things: gaps between bright ones are filled.
    pub fn closed(&self, radius: usize) -> Self {
        self.dilated(radius).eroded(radius)
    }

    fn eroded(&self, radius: usize) -> Self {
        self.map(|v| -v).dilated(radius).map(|v| -v)
    }

    /// The value that `rank` of the values exceed or equal.
    pub fn ranked_from_top(&self, rank: usize) -> f32 {
        let count = self.values.len();
        ranked(&self.values, count - 1 - rank.min(count - 1))
    }
}

/// The value that `rank` of them are below or equal to: `values` sorted, at the index `rank`. Counting
/// them into bins first leaves few to sort.
pub(crate) fn ranked(values: &[f32], rank: usize) -> f32 {
    const BINS: usize = 1024;
    let (low, high) = values
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| {
            (lesser(low, value), greater(high, value))
        });
    let factor = BINS as f32 / (high - low);
    if !(factor.is_finite() && factor > 0.0) {
        return low;
    }
    let bin = |value: f32| (((value - low) * factor) as usize).min(BINS - 1);
    let mut counts = [0_usize; BINS];
    for &value in values {
        counts[bin(value)] += 1;
    }
    let mut below = 0;
    let chosen = counts
        .iter()
        .position(|count| {
            below += count;
            below > rank
        })
        .unwrap_or(BINS - 1);
    let mut within: Vec<f32> = values
        .iter()
        .copied()
        .filter(|&value| bin(value) == chosen)
        .collect();
    let rank = (rank + counts[chosen])
        .saturating_sub(below)
        .min(within.len() - 1);
    *within.select_nth_unstable_by(rank, f32::total_cmp).1
}

/// The distances at which to take the greater of two neighbours, one after the other, for the greatest
/// in a window of `length` from each place on.
fn doubling(length: usize) -> impl Iterator<Item = usize> {
    let mut covered = 1;
    std::iter::from_fn(move || {
        let step = covered.min(length - covered);
        covered += step;
        (step > 0).then_some(step)
    })
}

/// Without the care for NaN that `f32::max` takes: there are none, and processors have this.
fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

fn lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

fn median_of(a: f32, b: f32, c: f32) -> f32 {
    greater(lesser(a, b), lesser(greater(a, b), c))
}

/// For each of `count` intervals of length `step` from `origin` on, the pixels that it covers and
/// the share of the interval that each makes up.
fn weights(count: usize, origin: f32, step: f32, pixels: usize) -> Vec<Vec<(usize, f32)>> {
    (0..count)
        .map(|index| {
            let start = origin + index as f32 * step;
            let end = start + step;
            let (first, last) = (
                start.max(0.0) as usize,
                (end.max(0.0).ceil() as usize).min(pixels),
            );
            (first..last)
                .map(|x| (x, (end.min(x as f32 + 1.0) - start.max(x as f32)) / step))
                .filter(|&(_, weight)| weight > 0.0)
                .collect()
        })
        .collect()
}
