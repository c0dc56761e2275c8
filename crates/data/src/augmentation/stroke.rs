//! The width of strokes, and what is cut off.

use super::limits;
use crate::random::Random;

/// By how much strokes grow (or, below 0, shrink) on each side.
pub(super) struct Stroke {
    /// Whole pixels, then the rest in 1/256.
    grow: bool,
    whole: usize,
    rest: u16,
}

impl Stroke {
    pub(super) fn draw(greatest: f64, random: &mut Random) -> Self {
        let greatest = greatest.clamp(0.0, limits::STROKE);
        let pixels = greatest * (0.75 * random.symmetric() + 0.25);
        let amount = (pixels.abs() * 256.0) as usize;
        Self {
            grow: pixels > 0.0,
            whole: amount / 256,
            rest: (amount % 256) as u16,
        }
    }

    /// Dilation or erosion of grey values (Serra 1982, "Image Analysis and Mathematical Morphology",
    /// chapter XII) by the four neighbours, the last step in part only. Thin strokes keep their
    /// brightness: pens differ in width more than in colour. What would lose most of its ink becomes half
    /// as thin.
    pub(super) fn apply(&self, plane: &mut [u8], width: usize, spare: &mut Vec<u8>) {
        let brightest = plane.iter().copied().max().unwrap_or(0);
        let before = (!self.grow).then(|| plane.to_vec());
        for step in 0..=self.whole {
            let part = if step < self.whole { 256 } else { self.rest };
            if part == 0 {
                break;
            }
            spare.clear();
            spare.extend_from_slice(plane);
            match self.grow {
                true => neighbours(spare, plane, width, part, u8::max),
                false => neighbours(spare, plane, width, part, u8::min),
            }
        }
        if let Some(before) = before
            && 5 * mass(plane) < 2 * mass(&before)
        {
            for (pixel, &whole) in plane.iter_mut().zip(&before) {
                *pixel = pixel.midpoint(whole);
            }
        }
        let now = plane.iter().copied().max().unwrap_or(0);
        if now > 0 && now < brightest {
            // What is left of a hair may be noise: it is not made ink of.
            let gain = (u32::from(brightest) * 256 / u32::from(now)).min(MOST_GAIN);
            for pixel in plane {
                *pixel = ((u32::from(*pixel) * gain) >> 8).min(255) as u8;
            }
        }
    }
}

fn mass(plane: &[u8]) -> u32 {
    plane.iter().map(|&pixel| u32::from(pixel)).sum()
}

/// Twice, in 1/256.
const MOST_GAIN: u32 = 512;

/// Brings each pixel by `part` / 256 of the way to the greatest (or least) of itself and its four
/// neighbours; there are none beyond the border.
fn neighbours(
    from: &[u8],
    plane: &mut [u8],
    width: usize,
    part: u16,
    choose: impl Fn(u8, u8) -> u8 + Copy,
) {
    let rows = from.chunks_exact(width);
    let above = [&from[..width]].into_iter().chain(from.chunks_exact(width));
    let below = from
        .chunks_exact(width)
        .skip(1)
        .chain([&from[from.len() - width..]]);
    let rows = rows.zip(above.zip(below));
    for ((row, (above, below)), out) in rows.zip(plane.chunks_exact_mut(width)) {
        for ((pixel, &up), &down) in out.iter_mut().zip(above).zip(below) {
            *pixel = choose(*pixel, choose(up, down));
        }
        for (pixel, &left) in out[1..].iter_mut().zip(row) {
            *pixel = choose(*pixel, left);
        }
        for (pixel, &right) in out.iter_mut().zip(&row[1..]) {
            *pixel = choose(*pixel, right);
        }
        for (pixel, &own) in out.iter_mut().zip(row) {
            let (own, chosen) = (u16::from(own), u16::from(*pixel));
            // At most 256 times 255.
            *pixel = ((own * (256 - part) + chosen * part) >> 8) as u8;
        }
    }
}

/// Whether only the outline is left.
pub(super) struct Outline(bool);

impl Outline {
    pub(super) fn draw(share: f64, random: &mut Random) -> Self {
        Self(random.unit() < share)
    }

    /// What dilation adds, the external gradient (Rivest, Soille and Beucher 1993, "Morphological
    /// gradients", section 2.2): a line about a pixel wide around the strokes.
    pub(super) fn apply(&self, plane: &mut [u8], width: usize, spare: &mut Vec<u8>) {
        let Self(true) = self else {
            return;
        };
        spare.clear();
        spare.extend_from_slice(plane);
        neighbours(spare, plane, width, 256, u8::max);
        for (pixel, &own) in plane.iter_mut().zip(&*spare) {
            *pixel -= own;
        }
    }
}

/// What is cut off at one side of what is drawn.
pub(super) struct Crop {
    side: u64,
    share: f64,
}

impl Crop {
    pub(super) fn draw(greatest: f64, random: &mut Random) -> Self {
        Self {
            side: random.below(4),
            share: super::half(greatest.clamp(0.0, limits::HALF), random),
        }
    }

    pub(super) fn apply(&self, plane: &mut [u8], width: usize) {
        if self.share == 0.0 {
            return;
        }
        let inked = |&(_, &pixel): &(usize, &u8)| pixel > 0;
        let drawn = plane.iter().enumerate().filter(inked).map(|(at, _)| at);
        match self.side {
            0 | 1 => {
                let [first, last] = ends(drawn.map(|at| at / width));
                let lines = (self.share * (last + 1 - first) as f64) as usize;
                let cut = match self.side {
                    0 => first..first + lines,
                    _ => last + 1 - lines..last + 1,
                };
                plane[cut.start * width..cut.end * width].fill(0);
            }
            side => {
                let [first, last] = ends(drawn.map(|at| at % width));
                let lines = (self.share * (last + 1 - first) as f64) as usize;
                let cut = match side {
                    2 => first..first + lines,
                    _ => last + 1 - lines..last + 1,
                };
                for row in plane.chunks_exact_mut(width) {
                    row[cut.clone()].fill(0);
                }
            }
        }
    }
}

/// The least and the greatest, 0 for none.
fn ends(values: impl Iterator<Item = usize>) -> [usize; 2] {
    let found = values.fold(None, |ends: Option<[usize; 2]>, value| {
        Some(ends.map_or([value; 2], |[least, greatest]| {
            [least.min(value), greatest.max(value)]
        }))
    });
    found.unwrap_or_default()
}
