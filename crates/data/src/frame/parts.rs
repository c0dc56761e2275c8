//! Which strokes there are, and which of them make one digit.

use super::Region;
use super::ink::Strength;
use super::plane::Plane;

/// Share of the peak from which a pixel is ink.
const INK: f32 = 0.3;
/// Share of the peak that the strongest ink of a stroke must reach: a faint smear does not.
const STRONG: f32 = 0.5;
/// Share of the largest stroke's extent below which a stroke that lies apart is a speck.
const SPECK: f32 = 0.25;
/// The same for any stroke, however near.
const BIT: f32 = 0.08;
/// Share of the tallest stroke's height from which a stroke could be a digit of its own.
const TALL: f32 = 0.5;
/// Gap, as a share of the digit's height, up to which a small stroke belongs to it: a 5's bar, a
/// piece that a pen or scanner left out.
const NEAR: f32 = 0.3;
/// Gap, in stroke widths and as a share of the height, up to which even two tall strokes side by side
/// belong together: a broken line.
const BROKEN: f32 = 0.5;
const BROKEN_HEIGHT: f32 = 0.04;
/// Share of the narrower stroke's columns from which two tall strokes don't stand side by side.
const SHARED: f32 = 0.7;
/// The least extent of a digit as a share of the picture's long side; what is smaller is dirt.
const LEAST_EXTENT: f32 = 0.03;
/// Weight of a stroke that touches the picture's border against one that doesn't.
const BORDER: f32 = 0.25;
/// How many times longer than wide a ruled line is at least.
const LINE: usize = 8;
/// Share of the picture's long side, as a divisor, within which the surroundings of what runs out of
/// the picture go with it: its soft edge.
const MARGIN: usize = 64;
/// Strokes that are looked at, the largest first: no digit has more, and a picture of noise has
/// thousands.
const MOST: usize = 24;

/// First and last column and row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub left: usize,
    pub right: usize,
    pub top: usize,
    pub bottom: usize,
}

impl Bounds {
    fn of(x: usize, y: usize) -> Self {
        Self { left: x, right: x, top: y, bottom: y }
    }

    fn joined(self, other: Self) -> Self {
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

    fn extent(self) -> f32 {
        self.width().max(self.height()) as f32
    }

    /// The share of the narrower one's columns that both have.
    fn common_columns(self, other: Self) -> f32 {
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
        Region { left, top, width, height }
    }
}

/// The strokes of one digit.
#[derive(Debug)]
pub(super) struct Strokes {
    pub bounds: Bounds,
    /// 1 where the digit is, 0 elsewhere, at the size of the picture.
    pub mask: Plane,
    /// The mean width of its strokes, in pixels.
    pub width: f32,
}

#[derive(Debug)]
pub(super) enum Digits {
    None,
    One(Strokes),
    Several(Vec<Bounds>),
}

/// A connected stroke.
struct Part {
    label: u32,
    bounds: Bounds,
    area: usize,
    /// Sides of pixels that border on ground.
    perimeter: usize,
    strongest: f32,
    touches_border: bool,
    /// Some of the pixels on its edge, enough to measure distances.
    edge: Vec<(f32, f32)>,
}

impl Part {
    fn gap(&self, other: &Self) -> f32 {
        let mut least = f32::MAX;
        for &(x, y) in &self.edge {
            for &(u, v) in &other.edge {
                least = least.min((x - u) * (x - u) + (y - v) * (y - v));
            }
        }
        (least.sqrt() - 1.0).max(0.0)
    }
}

/// The length of the outlines of all strokes, weighted by how much steeper than half of the peak the
/// picture is there: large for whole strokes of ink, small or below 0 for anything else.
pub(super) fn steep_outline(strength: &Strength, steepness: &Plane) -> f32 {
    let (labels, parts) = connected(strength);
    let outline = |part: &Part| -> f32 {
        edge(&labels, steepness.width, part)
            .into_iter()
            .map(|(x, y)| steepness.at(x, y).min(strength.peak) - 0.5 * strength.peak)
            .sum()
    };
    let least = least_extent(&strength.plane);
    parts
        .iter()
        .filter(|part| part.bounds.extent() >= least && !is_line(part, &strength.plane))
        .map(outline)
        .sum()
}

/// Whether a stroke runs from side to side and is nothing but long: a ruled line.
fn is_line(part: &Part, plane: &Plane) -> bool {
    let (width, height) = (part.bounds.width(), part.bounds.height());
    (width == plane.width && LINE * height < width) || (height == plane.height && LINE * width < height)
}

fn least_extent(plane: &Plane) -> f32 {
    (LEAST_EXTENT * plane.long_side() as f32).max(3.0)
}

/// The stroke that the digit is, or the largest of its strokes.
struct Main {
    bounds: Bounds,
    /// Mean width of the stroke, in pixels: twice the area over the length of the outline.
    stroke_width: f32,
    touches_border: bool,
}

fn main_of(parts: &[Part], strength: &Strength) -> Option<Main> {
    let least = least_extent(&strength.plane);
    let weight = |part: &Part| if part.touches_border { BORDER } else { 1.0 } * part.area as f32;
    let part = parts
        .iter()
        .filter(|part| part.bounds.extent() >= least)
        .max_by(|a, b| weight(a).total_cmp(&weight(b)))?;
    Some(Main {
        bounds: part.bounds,
        // A slanting line has more sides of pixels than length, 4 / π times as many on average.
        stroke_width: 2.0 * part.area as f32 / (part.perimeter as f32 * std::f32::consts::FRAC_PI_4),
        touches_border: part.touches_border,
    })
}

/// Finds the digits of a picture.
pub(super) fn digits(strength: &Strength) -> Digits {
    let plane = &strength.plane;
    let (labels, mut parts) = connected(strength);
    parts.sort_by_key(|part| std::cmp::Reverse(part.area));
    let Some(main) = main_of(&parts, strength) else {
        return Digits::None;
    };
    let stroke_width = main.stroke_width;
    let (extent, inside) = (main.bounds.extent(), !main.touches_border);
    parts.retain(|part| !(inside && part.touches_border) && part.bounds.extent() >= BIT * extent);
    let mut several = parts.len() > MOST && parts[MOST].bounds.extent() >= SPECK * extent;
    parts.truncate(MOST);
    for part in &mut parts {
        let edge = edge(&labels, plane.width, part);
        let step = edge.len().div_ceil(400).max(1);
        part.edge = edge.into_iter().step_by(step).map(|(x, y)| (x as f32, y as f32)).collect();
    }
    let groups = groups(&parts, stroke_width);
    let bounds = |group: &[usize]| {
        let all = group.iter().map(|&index| parts[index].bounds);
        all.reduce(Bounds::joined)
    };
    let largest = groups
        .iter()
        .filter_map(|group| Some((group, bounds(group)?)))
        .max_by(|a, b| a.1.extent().total_cmp(&b.1.extent()));
    let Some((digit, whole)) = largest else {
        return Digits::None;
    };
    let mut found: Vec<Bounds> = groups
        .iter()
        .filter_map(|group| bounds(group))
        .filter(|other| other.extent() >= SPECK * whole.extent())
        .collect();
    several |= found.len() > 1;
    if several {
        found.sort_by_key(|bounds| bounds.left);
        return Digits::Several(found);
    }
    let chosen: Vec<u32> = digit.iter().map(|&index| parts[index].label).collect();
    let values = labels.iter().map(|label| f32::from(chosen.contains(label) && *label > 0)).collect();
    Digits::One(Strokes {
        bounds: whole,
        mask: Plane { values, ..*plane },
        width: stroke_width,
    })
}

/// Joins the parts that belong to one digit: indices of `parts`, group by group.
fn groups(parts: &[Part], stroke_width: f32) -> Vec<Vec<usize>> {
    let height = |index: usize| parts[index].bounds.height() as f32;
    let tallest = (0..parts.len()).map(height).fold(0.0, f32::max);
    let (tall, mut small): (Vec<usize>, Vec<usize>) = (0..parts.len()).partition(|&index| height(index) >= TALL * tallest);
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for index in tall {
        let near = |&other: &usize| belong(&parts[index], &parts[other], tallest, stroke_width);
        let (mine, others) = groups.into_iter().partition(|group: &Vec<usize>| group.iter().any(near));
        groups = others;
        let mine: Vec<Vec<usize>> = mine;
        groups.push(mine.into_iter().flatten().chain([index]).collect());
    }
    // A small part belongs to one digit, the nearest: it never joins two.
    while !small.is_empty() {
        let mut nearest = (f32::MAX, 0, 0);
        for (place, &index) in small.iter().enumerate() {
            for (group, members) in groups.iter().enumerate() {
                for &other in members {
                    let gap = parts[index].gap(&parts[other]);
                    if gap < nearest.0 {
                        nearest = (gap, place, group);
                    }
                }
            }
        }
        let (gap, place, group) = nearest;
        let index = small.swap_remove(place);
        if gap <= NEAR * tallest {
            groups[group].push(index);
        } else {
            groups.push(vec![index]);
        }
    }
    groups
}

/// Whether two tall parts are strokes of one digit.
fn belong(a: &Part, b: &Part, tallest: f32, stroke_width: f32) -> bool {
    // A 4 whose two strokes don't meet has one above the other's columns; two digits stand side by
    // side.
    let most = if a.bounds.common_columns(b.bounds) > SHARED {
        NEAR * tallest
    } else {
        (BROKEN * stroke_width).max(BROKEN_HEIGHT * tallest)
    };
    a.gap(b) <= most
}

/// Takes away what runs out of the picture: the edge of a table or a page, a shadow, a dark corner. A
/// digit seldom touches the border, unless the picture was cut to its size; then its ground is even,
/// and nothing is taken.
pub(super) fn without_border(mut strength: Strength) -> Strength {
    // What was fainter than the first may run out of the picture too.
    for _ in 0..3 {
        if strength.even {
            break;
        }
        let (labels, parts) = connected(&strength);
        let outside: Vec<u32> = parts.iter().filter(|part| part.touches_border).map(|part| part.label).collect();
        if outside.is_empty() {
            break;
        }
        let plane = &strength.plane;
        let outside = labels.iter().map(|label| f32::from(outside.binary_search(label).is_ok()));
        let outside = Plane { values: outside.collect(), ..*plane };
        let outside = outside.dilated(plane.long_side() / MARGIN);
        let plane = plane.zip(&outside, |ink, outside| ink * (1.0 - outside));
        strength = Strength { plane, ..strength }.with_new_peak();
    }
    strength
}

/// Labels the connected pixels (eight neighbours) with 1, 2, …, and 0 for ground.
fn connected(strength: &Strength) -> (Vec<u32>, Vec<Part>) {
    let plane = &strength.plane;
    let (width, height) = (plane.width, plane.height);
    let least = (INK * strength.peak).max(strength.floor);
    let ink = |at: usize| plane.values[at] > least;
    let mut labels = vec![0_u32; width * height];
    let (mut parts, mut stack) = (Vec::new(), Vec::new());
    for start in 0..labels.len() {
        if labels[start] > 0 || !ink(start) {
            continue;
        }
        let label = parts.len() as u32 + 1;
        let mut part = Part {
            label,
            bounds: Bounds::of(start % width, start / width),
            area: 0,
            perimeter: 0,
            strongest: 0.0,
            touches_border: false,
            edge: Vec::new(),
        };
        labels[start] = label;
        stack.push(start);
        while let Some(at) = stack.pop() {
            let (x, y) = (at % width, at / width);
            part.bounds = part.bounds.joined(Bounds::of(x, y));
            part.area += 1;
            part.strongest = part.strongest.max(plane.values[at]);
            part.touches_border |= x == 0 || y == 0 || x + 1 == width || y + 1 == height;
            for v in y.saturating_sub(1)..(y + 2).min(height) {
                for u in x.saturating_sub(1)..(x + 2).min(width) {
                    let next = v * width + u;
                    if !ink(next) {
                        part.perimeter += usize::from(u == x || v == y);
                    } else if labels[next] == 0 {
                        labels[next] = label;
                        stack.push(next);
                    }
                }
            }
        }
        part.perimeter = part.perimeter.max(1);
        parts.push(part);
    }
    parts.retain(|part| part.strongest >= STRONG * strength.peak);
    (labels, parts)
}

/// The pixels of a part that border on others.
fn edge(labels: &[u32], width: usize, part: &Part) -> Vec<(usize, usize)> {
    let Bounds { left, right, top, bottom } = part.bounds;
    let mine = |x: usize, y: usize| labels[y * width + x] == part.label;
    let mut edge = Vec::new();
    for y in top..=bottom {
        for x in left..=right {
            let inner = x > left && x < right && y > top && y < bottom
                && mine(x - 1, y) && mine(x + 1, y) && mine(x, y - 1) && mine(x, y + 1);
            if mine(x, y) && !inner {
                edge.push((x, y));
            }
        }
    }
    edge
}
