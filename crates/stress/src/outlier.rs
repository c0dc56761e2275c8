use serde::{Deserialize, Serialize};

use crate::canvas::{Canvas, between, normal};
use crate::random::Purpose;
use crate::{PIXELS, Random, WIDTH};

/// An image that shows no digit. Whoever answers it with a digit is wrong.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[serde(rename_all = "snake_case")]
pub enum NonDigit {
    /// One shade everywhere: black for index 0, white for 1, then any.
    Blank,
    /// Each pixel drawn evenly from black to white.
    UniformNoise,
    /// Each pixel normal about a middle grey, with a standard deviation of a quarter of the range.
    GaussianNoise,
    /// Squares of 1 to 7 pixels, black and one shade of light.
    Checkerboard,
    /// One straight stroke, within 30° of the horizontal so that it is no 1.
    Stroke,
}

impl NonDigit {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Blank,
        Self::UniformNoise,
        Self::GaussianNoise,
        Self::Checkerboard,
        Self::Stroke,
    ];

    /// The name for people, such as `uniform noise`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::UniformNoise => "uniform noise",
            Self::GaussianNoise => "gaussian noise",
            Self::Checkerboard => "checkerboard",
            Self::Stroke => "single stroke",
        }
    }

    /// The image, `[28, 28]`, drawn for (`seed`, `index`).
    pub fn image(self, seed: u64, index: usize) -> [u8; PIXELS] {
        let key = [Purpose::NonDigit as u64, self as u64, seed, index as u64];
        let random = &mut Random::keyed(&key);
        let canvas = match self {
            Self::Blank => Canvas::filled(match index {
                0 => 0.0,
                1 => 1.0,
                _ => between(random, 0.0, 1.0),
            }),
            Self::UniformNoise => Canvas::from_fn(|_, _| between(random, 0.0, 1.0)),
            Self::GaussianNoise => Canvas::from_fn(|_, _| 0.5 + 0.25 * normal(random)),
            Self::Checkerboard => checkerboard(random),
            Self::Stroke => stroke(random),
        };
        canvas.bytes()
    }
}

fn checkerboard(random: &mut Random) -> Canvas {
    let side = 1 + random.below(7) as usize;
    let (right, down) = (random.below(14) as usize, random.below(14) as usize);
    let light = between(random, 0.5, 1.0);
    Canvas::from_fn(|x, y| {
        let odd = !((x + right) / side + (y + down) / side).is_multiple_of(2);
        if odd { light } else { 0.0 }
    })
}

fn stroke(random: &mut Random) -> Canvas {
    let (sin, cos) = between(random, -30.0, 30.0).to_radians().sin_cos();
    let half = between(random, 4.0, 10.0);
    let centre = WIDTH as f64 / 2.0 - 0.5;
    let end = |side: f64| [centre + side * half * cos, centre + side * half * sin];
    let mut canvas = Canvas::filled(0.0);
    canvas.stroke([end(-1.0), end(1.0)], between(random, 1.5, 3.5));
    canvas
}
