//! Which strokes make one digit.

use crate::ink::Strength;
use crate::parts::{Bounds, Part, connected, edge, least_extent, mask};
use crate::plane::Plane;

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
/// Weight of a stroke that touches the picture's border against one that doesn't.
const BORDER: f32 = 0.25;
/// Strokes that are looked at, the largest first: no digit has more, and a picture of noise has
/// thousands.
const MOST: usize = 24;

/// The strokes of one digit.
#[derive(Debug)]
pub(crate) struct Strokes {
    pub bounds: Bounds,
    /// 1 where the digit is, 0 elsewhere, at the size of the picture.
    pub mask: Plane,
    /// The mean width of its strokes, in pixels.
    pub width: f32,
}

#[derive(Debug)]
pub(crate) enum Digits {
    None,
    One(Strokes),
    Several(Vec<Bounds>),
}

/// Finds the digits of a picture.
pub(crate) fn digits(strength: &Strength) -> Digits {
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
    // Of one alone there is no distance to measure.
    let apart = parts.len() > 1;
    for part in parts.iter_mut().filter(|_| apart) {
        let edge = edge(&labels, plane.width, part);
        let step = edge.len().div_ceil(400).max(1);
        part.edge = edge
            .into_iter()
            .step_by(step)
            .map(|(x, y)| (x as f32, y as f32))
            .collect();
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
    let chosen = digit.iter().map(|&index| parts[index].label);
    let values = mask(&labels, chosen);
    Digits::One(Strokes {
        bounds: whole,
        mask: Plane { values, ..*plane },
        width: stroke_width,
    })
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
        stroke_width: 2.0 * part.area as f32
            / (part.perimeter as f32 * std::f32::consts::FRAC_PI_4),
        touches_border: part.touches_border,
    })
}

/// Joins the parts that belong to one digit: indices of `parts`, group by group.
fn groups(parts: &[Part], stroke_width: f32) -> Vec<Vec<usize>> {
    let height = |index: usize| parts[index].bounds.height() as f32;
    let tallest = (0..parts.len()).map(height).fold(0.0, f32::max);
    let mut gaps = vec![vec![0.0; parts.len()]; parts.len()];
    for a in 0..parts.len() {
        for b in 0..a {
            gaps[a][b] = parts[a].gap(&parts[b]);
            gaps[b][a] = gaps[a][b];
        }
    }
    let (tall, mut small): (Vec<usize>, Vec<usize>) =
        (0..parts.len()).partition(|&index| height(index) >= TALL * tallest);

    let mut groups: Vec<Vec<usize>> = Vec::new();
    for index in tall {
        let belongs = |&other: &usize| {
            gaps[index][other] <= greatest_gap(&parts[index], &parts[other], tallest, stroke_width)
        };
        let mut joined = vec![index];
        groups.retain(|group| {
            let mine = group.iter().any(belongs);
            if mine {
                joined.extend(group);
            }
            !mine
        });
        groups.push(joined);
    }
    // A small part belongs to one digit, the nearest: it never joins two.
    let gap_to = |index: usize, group: &[usize]| {
        group
            .iter()
            .map(|&other| gaps[index][other])
            .fold(f32::MAX, f32::min)
    };
    while let Some((place, group, gap)) = (0..small.len())
        .flat_map(|place| (0..groups.len()).map(move |group| (place, group)))
        .map(|(place, group)| (place, group, gap_to(small[place], &groups[group])))
        .min_by(|a, b| a.2.total_cmp(&b.2))
    {
        let index = small.swap_remove(place);
        if gap <= NEAR * tallest {
            groups[group].push(index);
        } else {
            groups.push(vec![index]);
        }
    }
    groups
}

/// The gap up to which two tall parts are strokes of one digit.
fn greatest_gap(a: &Part, b: &Part, tallest: f32, stroke_width: f32) -> f32 {
    // A 4 whose two strokes don't meet has one above the other's columns; two digits stand side by
    // side.
    if a.bounds.common_columns(b.bounds) > SHARED {
        NEAR * tallest
    } else {
        (BROKEN * stroke_width).max(BROKEN_HEIGHT * tallest)
    }
}
