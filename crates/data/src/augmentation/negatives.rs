//! What is no digit, made of digits.
//!
//! A network that has only seen digits knows nothing else and says one of ten to everything. These
//! images tell it what a letter, a sign or a scribble may be like, without any of them.

use super::pen::Canvas;
use crate::ImageShape;
use crate::random::Random;

/// A digit to make something else of: its image, `[channels, height, width]`, and what it shows.
#[derive(Clone, Copy)]
pub(crate) struct Digit<'a> {
    pub(crate) image: &'a [u8],
    pub(crate) shows: u16,
}

/// What becomes of a pixel's place.
type Turn = fn([usize; 2], [usize; 2]) -> [usize; 2];

/// Turned by a right angle to the left or right, mirrored from left to right and from top to bottom; with
/// the digits that are none afterwards.
const TURNS: [(Turn, &[u16]); 4] = [
    (
        |[x, y], [_, side]| [side - 1 - y, x],
        &[2, 3, 4, 5, 6, 7, 8, 9],
    ),
    (
        |[x, y], [side, _]| [y, side - 1 - x],
        &[2, 3, 4, 5, 6, 7, 8, 9],
    ),
    (|[x, y], [side, _]| [side - 1 - x, y], &[3, 4, 6, 7, 9]),
    (|[x, y], [_, side]| [x, side - 1 - y], &[4, 6, 7, 9]),
];

/// Writes something that is no digit to `out`, `[channels, height, width]`.
pub(crate) fn negative(
    shape: ImageShape,
    first: Digit<'_>,
    second: Digit<'_>,
    random: &mut Random,
    out: &mut [u8],
) {
    let ImageShape { height, width, .. } = shape;
    let planes = first.image.chunks_exact(shape.plane());
    let planes = planes.zip(second.image.chunks_exact(shape.plane()));
    let planes = planes.zip(out.chunks_exact_mut(shape.plane()));
    let kind = random.below(10);
    let (turn, suitable) = TURNS[(kind % 4) as usize];
    let drawn = random.clone();
    match kind {
        0..4 if suitable.contains(&first.shows) && height == width => {
            planes.for_each(|((plane, _), out)| turned(plane, out, width, turn));
        }
        4 | 5 if first.shows != second.shows => {
            let shift = random.below(7) as usize;
            planes.for_each(|((one, other), out)| joined(one, other, out, width, kind == 4, shift));
        }
        6 => planes.for_each(|((one, other), out)| side_by_side(one, other, out, width)),
        // All channels show the same.
        7 | 8 => planes.for_each(|(_, out)| bowl(out, [height, width], &mut drawn.clone())),
        _ => planes.for_each(|(_, out)| scribble(out, [height, width], &mut drawn.clone())),
    }
}

fn turned(plane: &[u8], out: &mut [u8], width: usize, turn: Turn) {
    let size = [width, plane.len() / width];
    for (at, &pixel) in plane.iter().enumerate() {
        let [x, y] = turn([at % width, at / width], size);
        out[y * width + x] = pixel;
    }
}

/// The upper (or left) half of one and the other half of the other, moved along the cut by up to 3
/// pixels.
fn joined(one: &[u8], other: &[u8], out: &mut [u8], width: usize, across: bool, shift: usize) {
    let height = one.len() / width;
    for (at, out) in out.iter_mut().enumerate() {
        let [x, y] = [at % width, at / width];
        let first = if across {
            y < height / 2
        } else {
            x < width / 2
        };
        let moved = |place: usize| (place + 3).checked_sub(shift);
        let from = match (first, across) {
            (true, _) => Some(at),
            (false, true) => moved(x).filter(|x| *x < width).map(|x| y * width + x),
            (false, false) => moved(y).filter(|y| *y < height).map(|y| y * width + x),
        };
        let source = if first { one } else { other };
        *out = from.map_or(0, |from| source[from]);
    }
}

/// Two digits, each half as wide.
fn side_by_side(one: &[u8], other: &[u8], out: &mut [u8], width: usize) {
    let rows = one.chunks_exact(width).zip(other.chunks_exact(width));
    for ((one, other), out) in rows.zip(out.chunks_exact_mut(width)) {
        let pairs = one.chunks_exact(2).chain(other.chunks_exact(2));
        out.fill(0);
        for (out, pair) in out.iter_mut().zip(pairs) {
            *out = pair[0].midpoint(pair[1]);
        }
    }
}

/// An arc that is open at one side, or a closed one with a stem: what many letters are made of.
fn bowl(out: &mut [u8], [height, width]: [usize; 2], random: &mut Random) {
    const LINES: usize = 12;
    out.fill(0);
    let side = width.min(height) as f64;
    let mut canvas = Canvas {
        plane: out,
        width,
        radius: side * (0.025 + 0.045 * random.unit()),
        ink: 255,
    };
    let centre = [width as f64 / 2.0 - 0.5, height as f64 / 2.0 - 0.5];
    let [broad, slant] = [0.6 + 0.4 * random.unit(), 0.3 * random.symmetric()];
    let kind = random.below(7);
    // With a stem it is smaller, and beside the middle of the height unless the stem is as high.
    let (size, down) = match kind {
        0..4 => (0.33, 0.0),
        4 => (0.3, 0.0),
        5 => (0.22, 0.13),
        _ => (0.22, -0.13),
    };
    let place = |[x, y]: [f64; 2]| {
        let [x, y] = [x * broad * size * side, (y * size + down) * side];
        [centre[0] + x - slant * y, centre[1] + y]
    };
    let (from, round) = match kind {
        // Open to the right, down, left, up: the gap is a quarter or more.
        0..4 => {
            let gap = 0.25 + 0.2 * random.unit();
            (kind as f64 / 4.0 + gap / 2.0, 1.0 - gap)
        }
        _ => (0.0, 1.0),
    };
    let on_arc = |step: usize| {
        let turn = from + round * step as f64 / LINES as f64;
        let (sin, cos) = (turn * std::f64::consts::TAU).sin_cos();
        place([cos, sin])
    };
    for step in 0..LINES {
        canvas.line(on_arc(step), on_arc(step + 1));
    }
    // Beside it, above it on the right, below it on the left; the two others are a 6 and a 9.
    match kind {
        4 => canvas.line(place([1.0, -1.0]), place([1.1, 1.0])),
        5 => canvas.line(place([1.0, -2.2]), place([1.0, 1.0])),
        6 => canvas.line(place([-1.0, -1.0]), place([-1.0, 2.2])),
        _ => {}
    }
}

/// Two to four curves, each from where the last one ended or from anywhere.
fn scribble(out: &mut [u8], [height, width]: [usize; 2], random: &mut Random) {
    out.fill(0);
    let place = |random: &mut Random| {
        // The box that digits fill.
        [width, height].map(|side| side as f64 * (0.5 + 0.34 * random.symmetric()))
    };
    let mut canvas = Canvas {
        plane: out,
        width,
        radius: width as f64 * (0.025 + 0.045 * random.unit()),
        ink: 255,
    };
    let mut start = place(random);
    for _ in 0..2 + random.below(3) {
        if random.below(3) == 0 {
            start = place(random);
        }
        let (control, end) = (place(random), place(random));
        // Half of them are straight.
        match random.below(2) {
            0 => canvas.line(start, end),
            _ => canvas.curve(start, control, end),
        }
        start = end;
    }
}
