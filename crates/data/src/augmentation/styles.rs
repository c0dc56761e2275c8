//! Strokes that some hands put to a digit and others don't.
//!
//! MNIST was written by Americans. Elsewhere a 1 has an upstroke and often a foot, a 7 a bar through
//! its stem, a 9 a hook at its end; a 4 is open here and closed there. What is painted has the width and
//! the brightness of the strokes that are there.

use super::pen::{Canvas, Point};
use crate::random::Random;

/// What is painted on one digit.
pub(super) struct Styles {
    digit: u8,
    /// Drawn evenly from 0 to 1, each for its own use.
    draws: [f64; 9],
}

impl Styles {
    /// Draws whether a digit of which a `share` is painted is one of them, and how.
    pub(super) fn draw(share: f64, digit: u8, random: &mut Random) -> Option<Self> {
        let chosen = random.unit() < share && [1, 4, 7, 9].contains(&digit);
        chosen.then(|| Self {
            digit,
            draws: std::array::from_fn(|_| random.unit()),
        })
    }

    /// Paints on one channel, `[height, width]`. What has no ink stays as it is.
    pub(super) fn paint(&self, plane: &mut [u8], width: usize) {
        let Some(hand) = Hand::of(plane, width) else {
            return;
        };
        let mut canvas = Canvas {
            plane,
            width,
            // A pen is never quite the same.
            radius: hand.stroke * (0.4 + 0.15 * self.draws[8]),
            ink: hand.ink,
        };
        match self.digit {
            1 => self.one(&hand, &mut canvas),
            4 => self.four(&hand, &mut canvas),
            7 => self.seven(&hand, &mut canvas),
            _ => self.nine(&hand, &mut canvas),
        }
    }

    /// The upstroke, the foot, or both; or a stem as fat as that of a small 1 that was enlarged.
    fn one(&self, hand: &Hand, canvas: &mut Canvas<'_>) {
        let [kind, angle, length, bend, foot, left, right, fat, _] = self.draws;
        // As wide as this, it has them already.
        if hand.width() > 0.6 * hand.height() {
            return;
        }
        let top = hand.at_row(canvas, hand.top + 0.3 * hand.stroke);
        let bottom = hand.at_row(canvas, hand.bottom - 0.3 * hand.stroke);
        if fat > 0.4 {
            canvas.radius *= 1.0 + 3.5 * (fat - 0.4);
            canvas.line(top, bottom);
        }
        if kind < 0.8 {
            let (sin, cos) = (15.0 + 55.0 * angle).to_radians().sin_cos();
            let length = (0.15 + 0.45 * length) * hand.height();
            let end = [top[0] - cos * length, top[1] + sin * length];
            let bend = (bend - 0.5) * 0.3 * length;
            let middle = [
                (top[0] + end[0]) / 2.0 - sin * bend,
                (top[1] + end[1]) / 2.0 - cos * bend,
            ];
            canvas.curve(top, middle, end);
        }
        if (0.65..0.95).contains(&kind) {
            let reach = |draw: f64| (0.12 + 0.23 * draw) * hand.height();
            let tilt = (foot - 0.5) * 0.15 * hand.height();
            let start = [bottom[0] - reach(left), bottom[1] + tilt];
            let end = [bottom[0] + reach(right), bottom[1] - tilt];
            canvas.line(start, end);
        }
    }

    /// The diagonal that closes it, the gap that opens it, or a stem that begins lower than the arm.
    fn four(&self, hand: &Hand, canvas: &mut Canvas<'_>) {
        let [kind, height, ..] = self.draws;
        let rows = |share: f64| hand.top as usize..(hand.top + share * hand.height()) as usize;
        if kind < 0.2 {
            // An apex that is cut off leaves two arms.
            for y in rows(0.08 + 0.17 * height) {
                canvas.row_mut(y).fill(0);
            }
        } else if kind < 0.75 {
            for y in rows(0.2 + 0.4 * height) {
                hand.take_last_run(canvas.row_mut(y));
            }
        } else {
            let arm = hand.leftmost(canvas, hand.top..hand.top + 0.3 * hand.height());
            let stem = hand.rightmost(canvas, hand.top..hand.top + 0.4 * hand.height());
            if let (Some(arm), Some(stem)) = (arm, stem) {
                canvas.line(arm, stem);
            }
        }
    }

    /// The bar through the stem, or the serif at the start of the top.
    fn seven(&self, hand: &Hand, canvas: &mut Canvas<'_>) {
        let [kind, height, left, right, tilt, drop, ..] = self.draws;
        if kind < 0.75 {
            let row = hand.top + (0.42 + 0.2 * height) * hand.height();
            let stem = hand.at_row(canvas, row);
            let tilt = ((tilt - 0.4) * 50.0).to_radians().sin();
            let reach = |draw: f64| (0.15 + 0.2 * draw) * hand.height();
            let (left, right) = (reach(left), reach(right));
            canvas.line(
                [stem[0] - left, stem[1] + tilt * left],
                [stem[0] + right, stem[1] - tilt * right],
            );
        }
        if kind > 0.6 {
            let corner = hand.leftmost(canvas, hand.top..hand.top + 0.3 * hand.height());
            if let Some([x, y]) = corner {
                canvas.line([x, y], [x, y + (0.1 + 0.2 * drop) * hand.height()]);
            }
        }
    }

    /// The hook to the left at the end of the stem, flat or curled up.
    fn nine(&self, hand: &Hand, canvas: &mut Canvas<'_>) {
        let [length, rise, depth, ..] = self.draws;
        let [x, y] = hand.at_row(canvas, hand.bottom - 0.5 * hand.stroke);
        let length = (0.2 + 0.35 * length) * hand.height();
        let control = [x - 0.5 * length, y + (0.1 + 0.4 * depth) * length];
        let end = [x - length, y - (0.9 * rise - 0.05) * length];
        canvas.curve([x, y], control, end);
    }
}

/// How a digit was written.
struct Hand {
    /// The box around the ink.
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// The width of its strokes in pixels.
    stroke: f64,
    /// Their brightness.
    ink: u8,
}

impl Hand {
    fn of(plane: &[u8], width: usize) -> Option<Self> {
        let ink = plane.iter().copied().max()?;
        let inked = |pixel: u8| pixel > ink / 2;
        let (mut area, mut border) = (0_u32, 0_u32);
        let (mut low, mut high) = ([usize::MAX; 2], [0; 2]);
        let mut above: &[u8] = &[];
        for (y, row) in plane.chunks_exact(width).enumerate() {
            let mut left = false;
            for (x, &pixel) in row.iter().enumerate() {
                let here = inked(pixel);
                let up = above.get(x).is_some_and(|&pixel| inked(pixel));
                border += u32::from(here != left) + u32::from(here != up);
                left = here;
                if here {
                    area += 1;
                    low = [low[0].min(x), low[1].min(y)];
                    high = [high[0].max(x), high[1].max(y)];
                }
            }
            above = row;
        }
        if area == 0 || border == 0 || ink == 0 {
            return None;
        }
        Some(Self {
            left: low[0] as f64,
            right: high[0] as f64,
            top: low[1] as f64,
            bottom: high[1] as f64,
            // A stroke's border is twice its length, and a border of steps is longer by 4/π on
            // average over directions.
            stroke: (2.0 * f64::from(area) / (f64::from(border) * 0.785))
                .clamp(1.0, (0.2 * width as f64).max(1.0)),
            ink,
        })
    }

    fn height(&self) -> f64 {
        self.bottom - self.top + 1.0
    }

    fn width(&self) -> f64 {
        self.right - self.left + 1.0
    }

    /// The middle of the ink in a row of the box.
    fn at_row(&self, canvas: &Canvas<'_>, y: f64) -> Point {
        let y = y.clamp(self.top, self.bottom).round();
        let row = canvas.row(y as usize);
        let (mut mass, mut sum) = (0.0, 0.0);
        for (x, &pixel) in row.iter().enumerate() {
            mass += f64::from(pixel);
            sum += f64::from(pixel) * x as f64;
        }
        match mass > 0.0 {
            true => [sum / mass, y],
            false => [(self.left + self.right) / 2.0, y],
        }
    }

    /// Removes the rightmost of several strokes that a row crosses.
    fn take_last_run(&self, row: &mut [u8]) {
        let inked = |pixel: &u8| *pixel > self.ink / 2;
        let Some(last) = row.iter().rposition(inked) else {
            return;
        };
        let gap = row[..last].iter().rposition(|pixel| !inked(pixel));
        if let Some(gap) = gap.filter(|&gap| row[..gap].iter().any(inked)) {
            row[gap + 1..].fill(0);
        }
    }

    /// The leftmost ink within some rows.
    fn leftmost(&self, canvas: &Canvas<'_>, rows: std::ops::Range<f64>) -> Option<Point> {
        self.outermost(canvas, rows, |row, inked| row.iter().position(inked), -1.0)
    }

    /// The rightmost ink within some rows.
    fn rightmost(&self, canvas: &Canvas<'_>, rows: std::ops::Range<f64>) -> Option<Point> {
        self.outermost(canvas, rows, |row, inked| row.iter().rposition(inked), 1.0)
    }

    fn outermost(
        &self,
        canvas: &Canvas<'_>,
        rows: std::ops::Range<f64>,
        find: impl Fn(&[u8], &dyn Fn(&u8) -> bool) -> Option<usize>,
        sign: f64,
    ) -> Option<Point> {
        let inked = |pixel: &u8| *pixel > self.ink / 2;
        (rows.start as usize..=rows.end.min(self.bottom) as usize)
            .filter_map(|y| Some([find(canvas.row(y), &inked)? as f64, y as f64]))
            .max_by(|a, b| (sign * a[0]).total_cmp(&(sign * b[0])))
    }
}
