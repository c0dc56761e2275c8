//! Planes at another size.

use crate::plane::{Plane, greater};

impl Plane {
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

    /// Each pixel of the result is the greatest of `factor` by `factor`, or of what there is of them.
    pub fn pooled(&self, factor: usize) -> Self {
        if factor == 1 {
            return self.clone();
        }
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
        let columns = Shares::of(size.0, origin.0, step.0, self.width);
        let rows = Shares::of(size.1, origin.1, step.1, self.height);
        let mut values = Vec::with_capacity(size.0 * size.1);
        let mut line = vec![0.0; self.width];
        for (first, shares) in rows.intervals() {
            line.fill(0.0);
            let sources = self.values[first * self.width..].chunks_exact(self.width);
            for (share, source) in shares.iter().zip(sources) {
                for (sum, value) in line.iter_mut().zip(source) {
                    *sum += share * value;
                }
            }
            values.extend(columns.intervals().map(|(first, shares)| {
                let pairs = shares.iter().zip(&line[first..]);
                pairs.map(|(share, value)| share * value).sum::<f32>()
            }));
        }
        Self {
            width: size.0,
            height: size.1,
            values,
        }
    }
}

/// For each of some intervals, the pixels that it covers and the share of it that each makes up.
struct Shares {
    /// The first pixel of each, and where its shares end among all.
    intervals: Vec<(usize, usize)>,
    shares: Vec<f32>,
}

impl Shares {
    /// Of `count` intervals of length `step` from `origin` on.
    fn of(count: usize, origin: f32, step: f32, pixels: usize) -> Self {
        let mut all = Shares {
            intervals: Vec::with_capacity(count),
            shares: Vec::new(),
        };
        for index in 0..count {
            let start = origin + index as f32 * step;
            let end = start + step;
            let last = (end.max(0.0).ceil() as usize).min(pixels);
            let shares = (start.max(0.0) as usize..last)
                .map(|x| (x, (end.min(x as f32 + 1.0) - start.max(x as f32)) / step))
                .filter(|&(_, share)| share > 0.0);
            let mut first = None;
            for (x, share) in shares {
                first.get_or_insert(x);
                all.shares.push(share);
            }
            all.intervals.push((first.unwrap_or(0), all.shares.len()));
        }
        all
    }

    /// The first pixel of each interval, and the shares from it on.
    fn intervals(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let mut before = 0;
        self.intervals.iter().map(move |&(first, end)| {
            let shares = &self.shares[before..end];
            before = end;
            (first, shares)
        })
    }
}
