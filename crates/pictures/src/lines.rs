//! Ruled and squared paper.

use crate::ink::Strength;
use crate::plane::Plane;

/// Share of the picture's side that a ruled line runs through at least.
const LENGTH: f32 = 0.6;
/// Greatest strength of a ruled line as a share of the ink's: a line as strong as the digit may be
/// part of it.
const FAINT: f32 = 0.7;
/// Ink this many times as strong as a line is the digit's, crossing the line.
const CROSSING: f32 = 1.4;
/// Share of the picture's long side, as a divisor, within which a ruled line comes to the border at
/// one end at least. The stroke of a digit that fills the picture does not.
const MARGIN: usize = 32;
/// Pixels by which a line may rise or fall over its length, on each 256 of the picture's side.
const TILT: usize = 1;

/// The ink without lines that run straight through the picture and are fainter than the digit.
pub(crate) fn removed(strength: Strength) -> Strength {
    let plane = &strength.plane;
    let tilt = TILT * plane.long_side().div_ceil(256);
    let run = |side: usize| (LENGTH * side as f32 / 2.0) as usize;
    let rows = plane
        .dilated_by(0, tilt)
        .opened_by(run(plane.width), 0)
        .dilated_by(0, tilt);
    let columns = plane
        .dilated_by(tilt, 0)
        .opened_by(0, run(plane.height))
        .dilated_by(tilt, 0);
    let least = strength.floor.max(0.02 * strength.peak);
    let reach = tilt + plane.long_side() / MARGIN;
    let rows = through(rows, reach, least);
    let columns = through(columns.transposed(), reach, least).transposed();
    let lines = rows.zip(&columns, f32::max);
    let cleaned: Plane = plane.zip(&lines, |ink, line| {
        let ruled = line > least && line < FAINT * strength.peak;
        if ruled && ink < CROSSING * line {
            0.0
        } else {
            ink
        }
    });
    Strength {
        plane: cleaned,
        ..strength
    }
}

/// What is left of lines along rows after those that stay `reach` pixels away from both borders are
/// removed.
fn through(mut lines: Plane, reach: usize, least: f32) -> Plane {
    let width = lines.width;
    for row in lines.values.chunks_exact_mut(width) {
        let mut column = 0;
        for run in row.chunk_by_mut(|a, b| (*a > least) == (*b > least)) {
            let (start, end) = (column, column + run.len());
            column = end;
            if start > reach && end + reach < width {
                run.fill(0.0);
            }
        }
    }
    lines
}
