//! How wide the window is in which the ground is looked for.

use super::ink::{Ink, Strength};
use super::parts;

/// Long side of the reduced picture on which windows are tried.
const SMALL: usize = 256;
/// The radii tried there, from strokes of 3 pixels to half the picture, each about 1.4 times the last.
const RADII: [usize; 11] = [2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64];
/// Factor by which the outline may differ between windows that agree.
const CHANGE: f32 = 1.1;
/// Share of the longest outline that a whole one has at least.
const LEAST: f32 = 0.2;

/// The strength of the ink, measured in the narrowest window into which its strokes do not fit; none
/// if nothing stands out from the ground.
///
/// A narrow window follows shadows best, but one that fits into a stroke takes its inside for
/// ground. Outlines tell: those of whole strokes are steep all the way, those of strokes that were
/// hollowed out run through even ink, and those of shadows are soft. As the window widens, their
/// steep length grows until the strokes are whole, then stays, until shadows join: the longest run of
/// windows that agree is where the strokes are whole.
///
/// A picture that had to be enlarged was cut or drawn by a program: it has no room for shadows, but
/// its strokes may fill it and touch its border. There the window is all of it.
pub(super) fn strength(ink: &Ink, enlarged: bool) -> Option<Strength> {
    if enlarged {
        return Some(ink.strength(ink.value.long_side())).filter(Strength::shows_ink);
    }
    let small = ink.at_most(SMALL);
    let long = small.value.long_side();
    let outlines: Vec<(usize, f32)> = RADII
        .into_iter()
        .filter(|&radius| 4 * radius <= long)
        .filter_map(|radius| {
            let strength = parts::without_border(small.strength(radius));
            if !strength.shows_ink() {
                return None;
            }
            // A blurred picture has soft edges, but never as soft as its strokes are wide.
            let steepness = small.steepness(&strength, (radius / 3).max(2));
            Some((radius, parts::steep_outline(&strength, &steepness)))
        })
        .collect();
    let best = outlines.iter().map(|&(_, outline)| outline).fold(0.0, f32::max);
    let steady = |pair: &[(usize, f32)]| {
        pair[1].1 <= CHANGE * pair[0].1 && pair[0].1 <= CHANGE * pair[1].1
    };
    // The longest run of windows that agree; the narrower run of two as long.
    let (mut longest, mut start) = (0..0, 0);
    for end in 1..=outlines.len() {
        if end > start && outlines[start].1 >= LEAST * best && longest.len() < end - start {
            longest = start..end;
        }
        if end < outlines.len() && !steady(&outlines[end - 1..=end]) {
            start = end;
        }
    }
    let index = longest.clone().next()?;
    // One wider, for strokes that are wider elsewhere.
    let (radius, _) = outlines.get(index + 1).or(outlines.last())?;
    let strength = ink.strength((radius * ink.value.long_side()).div_ceil(long));
    Some(parts::without_border(strength)).filter(Strength::shows_ink)
}
