//! Ruled and squared paper, boxes, combs and grids of forms.

use crate::erase::erase;
use crate::ink::Ink;
use crate::mask::{Mask, SIDE};
use crate::plane::Plane;
use crate::rank::ranked;
use crate::segments::Segment;

/// Radius of the window for the ground in the reduced picture: wider than half of any stroke that has a
/// line beside it.
const WINDOW: usize = 10;
/// Share of the peak from which a pixel of the reduced picture can be that of a line.
const INK: f32 = 0.12;
/// The least length of a segment, as a share of the picture's side: the tooth of a comb.
const LEAST: f32 = 0.09;
/// Share of the picture's side that a ruled line runs through at least.
const RULED: f32 = 0.6;
/// Greatest strength of a line as a share of the ink's up to which it cannot be a part of the digit.
const FAINT: f32 = 0.7;
/// Share of the side, as a divisor, within which a line comes to the picture's border.
const MARGIN: usize = 28;
/// Share of the reduced picture's side within which two sides of a box meet.
const CORNER: f32 = 0.05;
/// The least length of a box's sides and of a comb's back, as a share of the picture's side.
const BOX_SIDE: f32 = 0.2;
/// Share of the picture's side up to which what it shows is looked at from near.
const SMALL: f32 = 0.7;
/// Share of a box's height that what is written in it has at least.
const CONTENT: f32 = 0.35;

/// The ink without lines that belong to the paper or the form.
///
/// Lines go where ink is still compared with nothing: they are replaced by what is beside them. Thus
/// neither the choice of the window nor that of strokes sees them.
pub(crate) fn removed(mut ink: Ink) -> Ink {
    let whole = [0, ink.value.width - 1, 0, ink.value.height - 1];
    let Some(picture) = Found::new(&ink, ink.value.long_side().div_ceil(SIDE)) else {
        return ink;
    };
    let mut lines = picture.ruled();
    let form = picture.form();
    let none = form.is_none();
    add(&mut lines, form.unwrap_or_default());
    erase(&mut ink.value, &lines, picture.factor);
    // A box that is small in the picture, seen from near: where its sides and the digit touch, they
    // run together in the reduced picture.
    let sides = !picture.rows.is_empty() && !picture.columns.is_empty();
    let near = (none && sides)
        .then(|| picture.largest())
        .flatten()
        .filter(|bounds| picture.is_small(*bounds));
    if let Some(bounds) = near {
        let margin = 3;
        let side = |first: usize, last: usize, whole: usize| {
            let first = first.saturating_sub(margin) * picture.factor;
            (
                first,
                ((last + 1 + margin) * picture.factor).min(whole + 1) - 1,
            )
        };
        let (left, right) = side(bounds[0], bounds[1], whole[1]);
        let (top, bottom) = side(bounds[2], bounds[3], whole[3]);
        let mut part = ink.part([left, right, top, bottom]);
        let factor = part.value.long_side().div_ceil(SIDE);
        if let Some(found) = Found::new(&part, factor)
            && let Some(form) = found.form()
        {
            erase(&mut part.value, &form, factor);
            ink.value.paste(&part.value, left, top);
        }
    }
    ink
}

/// Segments along rows and along columns of the reduced picture; those along columns with rows and
/// columns exchanged.
struct Found {
    rows: Vec<Segment>,
    columns: Vec<Segment>,
    /// The strength of ink.
    level: Plane,
    peak: f32,
    mask: Mask,
    /// Pixels of the picture in one of the reduced one.
    factor: usize,
}

impl Found {
    /// None if there is no ink, or the picture is too small to tell.
    fn new(ink: &Ink, factor: usize) -> Option<Self> {
        let small = ink.pooled(factor);
        let strength = small.strength(WINDOW);
        let (width, height) = (strength.plane.width, strength.plane.height);
        if !strength.shows_ink() || width < 16 || height < 16 {
            return None;
        }
        let mask = Mask::above(&strength.plane, (INK * strength.peak).max(strength.floor));
        let least = ((LEAST * strength.plane.long_side() as f32) as usize).max(8);
        let rows = mask.segments(least);
        // Where nothing comes to the border, there can only be a box, which has sides along rows.
        let columns = if rows.is_empty() && ink.sure {
            Vec::new()
        } else {
            mask.transposed(height).segments(least)
        };
        Some(Self {
            rows,
            columns,
            level: strength.plane,
            peak: strength.peak,
            mask,
            factor,
        })
    }

    /// First and last column and row of the ink of largest extent.
    fn largest(&self) -> Option<[usize; 4]> {
        let plane = &self.level;
        self.mask
            .largest((0, plane.width - 1), (0, plane.height - 1))
    }

    fn is_small(&self, [left, right, top, bottom]: [usize; 4]) -> bool {
        (right - left).max(bottom - top) as f32 <= SMALL * self.level.long_side() as f32
    }

    /// Those that run through the picture, along rows and along columns.
    fn ruled(&self) -> [Vec<Segment>; 2] {
        if self.rows.is_empty() && self.columns.is_empty() {
            return Default::default();
        }
        let turned = self.level.transposed();
        let of_both = |is: &dyn Fn(&Plane, &Segment) -> bool| {
            [(&self.level, &self.rows), (&turned, &self.columns)].map(|(plane, segments)| {
                let long = |segment: &&Segment| {
                    segment.length() as f32 >= RULED * plane.width as f32 && is(plane, segment)
                };
                segments.iter().filter(long).copied().collect::<Vec<_>>()
            })
        };
        let mut lines = of_both(&|plane, segment| {
            level(plane, segment) < FAINT * self.peak
                && at_border(plane, segment).into_iter().any(|at| at)
        });
        let whole = of_both(&|plane, segment| at_border(plane, segment).into_iter().all(|at| at));
        let any = whole.iter().any(|lines| !lines.is_empty());
        if any && self.leaves_a_digit(&whole) {
            add(&mut lines, whole);
        }
        lines
    }

    /// First and last column and row of the ink within `frame` that hangs together without these lines.
    fn left_without(&self, lines: &[Vec<Segment>; 2], frame: [usize; 4]) -> Option<[usize; 4]> {
        let plane = &self.level;
        let without =
            |mask: Mask, line: &Segment| mask.without(line, line.width as f32 / 2.0 + 1.0);
        let mask = lines[0].iter().fold(self.mask.clone(), without);
        let mask = lines[1].iter().fold(mask.transposed(plane.height), without);
        let mask = mask.transposed(plane.width);
        mask.largest((frame[0], frame[1]), (frame[2], frame[3]))
    }

    /// Whether without lines that run through the picture, as strong as its ink, there is a digit well
    /// inside of it.
    fn leaves_a_digit(&self, lines: &[Vec<Segment>; 2]) -> bool {
        let plane = &self.level;
        let all = [0, plane.width - 1, 0, plane.height - 1];
        self.left_without(lines, all)
            .is_some_and(|[left, right, top, bottom]| {
                let inside =
                    left > 1 && right + 2 < plane.width && top > 1 && bottom + 2 < plane.height;
                inside && 2 * (bottom - top) > right - left && 8 * (bottom - top) > plane.height
            })
    }

    /// Whether a digit is written in the frame that these sides form. In a comb it stands between the
    /// teeth, which begin at the row `teeth`.
    fn holds_a_digit(&self, lines: &[Vec<Segment>; 2], frame: [usize; 4], teeth: usize) -> bool {
        self.left_without(lines, frame).is_some_and(|digit| {
            let [width, height] =
                [digit[1] - digit[0], digit[3] - digit[2]].map(|side| side as f32);
            let [whole_width, whole_height] =
                [frame[1] - frame[0], frame[3] - teeth].map(|side| side as f32);
            // What is wider than high is the bar of a digit whose outline was taken for a box.
            2.0 * height > width
                && height >= CONTENT * whole_height.max(whole_width)
                && 2 * digit[3] > teeth + frame[3]
        })
    }

    /// The sides of the largest box around the rest, or of a comb, which is open on top.
    fn form(&self) -> Option<[Vec<Segment>; 2]> {
        let plane = &self.level;
        let near = (CORNER * plane.long_side() as f32).max(3.0);
        let least = BOX_SIDE * plane.long_side() as f32;
        // Top and bottom of what runs along columns, exchanged back.
        let upright = |side: &Segment| side.ends().map(|(row, column)| (column, row));
        let meets =
            |a: (f32, f32), b: (f32, f32)| (a.0 - b.0).abs() <= near && (a.1 - b.1).abs() <= near;
        let clamp = |value: f32, side: usize| value.round().clamp(0.0, side as f32 - 1.0) as usize;
        let mut best: Option<(usize, [Vec<Segment>; 2])> = None;
        for bottom in (self.rows.iter()).filter(|bottom| bottom.length() as f32 >= least) {
            let ends = bottom.ends();
            let sides = |end: (f32, f32)| {
                (self.columns.iter()).filter(move |side| meets(upright(side)[1], end))
            };
            for left in sides(ends[0]) {
                for right in sides(ends[1]) {
                    let tops = [left, right].map(|side| upright(side)[0]);
                    let uneven = left.length().abs_diff(right.length()) as f32 > 2.0 * near;
                    if left == right || uneven {
                        continue;
                    }
                    let top = (self.rows.iter()).find(|top| {
                        let [a, b] = top.ends();
                        meets(tops[0], a) && meets(tops[1], b)
                    });
                    let teeth = tops[0].1.min(tops[1].1);
                    let highest = match top {
                        Some(_) if (left.length() as f32) < least => continue,
                        Some(_) => teeth,
                        // What stands in a comb may be higher than its teeth.
                        None => teeth.min(ends[0].1 - 2.0 * bottom.length() as f32),
                    };
                    let frame = [
                        clamp(ends[0].0.min(tops[0].0), plane.width),
                        clamp(ends[1].0.max(tops[1].0), plane.width),
                        clamp(highest, plane.height),
                        clamp(ends[0].1.max(ends[1].1), plane.height),
                    ];
                    let teeth = clamp(teeth, plane.height);
                    let size = bottom.length() + left.length() + top.map_or(0, Segment::length);
                    let rows = std::iter::once(bottom).chain(top).copied().collect();
                    let lines = [rows, vec![*left, *right]];
                    if best.as_ref().is_none_or(|(other, _)| size > *other)
                        && teeth < frame[3]
                        && self.holds_a_digit(&lines, frame, teeth)
                    {
                        best = Some((size, lines));
                    }
                }
            }
        }
        best.map(|(_, lines)| lines)
    }
}

fn add(lines: &mut [Vec<Segment>; 2], more: [Vec<Segment>; 2]) {
    for (lines, more) in lines.iter_mut().zip(more) {
        for line in more {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
}

/// Whether a segment starts and ends at the border of the picture.
fn at_border(plane: &Plane, segment: &Segment) -> [bool; 2] {
    let reach = (2 + plane.long_side() / MARGIN) as f32;
    segment.ends().map(|(x, y)| {
        x < reach
            || y < reach
            || x + reach > plane.width as f32 - 1.0
            || y + reach > plane.height as f32 - 1.0
    })
}

/// The usual strength along a segment.
fn level(plane: &Plane, segment: &Segment) -> f32 {
    let strongest = |x: usize| {
        let row = segment.row(x as f32).round().max(0.0) as usize;
        (row.saturating_sub(1)..(row + 2).min(plane.height))
            .map(|y| plane.at(x, y))
            .fold(0.0, f32::max)
    };
    let along: Vec<f32> = (segment.start..=segment.end).map(strongest).collect();
    ranked(&along, along.len() / 2)
}
