//! Which strokes there are.

use crate::Region;
use crate::ink::Strength;
use crate::plane::{Plane, lesser};
use crate::runs::{Run, Runs};

/// Share of the peak from which a pixel is ink.
pub(crate) const INK: f32 = 0.3;
/// Share of the peak that the strongest ink of a stroke must reach: a faint smear does not.
const STRONG: f32 = 0.5;
/// The least extent of a digit as a share of the picture's long side; what is smaller is dirt.
const LEAST_EXTENT: f32 = 0.03;
/// Share of the picture's long side, as a divisor, within which the surroundings of what runs out of
/// the picture go with it: its soft edge.
const MARGIN: usize = 64;

/// Pieces from which strokes may be full of gaps.
const PIECES: usize = 3;
/// Half of the widest gap in a stroke as a share of the ink's extent.
const GAP: f32 = 0.025;
/// How much larger the area of strokes with gaps is without them, at least.
const FILLED: f32 = 1.2;

/// First and last column and row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub left: usize,
    pub right: usize,
    pub top: usize,
    pub bottom: usize,
}

impl Bounds {
    fn of(x: usize, y: usize) -> Self {
        Self {
            left: x,
            right: x,
            top: y,
            bottom: y,
        }
    }

    pub fn joined(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            right: self.right.max(other.right),
            top: self.top.min(other.top),
            bottom: self.bottom.max(other.bottom),
        }
    }

    pub fn width(self) -> usize {
        self.right - self.left + 1
    }

    pub fn height(self) -> usize {
        self.bottom - self.top + 1
    }

    pub fn extent(self) -> f32 {
        self.width().max(self.height()) as f32
    }

    /// The share of the narrower one's columns that both have.
    pub fn common_columns(self, other: Self) -> f32 {
        let first = self.left.max(other.left);
        let end = self.right.min(other.right) + 1;
        end.saturating_sub(first) as f32 / self.width().min(other.width()) as f32
    }

    /// In pixels of the picture, of which each pixel here is `scale` wide.
    pub fn region(self, scale: f32, width: u32, height: u32) -> Region {
        let span = |first: usize, last: usize, side: u32| {
            let start = ((first as f32 * scale) as u32).min(side - 1);
            let end = (((last + 1) as f32 * scale).ceil() as u32).clamp(start + 1, side);
            (start, end - start)
        };
        let (left, width) = span(self.left, self.right, width);
        let (top, height) = span(self.top, self.bottom, height);
        Region {
            left,
            top,
            width,
            height,
        }
    }
}

/// A connected stroke.
#[derive(Debug)]
pub(crate) struct Part {
    pub label: u32,
    pub bounds: Bounds,
    pub area: usize,
    /// Sides of pixels that border on ground.
    pub perimeter: usize,
    pub strongest: f32,
    pub touches_border: bool,
    /// Some of the pixels on its edge, enough to measure distances; empty until they are needed.
    pub edge: Vec<(f32, f32)>,
}

impl Part {
    /// Pixels of ground between two parts.
    pub fn gap(&self, other: &Self) -> f32 {
        let mut least = f32::MAX;
        for &(x, y) in &self.edge {
            for &(u, v) in &other.edge {
                least = lesser((x - u) * (x - u) + (y - v) * (y - v), least);
            }
        }
        (least.sqrt() - 1.0).max(0.0)
    }
}

/// The least extent of a digit, in pixels.
pub(crate) fn least_extent(plane: &Plane) -> f32 {
    (LEAST_EXTENT * plane.long_side() as f32).max(3.0)
}

/// Takes away what runs out of the picture: the edge of a table or a page, a shadow, a dark corner. A
/// digit seldom touches the border, unless the picture was cut to its size; then its ground is even,
/// and nothing is taken.
pub(crate) fn without_border(mut strength: Strength) -> Strength {
    if strength.is_even() {
        return strength;
    }
    // What was fainter than the first may run out of the picture too.
    for _ in 0..3 {
        let (labels, parts) = connected(&strength);
        let outside: Vec<u32> = parts
            .iter()
            .filter(|part| part.touches_border)
            .map(|part| part.label)
            .collect();
        if outside.is_empty() {
            break;
        }
        let plane = &strength.plane;
        let outside = plane.with(mask(&labels, outside));
        let outside = outside.dilated(plane.long_side() / MARGIN);
        let plane = plane.zip(&outside, |ink, outside| ink * (1.0 - outside));
        strength = Strength { plane, ..strength }.with_new_peak();
    }
    strength
}

/// Labels the connected pixels (eight neighbours) with 1, 2, …, and 0 for ground.
pub(crate) fn connected(strength: &Strength) -> (Vec<u32>, Vec<Part>) {
    let plane = &strength.plane;
    let least = (INK * strength.peak).max(strength.floor);
    let mut runs = Runs::above(plane, least);
    let mut labels = vec![0_u32; plane.values.len()];
    let mut parts: Vec<Part> = Vec::new();
    for index in 0..runs.all.len() {
        let root = runs.root(index);
        let Run {
            row,
            start,
            end,
            perimeter,
            ..
        } = runs.all[index];
        // A part's root is its first run.
        if root == index {
            runs.all[index].label = parts.len() as u32 + 1;
            parts.push(Part {
                label: runs.all[index].label,
                bounds: Bounds::of(start, row),
                area: 0,
                perimeter: 0,
                strongest: 0.0,
                touches_border: false,
                edge: Vec::new(),
            });
        }
        let label = runs.all[root].label;
        let part = &mut parts[label as usize - 1];
        let pixels = row * plane.width + start..row * plane.width + end;
        labels[pixels.clone()].fill(label);
        part.bounds = (part.bounds)
            .joined(Bounds::of(start, row))
            .joined(Bounds::of(end - 1, row));
        part.area += end - start;
        part.perimeter += perimeter;
        let strongest = plane.values[pixels].iter().copied();
        part.strongest = strongest.fold(part.strongest, f32::max);
        part.touches_border |=
            start == 0 || row == 0 || end == plane.width || row + 1 == plane.height;
    }
    for part in &mut parts {
        part.perimeter = part.perimeter.max(1);
    }
    parts.retain(|part| part.strongest >= STRONG * strength.peak);
    (labels, parts)
}

/// 1 where a pixel's label is one of some, 0 elsewhere.
pub(crate) fn mask(labels: &[u32], chosen: impl IntoIterator<Item = u32>) -> Vec<f32> {
    let most = labels.iter().copied().max().unwrap_or(0);
    let mut masks = vec![0.0; most as usize + 1];
    for label in chosen {
        masks[label as usize] = 1.0;
    }
    labels.iter().map(|&label| masks[label as usize]).collect()
}

/// Strokes of ink that doesn't cover, by a dry marker, a pencil or chalk, without their gaps; any
/// others as they are.
///
/// Such strokes fall into pieces. What fills their gaps adds much to their area, while it adds little
/// to that of strokes apart.
pub(crate) fn without_gaps(strength: Strength) -> Strength {
    let (_, parts) = connected(&strength);
    let Some(bounds) = parts.iter().map(|part| part.bounds).reduce(Bounds::joined) else {
        return strength;
    };
    if parts.len() < PIECES {
        return strength;
    }
    let radius = ((GAP * bounds.extent()) as usize).max(1);
    let least = (INK * strength.peak).max(strength.floor);
    let area = |plane: &Plane| plane.values.iter().filter(|value| **value > least).count() as f32;
    let plane = strength.plane.closed(radius);
    if area(&plane) > FILLED * area(&strength.plane) {
        Strength { plane, ..strength }
    } else {
        strength
    }
}

/// The pixels of a part that border on others.
pub(crate) fn edge(labels: &[u32], width: usize, part: &Part) -> Vec<(usize, usize)> {
    let Bounds {
        left,
        right,
        top,
        bottom,
    } = part.bounds;
    let mine = |x: usize, y: usize| labels[y * width + x] == part.label;
    let mut edge = Vec::new();
    for y in top..=bottom {
        for x in left..=right {
            let inner = x > left
                && x < right
                && y > top
                && y < bottom
                && mine(x - 1, y)
                && mine(x + 1, y)
                && mine(x, y - 1)
                && mine(x, y + 1);
            if mine(x, y) && !inner {
                edge.push((x, y));
            }
        }
    }
    edge
}
