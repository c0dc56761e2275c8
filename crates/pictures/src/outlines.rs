//! What outlines and the ground between them tell of strokes.

use crate::ink::Strength;
use crate::parts::{INK, Part, connected, edge, least_extent};
use crate::plane::Plane;

/// Share of the ground (a fraction) whose strength is at most [`EVEN`] of the peak where it is even;
/// the rest may be the soft edges of strokes.
const EVEN_SHARE: (usize, usize) = (9, 10);
/// See [`EVEN_SHARE`].
const EVEN: f32 = 0.12;
/// How many times longer than wide a ruled line is at least.
const LINE: usize = 8;

/// Whether strokes lie on ground of one shade, and none runs out of the picture. `strength` is that of
/// a window as wide as the picture, which leaves shadows as they are.
pub(crate) fn on_even_ground(strength: &Strength) -> bool {
    let values = &strength.plane.values;
    let up_to = |most: f32| values.iter().filter(|value| **value <= most).count();
    let ground = up_to(INK * strength.peak);
    2 * ground >= values.len()
        && up_to(EVEN * strength.peak) > ground * EVEN_SHARE.0 / EVEN_SHARE.1
        && connected(strength)
            .1
            .iter()
            .all(|part| !part.touches_border)
}

/// Which outlines count.
#[derive(Clone, Copy)]
pub(crate) enum Outlines {
    All,
    /// Those of strokes that don't touch the picture's border: what lies between a digit and the
    /// border is ground.
    Inside,
}

/// The length of the outlines of all strokes, weighted by how much steeper than half of the peak the
/// picture is there: large for whole strokes of ink, small or below 0 for anything else.
pub(crate) fn steep_outline(strength: &Strength, steepness: &Plane, outlines: Outlines) -> f32 {
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
        .filter(|part| matches!(outlines, Outlines::All) || !part.touches_border)
        .map(outline)
        .sum()
}

/// Whether a stroke runs from side to side and is nothing but long: a ruled line.
fn is_line(part: &Part, plane: &Plane) -> bool {
    let (width, height) = (part.bounds.width(), part.bounds.height());
    (width == plane.width && LINE * height < width)
        || (height == plane.height && LINE * width < height)
}
