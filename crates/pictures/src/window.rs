//! How wide the window is in which the ground is looked for.

use crate::ink::{Ink, Strength};
use crate::outlines::{Outlines, on_even_ground, steep_outline};
use crate::parts::without_border;

/// Long side of the reduced picture on which windows are tried.
const SMALL: usize = 128;
/// The radii tried there, from strokes of 2 pixels to half the picture, each about 1.4 times the last.
const RADII: [usize; 10] = [1, 2, 3, 4, 6, 8, 11, 16, 23, 32];
/// Factor by which the outline may differ between windows that agree.
const CHANGE: f32 = 1.1;
/// How much longer the outline must be for the other side of the colour axis to be ink after all.
const OTHER_SIDE: f32 = 1.3;
/// Share of the longest outline that a whole one has at least.
const LEAST: f32 = 0.2;

/// The strength of the ink, measured in the narrowest window into which its strokes do not fit; none
/// if nothing stands out from the ground.
///
/// A narrow window follows shadows best, but one that fits into a stroke takes its inside for
/// ground. Outlines tell: those of whole strokes are steep all the way, those of strokes that were
/// hollowed out run through even ink, and those of shadows are soft. They tell the side, too: light
/// holes between dark strokes have the inner outlines only.
///
/// Where the ground is even there is nothing to follow, and a window as wide as the picture is safe
/// from strokes however thick.
///
/// A picture that had to be enlarged was cut or drawn by a program: it has no room for shadows, but
/// its strokes may fill it and touch its border. There the window is all of it.
pub(crate) fn strength(ink: &Ink, enlarged: bool) -> Option<Strength> {
    let whole = ink.strength(ink.value.long_side());
    let outlined = || {
        let steepness = ink.steepness(&whole, ink.value.long_side() / 14);
        whole.shows_ink() && steep_outline(&whole, &steepness, Outlines::All) > 0.0
    };
    if enlarged {
        return outlined().then_some(whole);
    }
    if ink.sure && on_even_ground(&whole) && outlined() {
        return Some(whole);
    }
    let other = ink.other_side();
    let this = window(&ink.at_most(SMALL), Outlines::All);
    let that = (!ink.sure)
        .then(|| window(&other.at_most(SMALL), Outlines::Inside))
        .flatten();
    let wide = |ink: &Ink| ink.strength(ink.value.long_side());
    let (ink, window, whole) = match (this, that) {
        (Some(this), Some(that)) if that.outline > OTHER_SIDE * this.outline => {
            (&other, that, wide(&other))
        }
        (None, Some(that)) => (&other, that, wide(&other)),
        (this, _) => (ink, this?, whole),
    };
    if whole.shows_ink() && on_even_ground(&whole) {
        return Some(whole);
    }
    let radius = window.radius * ink.value.long_side();
    let strength = ink.strength(radius.div_ceil(ink.value.long_side().min(SMALL)));
    Some(without_border(strength)).filter(Strength::shows_ink)
}

/// A window and the steep length of the outlines that it gives.
#[derive(Clone, Copy)]
struct Window {
    radius: usize,
    outline: f32,
}

/// The window for a reduced picture. As it widens, the outlines grow until the strokes are whole,
/// then stay, until shadows join: the longest run of windows that agree is where strokes are whole.
fn window(small: &Ink, outlines: Outlines) -> Option<Window> {
    let windows: Vec<Window> = RADII
        .into_iter()
        .filter(|&radius| 4 * radius <= small.value.long_side())
        .filter_map(|radius| {
            let strength = without_border(small.strength(radius));
            // A blurred picture has soft edges, but never as soft as its strokes are wide.
            let steepness = small.steepness(&strength, (radius / 3).max(2));
            let outline = steep_outline(&strength, &steepness, outlines);
            strength.shows_ink().then_some(Window { radius, outline })
        })
        .collect();
    let least = LEAST
        * windows
            .iter()
            .map(|window| window.outline)
            .fold(0.0, f32::max);
    let agree =
        |a: &Window, b: &Window| a.outline <= CHANGE * b.outline && b.outline <= CHANGE * a.outline;
    let run = windows
        .chunk_by(agree)
        .filter(|run| run[0].outline > least)
        // The narrower of two runs as long.
        .rev()
        .max_by_key(|run| run.len())?;
    // One wider than the narrowest, for strokes that are wider elsewhere.
    let radius = windows
        .iter()
        .map(|window| window.radius)
        .find(|&radius| radius > run[0].radius);
    Some(Window {
        radius: radius.unwrap_or(run[0].radius),
        outline: run[0].outline,
    })
}
