//! Straight segments in a small picture, along rows or at a slant to them.

use std::cmp::Reverse;
use std::ops::RangeInclusive;

use crate::mask::{FIRST, Mask};
use crate::morphology::doubling;

/// Greatest rise of a segment over its length: 17 degrees.
const STEEPEST: f32 = 0.31;
/// Rises tried: over a segment of half the picture, neighbours differ by about one pixel.
const RISES: i8 = 15;
/// Rows that a line covers at most, a slanting one included.
const WIDEST: usize = 6;
/// Tenths of a line's columns that are of its usual width, at least.
const EVEN: usize = 4;

/// From column `start` to column `end`, both included, through `row` in the middle column of the
/// picture, rising by `rise` rows each column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Segment {
    pub start: usize,
    pub end: usize,
    /// The usual number of rows that its ink covers.
    pub width: usize,
    row: f32,
    rise: f32,
    middle: f32,
}

impl Segment {
    pub fn row(&self, column: f32) -> f32 {
        self.row + self.rise * (column - self.middle)
    }

    pub fn length(&self) -> usize {
        self.end - self.start + 1
    }

    /// Start and end as column and row.
    pub fn ends(&self) -> [(f32, f32); 2] {
        [self.start, self.end].map(|column| (column as f32, self.row(column as f32)))
    }
}

impl Mask {
    /// Segments of at least `least` columns, the longest first; none runs beside a longer one.
    pub fn segments(&self, least: usize) -> Vec<Segment> {
        let width = self.columns.len();
        let middle = (width - 1) as f32 / 2.0;
        // A pixel to each side makes up for rises between those tried, and for gaps.
        let tolerant: Vec<u128> = self.columns.iter().map(|c| c | c << 1 | c >> 1).collect();
        let near = |x: usize| {
            let before = tolerant[x.saturating_sub(1)];
            before & tolerant[(x + 1).min(width - 1)] | tolerant[x]
        };
        let closed: Vec<u128> = (0..width).map(near).collect();
        let inked = |column: &u128| *column != 0;
        let (Some(first), Some(last)) = (
            closed.iter().position(inked),
            closed.iter().rposition(inked),
        ) else {
            return Vec::new();
        };
        let closed = &closed[first..=last];
        let pixels = Pixels::of(&self.columns[first..=last]);
        let segment = |found: &Found| Segment {
            start: found.start.into(),
            end: found.end.into(),
            width: 0,
            row: f32::from(found.bit) - FIRST as f32,
            rise: rise(found.step),
            middle,
        };
        let mut found = Vec::new();
        for step in -RISES..=RISES {
            let rise = rise(step);
            let shifts: Vec<i32> = (first..=last)
                .map(|x| rounded(rise * (x as f32 - middle)))
                .collect();
            let sheared = closed.iter().zip(&shifts);
            let sheared = sheared.map(|(&bits, &rows)| match rows >= 0 {
                true => bits >> rows,
                false => bits << -rows,
            });
            for (start, end, bit) in level_runs(sheared.collect(), least) {
                let (hits, thin) = pixels.along(start..=end, bit, &shifts);
                let length = end - start + 1;
                // Of a tolerant run, most of the middle must be ink.
                if 10 * hits < 8 * length {
                    continue;
                }
                let mut run = Found {
                    hits: Reverse(hits as u8),
                    step,
                    start: (first + start) as u8,
                    bit: bit as u8,
                    end: (first + end) as u8,
                    is_line: false,
                };
                run.is_line =
                    10 * thin >= EVEN * length && self.of_even_width(segment(&run)).is_some();
                found.push(run);
            }
        }
        // Most pictures have no lines: then it doesn't matter which runs are one.
        let Some(last) = found.iter().filter(|found| found.is_line).max().copied() else {
            return Vec::new();
        };
        found.retain(|found| *found <= last);
        found.sort_unstable();
        let mut kept: Vec<Segment> = Vec::new();
        for segment in found.iter().map(segment) {
            if !kept.iter().any(|longer| beside(longer, &segment)) {
                kept.push(segment);
            }
        }
        kept.into_iter()
            .filter_map(|segment| self.of_even_width(segment))
            .collect()
    }

    /// The same without the pixels within `reach` rows of a segment.
    pub fn without(&self, segment: &Segment, reach: f32) -> Self {
        let mut columns = self.columns.clone();
        let crossed = segment.start..=segment.end;
        for (x, column) in crossed.clone().zip(&mut columns[crossed]) {
            let row = segment.row(x as f32) + FIRST as f32;
            let from = (row - reach).round().clamp(0.0, 127.0) as u32;
            let to = (row + reach).round().clamp(0.0, 127.0) as u32;
            let band = (u128::MAX >> (127 - (to - from))) << from;
            *column &= !band;
        }
        Self { columns }
    }

    /// A segment with its width; none if it is too wide for a line, or wide in one place and narrow in
    /// another, as the bend of a stroke is.
    fn of_even_width(&self, segment: Segment) -> Option<Segment> {
        let mut widths: Vec<usize> = (segment.start..=segment.end)
            .filter_map(|x| {
                let row = (segment.row(x as f32) + FIRST as f32).round() as u32;
                let near = [row, row.saturating_sub(1), (row + 1).min(127)];
                let row = near
                    .into_iter()
                    .find(|row| self.columns[x] >> row & 1 == 1)?;
                let above = (self.columns[x] << (127 - row)).leading_ones();
                let below = (self.columns[x] >> row).trailing_ones();
                Some((above + below - 1) as usize)
            })
            .collect();
        widths.sort_unstable();
        let width = *widths.get(widths.len() / 4)?;
        let even = widths
            .iter()
            .filter(|other| other.abs_diff(width) <= 1)
            .count();
        (width <= WIDEST && 10 * even >= EVEN * segment.length())
            .then_some(Segment { width, ..segment })
    }
}

/// A segment before it is known whether it is a longer one once more, in the order in which they are
/// looked at: those with most pixels of ink first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    hits: Reverse<u8>,
    step: i8,
    start: u8,
    bit: u8,
    end: u8,
    /// Whether it is of even width.
    is_line: bool,
}

/// For each column, 128 rows: 1 for ink, and [`Pixels::THIN`] if there is, within two rows, ink of which
/// no more rows hang together than of a line.
struct Pixels {
    columns: Vec<[u16; 128]>,
}

impl Pixels {
    const THIN: u16 = 1 << 8;

    fn of(columns: &[u128]) -> Self {
        let columns = columns.iter().map(|&ink| {
            // What is left of ink without all that covers fewer rows than this.
            const WIDE: usize = WIDEST + 2;
            let eroded = doubling(WIDE).fold(ink, |bits, step| bits & bits >> step);
            let wide = doubling(WIDE).fold(eroded, |bits, step| bits | bits << step);
            let thin = ink & !wide;
            let thin = thin | thin << 1 | thin >> 1 | thin << 2 | thin >> 2;
            let mut pixels = [0; 128];
            for bit in bits(ink) {
                pixels[bit] += 1;
            }
            for bit in bits(thin) {
                pixels[bit] += Self::THIN;
            }
            pixels
        });
        Self {
            columns: columns.collect(),
        }
    }

    /// How many columns have ink, and how many thin ink, in a row that is shifted in each.
    fn along(&self, columns: RangeInclusive<usize>, row: i32, shifts: &[i32]) -> (usize, usize) {
        let pixels = self.columns[columns.clone()].iter().zip(&shifts[columns]);
        let sum: u16 = pixels
            .map(|(column, shift)| column[(row + shift) as usize % 128])
            .sum();
        ((sum % Self::THIN).into(), (sum / Self::THIN).into())
    }
}

fn rise(step: i8) -> f32 {
    STEEPEST * f32::from(step) / f32::from(RISES)
}

/// Where a bit is set in at least `least` columns one after the other: the first and the last of them,
/// and which bit.
fn level_runs(columns: Vec<u128>, least: usize) -> Vec<(usize, usize, i32)> {
    let mut found = Vec::new();
    let Some(count) = (columns.len() + 1).checked_sub(least) else {
        return found;
    };
    // Bits that are set in `least` columns from each on.
    let mut runs = columns;
    let mut covered = 1;
    while covered < least {
        let step = covered.min(least - covered);
        for x in 0..runs.len() - step {
            runs[x] &= runs[x + step];
        }
        covered += step;
    }
    let mut starts = [0; 128];
    let mut open = 0_u128;
    for (x, &run) in runs[..count].iter().chain([&0]).enumerate() {
        for bit in bits(run & !open) {
            starts[bit] = x;
        }
        for bit in bits(open & !run) {
            found.push((starts[bit], x + least - 2, bit as i32));
        }
        open = run;
    }
    found
}

/// The places of the bits that are set.
fn bits(mut word: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        // Without the lowest.
        word &= word.wrapping_sub(1);
        (bit < 128).then_some(bit)
    })
}

/// To the nearest whole number, half away from zero, as [`f32::round`] does by a call.
fn rounded(value: f32) -> i32 {
    let whole = value as i32;
    let rest = value - whole as f32;
    whole + i32::from(rest >= 0.5) - i32::from(rest <= -0.5)
}

/// Whether most of a segment is within a few pixels of a longer one: the same line once more.
fn beside(longer: &Segment, segment: &Segment) -> bool {
    let start = longer.start.max(segment.start);
    let end = longer.end.min(segment.end);
    if end < start || 2 * (end - start + 1) < segment.length() {
        return false;
    }
    let apart = |x: usize| (longer.row(x as f32) - segment.row(x as f32)).abs();
    apart(start) + apart(end) < 7.0
}
