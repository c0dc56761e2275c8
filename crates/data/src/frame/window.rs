//! How wide the window is in which the ground is looked for.

use super::ink::{Ink, Strength};
use super::parts;

/// Long side of the reduced picture on which windows are tried.
const SMALL: usize = 256;
/// The radii tried there, from strokes of 3 pixels to half the picture, each about 1.4 times the last.
const RADII: [usize; 11] = [2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64];
/// Share of the main stroke's area by which it may still grow in the next two windows.
const GROWTH: f32 = 0.15;

/// The strength of the ink, measured in the narrowest window into which the strokes of the digit do
/// not fit; none if nothing stands out from the ground.
///
/// A narrow window follows shadows best, but one that fits into a stroke takes its inside for
/// ground. As the window widens, the main stroke grows until it is whole, then stays, until shadows
/// join it: the first radius from which it stays is the right one.
pub(super) fn strength(ink: &Ink) -> Option<Strength> {
    let small = ink.at_most(SMALL);
    let radii: Vec<usize> = RADII.into_iter().filter(|radius| *radius <= small.value.long_side() / 4).collect();
    let mains: Vec<Option<parts::Main>> = radii
        .iter()
        .map(|&radius| parts::main(&small.strength(radius)?))
        .collect();
    let stays = |index: usize| {
        mains[index].is_some_and(|main| {
            let window = (2 * radii[index] + 1) as f32;
            main.stroke_width < window
                && mains[index + 1..].iter().take(2).all(|next| {
                    next.is_none_or(|next| next.area as f32 <= (1.0 + GROWTH) * main.area as f32)
                })
        })
    };
    let index = (0..radii.len()).find(|&index| stays(index)).unwrap_or(radii.len().saturating_sub(1));
    // One wider, for strokes that are wider elsewhere.
    let radius = radii.get(index + 1).or(radii.last()).copied().unwrap_or(1);
    ink.strength((radius * ink.value.long_side()).div_ceil(small.value.long_side()))
}
