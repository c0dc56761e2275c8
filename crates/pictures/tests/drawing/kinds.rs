//! The kinds of pictures that are told apart in figures: one digit each, but for the last few.

use image::{DynamicImage, RgbImage};

use super::{Random, Sheet, compressed, noisy, on_paper};

/// Draws an image of 28×28 in one way; all chance is in `Random`.
pub type Draw = fn(&mut Random, &[u8; 784]) -> DynamicImage;

/// Colours of paper and of pens, and one of either by chance.
const PAPERS: [[f32; 3]; 4] = [
    [250.0, 250.0, 250.0],
    [235.0, 230.0, 220.0],
    [205.0, 200.0, 190.0],
    [225.0, 232.0, 240.0],
];
const PENS: [[f32; 3]; 4] = [
    [20.0, 20.0, 20.0],
    [30.0, 35.0, 80.0],
    [60.0, 60.0, 65.0],
    [25.0, 40.0, 130.0],
];
const PRINTS: [[f32; 3]; 4] = [
    [150.0, 170.0, 215.0],
    [170.0, 195.0, 225.0],
    [225.0, 150.0, 150.0],
    [175.0, 175.0, 175.0],
];

fn any<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[random.below(of.len())]
}

/// A sheet with a digit somewhere near its middle, its ink's bounds, and its size.
struct Written {
    sheet: Sheet,
    bounds: [f32; 4],
    size: f32,
}

fn written(
    random: &mut Random,
    image: &[u8; 784],
    size: (f32, f32),
    margin: (f32, f32),
) -> Written {
    let size = random.within(size.0, size.1).round();
    let side =
        |random: &mut Random| (size * (1.0 + 2.0 * random.within(margin.0, margin.1))) as u32;
    let (width, height) = (side(random), side(random));
    let mut sheet = Sheet::new(width, height);
    let place = |random: &mut Random, side: u32| {
        let free = side as f32 - size;
        free * random.within(0.35, 0.65)
    };
    let (left, top) = (place(random, width), place(random, height));
    let bounds = sheet.digit(image, left, top, size);
    Written {
        sheet,
        bounds,
        size,
    }
}

impl Written {
    fn centre(&self) -> (f32, f32) {
        let [left, top, right, bottom] = self.bounds;
        ((left + right) / 2.0, (top + bottom) / 2.0)
    }

    fn half(&self) -> (f32, f32) {
        let [left, top, right, bottom] = self.bounds;
        ((right - left) / 2.0, (bottom - top) / 2.0)
    }

    /// A pen as wide as those of MNIST, thinner or wider.
    fn pen(&self, random: &mut Random) -> f32 {
        (self.size / 28.0 * random.within(0.8, 3.2)).max(1.5)
    }

    fn picture(&self, random: &mut Random) -> DynamicImage {
        let (paper, pen) = (any(random, &PAPERS), any(random, &PENS));
        on_paper(paper, &[(&self.sheet, pen)], |_, _| 1.0).into()
    }

    fn with_print(&self, random: &mut Random, print: &Sheet, colour: [f32; 3]) -> RgbImage {
        let (paper, pen) = (any(random, &PAPERS[..2]), any(random, &PENS[..2]));
        on_paper(paper, &[(print, colour), (&self.sheet, pen)], |_, _| 1.0)
    }
}

/// A digit alone, `size` pixels high with its border of MNIST.
pub fn clean(random: &mut Random, image: &[u8; 784], size: f32) -> DynamicImage {
    written(random, image, (size, size), (0.05, 0.25)).picture(random)
}

fn photo(random: &mut Random, picture: RgbImage) -> DynamicImage {
    let (a, b, c) = (
        random.within(0.0, 0.25),
        random.within(0.45, 1.0),
        random.within(0.5, 0.9),
    );
    let long = picture.width().max(picture.height()) as f32;
    let mut picture = picture;
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let (x, y) = (x as f32 / long, y as f32 / long);
        let edge = ((x + 0.3 * y - c) / 0.03).clamp(0.0, 1.0);
        let light = (1.0 - a * x) * (1.0 - (1.0 - b) * edge);
        pixel.0 = pixel.0.map(|value| (f32::from(value) * light) as u8);
    }
    let picture = noisy(picture, random, 6.0);
    compressed(&picture, 75)
}

fn ruled(random: &mut Random, image: &[u8; 784], tilt: f32, squared: bool) -> RgbImage {
    let written = written(random, image, (110.0, 330.0), (0.1, 0.6));
    let mut print = Sheet::new(written.sheet.width, written.sheet.height);
    let spacing = written.size * random.within(0.25, 1.1);
    let width = (written.size / 100.0 * random.within(0.6, 2.0)).max(1.0);
    let tilt = if random.below(2) == 0 { tilt } else { -tilt } + random.within(-0.5, 0.5);
    let bend = written.size * random.within(-0.04, 0.04);
    print.ruled(spacing, tilt, width, bend, squared);
    let colour = any(random, &PRINTS);
    written.with_print(random, &print, colour)
}

/// How much of a form's cell shows.
#[derive(Clone, Copy)]
enum Form {
    Box,
    Comb,
    Grid,
}

fn form(
    random: &mut Random,
    image: &[u8; 784],
    kind: Form,
    black: bool,
    gap: (f32, f32),
) -> DynamicImage {
    let margin = match kind {
        Form::Grid => (0.35, 0.6),
        _ => (0.25, 0.6),
    };
    let written = written(random, image, (80.0, 300.0), margin);
    let (sheet, [left, top, right, bottom]) = (&written.sheet, written.bounds);
    let mut print = Sheet::new(sheet.width, sheet.height);
    let width = (written.size / 100.0 * random.within(1.0, 4.0)).max(1.0);
    let mut off = || written.size * random.within(gap.0, gap.1);
    let (mut l, mut t, mut r, mut b) = (left - off(), top - off(), right + off(), bottom + off());
    // Cells of forms are seldom narrow: a 1 has room beside it.
    let narrow = (0.7 * (b - t) - (r - l)).max(0.0) / 2.0;
    (l, r) = (l - narrow, r + narrow);
    let inner = |v: f32, side: u32| v.clamp(2.0, side as f32 - 3.0);
    if !matches!(kind, Form::Grid) {
        (l, r) = (inner(l, sheet.width), inner(r, sheet.width));
        (t, b) = (inner(t, sheet.height), inner(b, sheet.height));
    }
    let (cell, row) = (r - l, b - t);
    let far = 3.0 * written.size;
    match kind {
        Form::Box => print.stroke(&[(l, t), (r, t), (r, b), (l, b), (l, t)], width),
        Form::Comb => {
            let up = b - row * [0.3, 1.0][random.below(2)];
            print.stroke(&[(l, up), (l, b), (r, b), (r, up)], width);
        }
        Form::Grid => {
            for step in -3..=3 {
                let (x, y) = (l + cell * step as f32, t + row * step as f32);
                print.stroke(&[(x, -far), (x, far * 3.0)], width);
                print.stroke(&[(-far, y), (far * 3.0, y)], width);
            }
        }
    }
    let colour = if black {
        [30.0; 3]
    } else {
        any(random, &PRINTS)
    };
    written.with_print(random, &print, colour).into()
}

/// Where a circle is, against the digit's own half diagonal.
fn circled(random: &mut Random, image: &[u8; 784], reach: (f32, f32)) -> DynamicImage {
    let mut written = written(random, image, (100.0, 260.0), (0.3, 0.6));
    let ((cx, cy), (w, h)) = (written.centre(), written.half());
    let pen = written.pen(random);
    let factor = random.within(reach.0, reach.1);
    let off = written.size * 0.04;
    let centre = (cx + random.within(-off, off), cy + random.within(-off, off));
    let radii = (
        (w.max(0.6 * h) + pen) * factor,
        (h + pen) * factor * random.within(0.95, 1.1),
    );
    written.sheet.circle(random, centre, radii, pen);
    written.picture(random)
}

fn underlined(
    random: &mut Random,
    image: &[u8; 784],
    gap: (f32, f32),
    lines: usize,
) -> DynamicImage {
    let mut written = written(random, image, (100.0, 260.0), (0.25, 0.5));
    let ((cx, _), (w, _)) = (written.centre(), written.half());
    let pen = written.pen(random);
    let half = w.max(0.25 * written.size) * random.within(0.9, 1.7);
    let mut y = written.bounds[3] + written.size * random.within(gap.0, gap.1);
    for _ in 0..lines {
        let slope = half * random.within(-0.12, 0.12);
        let side = random.within(-0.1, 0.1) * written.size;
        let ends = [(cx - half + side, y + slope), (cx + half + side, y - slope)];
        let shake = 0.03 * written.size;
        written.sheet.by_hand(random, &ends, pen, shake);
        y += pen + written.size * random.within(0.05, 0.12);
    }
    written.picture(random)
}

/// How a digit is struck out.
#[derive(Clone, Copy)]
enum Strike {
    Diagonal,
    Horizontal,
    Double,
    Zigzag,
    Cross,
}

fn struck(random: &mut Random, image: &[u8; 784], strike: Strike) -> DynamicImage {
    let mut written = written(random, image, (100.0, 260.0), (0.25, 0.5));
    let ((cx, cy), (w, h)) = (written.centre(), written.half());
    let pen = written.pen(random);
    let over = random.within(0.85, 1.35);
    let (w, h) = (w.max(0.45 * h) * over, h * over);
    let shake = 0.04 * written.size;
    let off = |random: &mut Random| random.within(-0.06, 0.06) * written.size;
    let (dx, dy) = (off(random), off(random));
    let (cx, cy) = (cx + dx, cy + dy);
    let side = if random.below(2) == 0 { 1.0 } else { -1.0 };
    let steep = random.within(0.5, 1.0) * side;
    let sheet = &mut written.sheet;
    match strike {
        Strike::Diagonal => {
            sheet.by_hand(
                random,
                &[(cx - w, cy + h * steep), (cx + w, cy - h * steep)],
                pen,
                shake,
            );
        }
        Strike::Horizontal => {
            let slope = 0.12 * h * steep;
            sheet.by_hand(
                random,
                &[(cx - w, cy + slope), (cx + w, cy - slope)],
                pen,
                shake,
            );
        }
        Strike::Double => {
            let (slope, apart) = (
                random.within(-0.3, 1.0) * h * side * 0.5,
                h * random.within(0.12, 0.3) + pen * 0.7,
            );
            for y in [cy - apart, cy + apart] {
                sheet.by_hand(
                    random,
                    &[(cx - w, y + slope), (cx + w, y - slope)],
                    pen,
                    shake,
                );
            }
        }
        Strike::Zigzag => {
            let turns = 4 + random.below(5);
            let upright = random.below(2) == 0;
            let points: Vec<(f32, f32)> = (0..=turns)
                .map(|turn| {
                    let along = 2.0 * turn as f32 / turns as f32 - 1.0;
                    let across = if turn % 2 == 0 { -1.0 } else { 1.0 } * random.within(0.7, 1.0);
                    if upright {
                        (cx + w * across, cy + h * along)
                    } else {
                        (cx + w * along, cy + 0.7 * h * across)
                    }
                })
                .collect();
            sheet.by_hand(random, &points, pen, shake);
        }
        Strike::Cross => {
            sheet.by_hand(random, &[(cx - w, cy + h), (cx + w, cy - h)], pen, shake);
            sheet.by_hand(random, &[(cx - w, cy - h), (cx + w, cy + h)], pen, shake);
        }
    }
    written.picture(random)
}

/// A tick over the digit or at its side.
fn ticked(random: &mut Random, image: &[u8; 784], beside: bool) -> DynamicImage {
    let mut written = written(random, image, (100.0, 260.0), (0.4, 0.7));
    let ((cx, cy), (w, h)) = (written.centre(), written.half());
    let pen = written.pen(random);
    let size = h * random.within(0.5, 1.1);
    let x = cx
        + if beside {
            w + size * random.within(0.3, 0.7)
        } else {
            random.within(-0.4, 0.4) * w
        };
    let y = cy + random.within(-0.3, 0.5) * h;
    let points = [
        (x - 0.5 * size, y),
        (x - 0.1 * size, y + 0.5 * size),
        (x + 0.8 * size, y - 0.9 * size),
    ];
    let shake = 0.03 * written.size;
    written.sheet.by_hand(random, &points, pen, shake);
    written.picture(random)
}

/// Ink that doesn't cover: a marker that runs dry, a pencil, chalk.
#[derive(Clone, Copy)]
enum Tool {
    Marker,
    Pencil,
    Chalk,
}

fn textured(random: &mut Random, image: &[u8; 784], tool: Tool) -> DynamicImage {
    let mut written = written(random, image, (120.0, 420.0), (0.1, 0.4));
    let (width, height) = (written.sheet.width, written.sheet.height);
    // Streaks along one direction, grain of one size.
    let (angle, grain) = match tool {
        Tool::Marker => (random.within(-0.6, 0.6), (5.0, 1.2)),
        Tool::Pencil => (random.within(0.5, 1.2), (2.0, 1.2)),
        Tool::Chalk => (0.0, (2.2, 2.2)),
    };
    let grain = (
        grain.0 * written.size / 150.0,
        (grain.1 * written.size / 150.0).max(1.0),
    );
    let (sin, cos) = f32::sin_cos(angle);
    let seed = random.next_u64();
    let least = match tool {
        Tool::Marker => 0.3,
        Tool::Pencil => 0.15,
        Tool::Chalk => 0.0,
    };
    let cover = random.within(0.35, 0.7);
    for y in 0..height {
        for x in 0..width {
            let (x, y) = (x as f32, y as f32);
            let (u, v) = ((x * cos + y * sin) / grain.0, (y * cos - x * sin) / grain.1);
            let value = smooth_noise(seed, u, v);
            let share = ((value - cover) / 0.2 + 0.8).clamp(least, 1.0);
            written.sheet.share[y as usize * width as usize + x as usize] *= share;
        }
    }
    let (paper, pen) = match tool {
        Tool::Marker => ([245.0; 3], [25.0, 25.0, 30.0]),
        Tool::Pencil => ([240.0, 238.0, 232.0], [70.0; 3]),
        Tool::Chalk => ([40.0, 60.0, 50.0], [235.0; 3]),
    };
    let picture = on_paper(paper, &[(&written.sheet, pen)], |_, _| 1.0);
    noisy(picture, random, 4.0).into()
}

/// Values from 0 to 1 on the corners of a grid, and between them in between.
fn smooth_noise(seed: u64, u: f32, v: f32) -> f32 {
    let corner = |u: f32, v: f32| {
        let at = (u as i64 as u64).wrapping_mul(0x1f1f_1f1f_1f1f_1f15)
            ^ (v as i64 as u64).wrapping_mul(0x2545_f491_4f6c_dd1d);
        Random(seed ^ at).within(0.0, 1.0)
    };
    let (x, y) = (u.floor(), v.floor());
    let (s, t) = (u - x, v - y);
    let above = corner(x, y) * (1.0 - s) + corner(x + 1.0, y) * s;
    let below = corner(x, y + 1.0) * (1.0 - s) + corner(x + 1.0, y + 1.0) * s;
    above * (1.0 - t) + below * t
}

/// Every kind and its name. What begins with "marked" may be read without the mark or refused, but
/// not read as another digit.
pub const KINDS: &[(&str, Draw)] = &[
    ("clean 64", |r, i| clean(r, i, 44.0)),
    ("clean 192", |r, i| clean(r, i, 140.0)),
    ("clean 500", |r, i| clean(r, i, 400.0)),
    ("light on dark", |r, i| {
        let w = written(r, i, (80.0, 300.0), (0.1, 0.4));
        on_paper(
            [15.0, 15.0, 20.0],
            &[(&w.sheet, [240.0, 240.0, 170.0])],
            |_, _| 1.0,
        )
        .into()
    }),
    ("photo", |r, i| {
        let w = written(r, i, (100.0, 400.0), (0.2, 0.8));
        let (paper, pen) = (any(r, &PAPERS), any(r, &PENS));
        let picture = on_paper(paper, &[(&w.sheet, pen)], |_, _| 1.0);
        photo(r, picture)
    }),
    ("small on a page", |r, i| {
        let w = written(r, i, (60.0, 90.0), (3.0, 4.0));
        w.picture(r)
    }),
    ("ruled 0°", |r, i| ruled(r, i, 0.0, false).into()),
    ("ruled 2.5°", |r, i| ruled(r, i, 2.5, false).into()),
    ("ruled 5°", |r, i| ruled(r, i, 5.0, false).into()),
    ("ruled 8°", |r, i| ruled(r, i, 8.0, false).into()),
    ("ruled 12°", |r, i| ruled(r, i, 12.0, false).into()),
    ("squared 0°", |r, i| ruled(r, i, 0.0, true).into()),
    ("squared 2.5°", |r, i| ruled(r, i, 2.5, true).into()),
    ("squared 5°", |r, i| ruled(r, i, 5.0, true).into()),
    ("squared 8°", |r, i| ruled(r, i, 8.0, true).into()),
    ("squared 12°", |r, i| ruled(r, i, 12.0, true).into()),
    ("photo of ruled paper", |r, i| {
        let tilt = r.within(0.0, 12.0);
        let picture = ruled(r, i, tilt, false);
        photo(r, picture)
    }),
    ("box", |r, i| form(r, i, Form::Box, false, (0.05, 0.2))),
    ("box, black", |r, i| {
        form(r, i, Form::Box, true, (0.05, 0.2))
    }),
    ("box that the digit touches", |r, i| {
        form(r, i, Form::Box, false, (-0.06, 0.04))
    }),
    ("box that the digit touches, black", |r, i| {
        form(r, i, Form::Box, true, (-0.06, 0.04))
    }),
    ("comb", |r, i| form(r, i, Form::Comb, false, (0.05, 0.2))),
    ("comb, black", |r, i| {
        form(r, i, Form::Comb, true, (0.05, 0.2))
    }),
    ("comb that the digit touches, black", |r, i| {
        form(r, i, Form::Comb, true, (-0.06, 0.04))
    }),
    ("grid", |r, i| form(r, i, Form::Grid, false, (0.05, 0.2))),
    ("grid, black", |r, i| {
        form(r, i, Form::Grid, true, (0.05, 0.2))
    }),
    ("grid that the digit touches, black", |r, i| {
        form(r, i, Form::Grid, true, (-0.06, 0.04))
    }),
    ("marker", |r, i| textured(r, i, Tool::Marker)),
    ("pencil", |r, i| textured(r, i, Tool::Pencil)),
    ("chalk", |r, i| textured(r, i, Tool::Chalk)),
    ("marked: circle apart", |r, i| circled(r, i, (1.25, 1.6))),
    ("marked: circle that touches", |r, i| {
        circled(r, i, (0.85, 1.15))
    }),
    ("marked: underline apart", |r, i| {
        underlined(r, i, (0.06, 0.2), 1)
    }),
    ("marked: underline that touches", |r, i| {
        underlined(r, i, (-0.05, 0.04), 1)
    }),
    ("marked: two underlines", |r, i| {
        underlined(r, i, (-0.02, 0.15), 2)
    }),
    ("marked: struck out, diagonal", |r, i| {
        struck(r, i, Strike::Diagonal)
    }),
    ("marked: struck out, horizontal", |r, i| {
        struck(r, i, Strike::Horizontal)
    }),
    ("marked: struck out, double", |r, i| {
        struck(r, i, Strike::Double)
    }),
    ("marked: struck out, zigzag", |r, i| {
        struck(r, i, Strike::Zigzag)
    }),
    ("marked: struck out, cross", |r, i| {
        struck(r, i, Strike::Cross)
    }),
    ("marked: tick over it", |r, i| ticked(r, i, false)),
    ("marked: tick beside it", |r, i| ticked(r, i, true)),
];
