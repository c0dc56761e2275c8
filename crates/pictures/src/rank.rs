//! Values by their rank: medians, quantiles, extremes.

use crate::plane::{Plane, greater, lesser, most};

/// The value that `rank` of them are below or equal to: `values` sorted, at the index `rank`.
pub(crate) fn ranked(values: &[f32], rank: usize) -> f32 {
    Ranks::of(values).at(rank)
}

/// The order of some numbers, at least one: counting them into bins leaves few to sort.
pub(crate) struct Ranks<'a> {
    /// All of them, or one where all are alike.
    values: &'a [f32],
    /// None where there are so few that sorting them costs less.
    bins: Option<Bins>,
}

struct Bins {
    low: f32,
    factor: f32,
    counts: [u32; BINS],
}

const BINS: usize = 1024;
/// Numbers up to which they are not counted.
const FEW: usize = 256;

impl<'a> Ranks<'a> {
    pub fn of(values: &'a [f32]) -> Self {
        if values.len() <= FEW {
            return Ranks { values, bins: None };
        }
        let (low, high) = extremes(values);
        let factor = (BINS - 1) as f32 / (high - low);
        if !(factor.is_finite() && factor > 0.0) {
            return Ranks {
                values: &values[..1],
                bins: None,
            };
        }
        let mut bins = Bins {
            low,
            factor,
            counts: [0; BINS],
        };
        // One after the other, equal numbers would wait for each other's count.
        let mut counts = [[0_u32; BINS]; 4];
        let (fours, rest) = values.as_chunks::<4>();
        for four in fours {
            for (counts, &value) in counts.iter_mut().zip(four) {
                counts[bins.bin(value)] += 1;
            }
        }
        for &value in rest {
            counts[0][bins.bin(value)] += 1;
        }
        for part in &counts {
            for (count, part) in bins.counts.iter_mut().zip(part) {
                *count += part;
            }
        }
        Ranks {
            values,
            bins: Some(bins),
        }
    }

    /// The value that `rank` of them are below or equal to; the greatest if there are fewer.
    pub fn at(&self, rank: usize) -> f32 {
        let Some(bins) = &self.bins else {
            return select(self.values.to_vec(), rank);
        };
        let mut below = 0;
        let chosen = bins
            .counts
            .iter()
            .position(|&count| {
                below += count as usize;
                below > rank
            })
            .unwrap_or(BINS - 1);
        let count = bins.counts[chosen] as usize;
        // Each is written where the next one of the bin belongs: a branch would cost more.
        let mut within = vec![0.0; count + 1];
        let mut found = 0;
        for &value in self.values {
            within[found] = value;
            found += usize::from(bins.bin(value) == chosen);
        }
        within.truncate(count);
        let (low, high) = extremes(&within);
        if low == high {
            return low;
        }
        select(within, (rank + count).saturating_sub(below))
    }

    /// The value that `rank` of them exceed or equal; the least if there are fewer.
    pub fn ranked_from_top(&self, rank: usize) -> f32 {
        self.at((self.values.len() - 1).saturating_sub(rank))
    }
}

impl Bins {
    /// Greater for greater values. What is added leaves a whole number in the lowest bits, in less time
    /// than a conversion takes.
    fn bin(&self, value: f32) -> usize {
        const WHOLE: f32 = (1 << 23) as f32;
        ((value - self.low) * self.factor + WHOLE).to_bits() as usize % BINS
    }
}

/// The least and the greatest.
fn extremes(values: &[f32]) -> (f32, f32) {
    (
        most(values, f32::INFINITY, lesser),
        most(values, f32::NEG_INFINITY, greater),
    )
}

fn select(mut values: Vec<f32>, rank: usize) -> f32 {
    let rank = rank.min(values.len() - 1);
    *values.select_nth_unstable_by(rank, f32::total_cmp).1
}

impl Plane {
    /// The value that `rank` of the values exceed or equal.
    pub fn ranked_from_top(&self, rank: usize) -> f32 {
        Ranks::of(&self.values).ranked_from_top(rank)
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
}

fn median_of(a: f32, b: f32, c: f32) -> f32 {
    greater(lesser(a, b), lesser(greater(a, b), c))
}
