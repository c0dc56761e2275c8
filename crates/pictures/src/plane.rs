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
        for y in 1..self.height.saturating_sub(1) {
            for x in 1..self.width.saturating_sub(1) {
                let at = y * self.width + x;
                let mut nine = [0.0; 9];
                for (three, start) in
                    nine.chunks_exact_mut(3)
                        .zip([at - self.width - 1, at - 1, at + self.width - 1])
                {
                    three.copy_from_slice(&self.values[start..start + 3]);
                }
                out.values[at] = median_of(nine);
            }
        }
        out
    }

    /// The greatest value within a square of `radius` pixels to each side.
    pub fn dilated(&self, radius: usize) -> Self {
        self.dilated_by(radius, radius)
    }

    /// The greatest value within a rectangle of `across` pixels to the left and right and `along`
    /// up and down.
    pub fn dilated_by(&self, across: usize, along: usize) -> Self {
        let across = if across > 0 {
            self.transposed().greatest_in_columns(across).transposed()
        } else {
            self.clone()
        };
        if along > 0 {
            across.greatest_in_columns(along)
        } else {
            across
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

    /// The greatest of each value, the `radius` above and the `radius` below it, at a cost that does
    /// not depend on the radius (van Herk 1992): the rows are cut into blocks as long as the window,
    /// which then is the end of one block and the beginning of the next.
    fn greatest_in_columns(&self, radius: usize) -> Self {
        let (width, window) = (self.width, 2 * radius + 1);
        let blocks = (self.height + 2 * radius).div_ceil(window);
        let mut from_above = vec![f32::NEG_INFINITY; blocks * window * width];
        from_above[radius * width..][..self.values.len()].copy_from_slice(&self.values);
        let mut from_below = from_above.clone();
        let raise = |to: &mut [f32], by: &[f32]| {
            for (to, by) in to.iter_mut().zip(by) {
                *to = to.max(*by);
            }
        };
        for block in from_above.chunks_exact_mut(window * width) {
            for row in 1..window {
                let (before, rest) = block.split_at_mut(row * width);
                raise(&mut rest[..width], &before[(row - 1) * width..]);
            }
        }
        for block in from_below.chunks_exact_mut(window * width) {
            for row in (1..window).rev() {
                let (before, rest) = block.split_at_mut(row * width);
                raise(&mut before[(row - 1) * width..], &rest[..width]);
            }
        }
        let beginnings = &from_above[2 * radius * width..];
        self.with(
            from_below
                .iter()
                .zip(beginnings)
                .take(self.values.len())
                .map(|(a, b)| a.max(*b))
                .collect(),
        )
    }

    /// What is left of bright things after those that hold no square of `radius` pixels to each
    /// side are removed (morphological opening): edges and slopes stay as they are.
    pub fn opened(&self, radius: usize) -> Self {
        self.opened_by(radius, radius)
    }

    /// The same with a rectangle of `across` pixels to the left and right and `along` up and down.
    pub fn opened_by(&self, across: usize, along: usize) -> Self {
        let eroded = self.map(|v| -v).dilated_by(across, along).map(|v| -v);
        eroded.dilated_by(across, along)
    }

    /// The value that `rank` of the values exceed or equal.
    pub fn ranked_from_top(&self, rank: usize) -> f32 {
        let mut values = self.values.clone();
        let index = rank.min(values.len() - 1);
        *values
            .select_nth_unstable_by(index, |a, b| b.total_cmp(a))
            .1
    }
}

/// The median of nine: each step drops the least and the greatest of those that can still be it.
fn median_of(mut v: [f32; 9]) -> f32 {
    const EXCHANGES: [(usize, usize); 19] = [
        (1, 2),
        (4, 5),
        (7, 8),
        (0, 1),
        (3, 4),
        (6, 7),
        (1, 2),
        (4, 5),
        (7, 8),
        (0, 3),
        (5, 8),
        (4, 7),
        (3, 6),
        (1, 4),
        (2, 5),
        (4, 7),
        (4, 2),
        (6, 4),
        (4, 2),
    ];
    for (low, high) in EXCHANGES {
        (v[low], v[high]) = (v[low].min(v[high]), v[low].max(v[high]));
    }
    v[4]
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
