//! How wide the window is in which the ground is looked for.

use super::ink::{Ink, Strength};
use super::parts;

/// Long side of the reduced picture on which windows are tried.
const SMALL: usize = 256;
/// The radii tried there, from strokes of 3 pixels to half the picture, each about 1.4 times the last.
const RADII: [usize; 11] = [2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64];
/// Share of the best outline at which a narrower window is as good.
const AS_GOOD: f32 = 0.97;

/// The strength of the ink, measured in the narrowest window into which its strokes do not fit; none
/// if nothing stands out from the ground.
///
/// A narrow window follows shadows best, but one that fits into a stroke takes its inside for
/// ground. Outlines tell: those of whole strokes are steep all the way, those of strokes that were
/// hollowed out run through even ink, and those of shadows are soft.
pub(super) fn strength(ink: &Ink) -> Option<Strength> {
    let small = ink.at_most(SMALL);
    let long = small.value.long_side();
    let outlines: Vec<(usize, f32)> = RADII
        .into_iter()
        .filter(|&radius| 4 * radius <= long)
        .filter_map(|radius| {
            let strength = small.strength(radius)?;
            // A blurred picture has soft edges, but never as soft as its strokes are wide.
            let steepness = small.steepness(&strength, (radius / 2).max(2));
            Some((radius, parts::steep_outline(&strength, &steepness)))
        })
        .collect();
    let best = outlines.iter().map(|&(_, outline)| outline).fold(0.0, f32::max);
    let index = outlines.iter().position(|&(_, outline)| outline >= AS_GOOD * best)?;
    // One wider, for strokes that are wider elsewhere.
    let (radius, _) = outlines.get(index + 1).or(outlines.last())?;
    ink.strength((radius * ink.value.long_side()).div_ceil(long))
}
