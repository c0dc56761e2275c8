//! Pixels of ink that hang together, by the rows that they are in.

use std::ops::Range;

use crate::plane::Plane;

/// Pixels of ink side by side in a row, from column `start` to before `end`.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub row: usize,
    pub start: usize,
    pub end: usize,
    /// Sides of its pixels that border on ground.
    pub perimeter: usize,
    /// A run of the same part, before it; itself if it is the part's first.
    pub parent: usize,
    /// The part's, if it is the first.
    pub label: u32,
}

pub(crate) struct Runs {
    pub all: Vec<Run>,
}

impl Runs {
    /// Those of the pixels above `least`, row by row, joined where they touch.
    pub fn above(plane: &Plane, least: f32) -> Self {
        let mut runs = Runs { all: Vec::new() };
        let mut above = 0..0;
        for (row, values) in plane.values.chunks_exact(plane.width).enumerate() {
            let first = runs.all.len();
            let mut at = 0;
            while let Some(start) = position(values, at, |value| value > least) {
                let end = position(values, start, |value| value <= least).unwrap_or(plane.width);
                let others = usize::from(row > 0) + usize::from(row + 1 < plane.height);
                runs.all.push(Run {
                    row,
                    start,
                    end,
                    perimeter: usize::from(start > 0)
                        + usize::from(end < plane.width)
                        + others * (end - start),
                    parent: runs.all.len(),
                    label: 0,
                });
                at = end;
            }
            runs.join(above, first..runs.all.len());
            above = first..runs.all.len();
        }
        runs
    }

    /// Joins the runs of a row with those of the row above.
    fn join(&mut self, mut above: Range<usize>, row: Range<usize>) {
        for index in row {
            for other in above.clone() {
                let (run, upper) = (self.all[index], self.all[other]);
                if upper.end < run.start {
                    // Those behind are further on: it is left of them, too.
                    above.start = other + 1;
                    continue;
                }
                if upper.start > run.end {
                    break;
                }
                let common = upper
                    .end
                    .min(run.end)
                    .saturating_sub(upper.start.max(run.start));
                self.all[index].perimeter -= common;
                self.all[other].perimeter -= common;
                let (a, b) = (self.root(index), self.root(other));
                self.all[a.max(b)].parent = a.min(b);
            }
        }
    }

    /// The first run of the part that a run belongs to.
    pub fn root(&mut self, mut index: usize) -> usize {
        while self.all[index].parent != index {
            let parent = self.all[index].parent;
            self.all[index].parent = self.all[parent].parent;
            index = parent;
        }
        index
    }
}

/// The first place from `from` on whose value `is` so.
fn position(values: &[f32], from: usize, is: impl Fn(f32) -> bool) -> Option<usize> {
    const TOGETHER: usize = 16;
    let mut at = from;
    let (chunks, _) = values[from..].as_chunks::<TOGETHER>();
    // Without a branch for each of them.
    for chunk in chunks {
        if chunk.iter().fold(false, |any, &value| any | is(value)) {
            break;
        }
        at += TOGETHER;
    }
    let found = values[at..].iter().position(|&value| is(value))?;
    Some(at + found)
}
