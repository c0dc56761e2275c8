//! A 28×28 image of real numbers to draw on, and the draws that pictures are made from.

use crate::{HEIGHT, PIXELS, Random, WIDTH};

/// `[28, 28]` values row by row, 0 for black and 1 for white; drawing may leave that range until
/// [`Canvas::bytes`] brings it back.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Canvas(pub [f64; PIXELS]);

impl Canvas {
    pub fn filled(value: f64) -> Self {
        Self([value; PIXELS])
    }

    pub fn of(image: &[u8]) -> Self {
        assert_eq!(image.len(), PIXELS);
        Self::from_fn(|x, y| f64::from(image[y * WIDTH + x]) / 255.0)
    }

    /// The value of each pixel from its column and row.
    pub fn from_fn(mut value: impl FnMut(usize, usize) -> f64) -> Self {
        Self(std::array::from_fn(|at| value(at % WIDTH, at / WIDTH)))
    }

    pub fn bytes(&self) -> [u8; PIXELS] {
        self.0
            .map(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8)
    }

    /// The pixel in a column and row, 0 outside the image.
    pub fn at(&self, x: isize, y: isize) -> f64 {
        let inside = (0..WIDTH as isize).contains(&x) && (0..HEIGHT as isize).contains(&y);
        if inside {
            self.0[y as usize * WIDTH + x as usize]
        } else {
            0.0
        }
    }

    /// The value at a point between pixels, bilinear.
    pub fn sample(&self, x: f64, y: f64) -> f64 {
        let (left, top) = (x.floor(), y.floor());
        let (right, below) = (x - left, y - top);
        let (left, top) = (left as isize, top as isize);
        let row = |y| self.at(left, y) * (1.0 - right) + self.at(left + 1, y) * right;
        row(top) * (1.0 - below) + row(top + 1) * below
    }

    /// Draws a straight stroke with smooth edges; `points` are columns and rows of pixel centres.
    pub fn stroke(&mut self, points: [[f64; 2]; 2], width: f64) {
        let [[x0, y0], [x1, y1]] = points;
        let (dx, dy) = (x1 - x0, y1 - y0);
        let squared = (dx * dx + dy * dy).max(f64::MIN_POSITIVE);
        for (at, value) in self.0.iter_mut().enumerate() {
            let (x, y) = ((at % WIDTH) as f64 - x0, (at / WIDTH) as f64 - y0);
            let along = ((x * dx + y * dy) / squared).clamp(0.0, 1.0);
            let (off_x, off_y) = (x - along * dx, y - along * dy);
            let distance = (off_x * off_x + off_y * off_y).sqrt();
            let ink = (width / 2.0 + 0.5 - distance).clamp(0.0, 1.0);
            *value = value.max(ink);
        }
    }

    /// Gaussian blur with a standard deviation in pixels; the border pixels go on outside.
    pub fn blurred(&self, deviation: f64) -> Self {
        let reach = (3.0 * deviation).ceil() as isize;
        let weights: Vec<f64> = (-reach..=reach)
            .map(|offset| (-0.5 * (offset as f64 / deviation).powi(2)).exp())
            .collect();
        let total: f64 = weights.iter().sum();
        let pass = |from: &Self, step: [isize; 2]| {
            Self::from_fn(|x, y| {
                let sum: f64 = (-reach..=reach)
                    .zip(&weights)
                    .map(|(offset, weight)| {
                        let x = (x as isize + offset * step[0]).clamp(0, WIDTH as isize - 1);
                        let y = (y as isize + offset * step[1]).clamp(0, HEIGHT as isize - 1);
                        weight * from.at(x, y)
                    })
                    .sum();
                sum / total
            })
        };
        pass(&pass(self, [1, 0]), [0, 1])
    }
}

/// A number drawn evenly from `low` to `high`.
pub(crate) fn between(random: &mut Random, low: f64, high: f64) -> f64 {
    low + (high - low) * (random.symmetric() + 1.0) / 2.0
}

/// The same with either sign.
pub(crate) fn either_way(random: &mut Random, low: f64, high: f64) -> f64 {
    let amount = between(random, low, high);
    if random.below(2) == 0 {
        amount
    } else {
        -amount
    }
}

/// A number from the standard normal distribution (Box and Muller 1958).
pub(crate) fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * between(random, 0.0, 1.0).max(f64::MIN_POSITIVE).ln()).sqrt();
    radius * between(random, 0.0, std::f64::consts::TAU).cos()
}

/// A number from the Poisson distribution of a small mean (Knuth, TAOCP 3.4.1, algorithm Q).
pub(crate) fn poisson(random: &mut Random, mean: f64) -> f64 {
    let limit = (-mean).exp();
    let (mut count, mut product) = (0.0, between(random, 0.0, 1.0));
    while product > limit {
        count += 1.0;
        product *= between(random, 0.0, 1.0);
    }
    count
}
