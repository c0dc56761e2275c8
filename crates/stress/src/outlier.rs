use data::{ImageShape, Random};
use serde::{Deserialize, Serialize};

use crate::canvas::Canvas;
use crate::draws::{Purpose, between, normal, stream};

/// An image far from any data set: it shows nothing that a classifier has a class for, so that any class
/// is a wrong answer.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Outlier {
    /// One shade everywhere: black for index 0, white for 1, then any.
    Blank,
    /// Each value drawn evenly from black to white.
    UniformNoise,
    /// Each value normal about a middle grey, with a standard deviation of a quarter of the range.
    GaussianNoise,
    /// Squares of 1 to 7 pixels (of 28), black and one shade of light.
    Checkerboard,
    /// One straight stroke, within 30° of the horizontal so that it is no digit 1.
    Stroke,
}

impl Outlier {
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

    /// The image, `[channels, height, width]`, drawn for (`seed`, `index`). Noise has a value of its own
    /// in each channel, the others are grey.
    pub fn image(self, shape: ImageShape, seed: u64, index: usize) -> Vec<u8> {
        let random = &mut stream(Purpose::Outlier, self as u64, seed, index);
        let ImageShape {
            channels,
            height,
            width,
        } = shape;
        let rows = channels * height;
        let (canvas, copies) = match self {
            Self::Blank => {
                let shade = match index {
                    0 => 0.0,
                    1 => 1.0,
                    _ => between(random, 0.0, 1.0),
                };
                (Canvas::new(height, width, |_, _| shade), channels)
            }
            Self::UniformNoise => {
                let noise = Canvas::new(rows, width, |_, _| between(random, 0.0, 1.0));
                (noise, 1)
            }
            Self::GaussianNoise => {
                let noise = Canvas::new(rows, width, |_, _| 0.5 + 0.25 * normal(random));
                (noise, 1)
            }
            Self::Checkerboard => (checkerboard(height, width, random), channels),
            Self::Stroke => (stroke(height, width, random), channels),
        };
        canvas.bytes().collect::<Vec<u8>>().repeat(copies)
    }
}

fn checkerboard(height: usize, width: usize, random: &mut Random) -> Canvas {
    let black = Canvas::new(height, width, |_, _| 0.0);
    let pixels = |steps: u64| (steps as f64 * black.unit()).round() as usize;
    let side = pixels(1 + random.below(7)).max(1);
    let (right, down) = (pixels(random.below(14)), pixels(random.below(14)));
    let light = between(random, 0.5, 1.0);
    black.alike(|x, y| {
        let odd = !((x + right) / side + (y + down) / side).is_multiple_of(2);
        if odd { light } else { 0.0 }
    })
}

fn stroke(height: usize, width: usize, random: &mut Random) -> Canvas {
    let mut canvas = Canvas::new(height, width, |_, _| 0.0);
    let unit = canvas.unit();
    let (sin, cos) = between(random, -30.0, 30.0).to_radians().sin_cos();
    let half = between(random, 4.0, 10.0) * unit;
    let [x, y] = [width, height].map(|side| side as f64 / 2.0 - 0.5);
    let end = |side: f64| [x + side * half * cos, y + side * half * sin];
    canvas.stroke([end(-1.0), end(1.0)], between(random, 1.5, 3.5) * unit);
    canvas
}
