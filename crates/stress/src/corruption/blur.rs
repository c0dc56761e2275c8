use data::Random;

use crate::canvas::Canvas;
use crate::draws::between;

/// Standard deviation of the blur before and after the exchange, in pixels of 28.
const GLASS_BLUR: f64 = 0.7;

/// How far a pixel may move in one of the two exchanges, in pixels of 28.
const GLASS_REACH: f64 = 1.0;

/// Pixels of 28 that the image moves.
const MOTION: f64 = 6.0;

pub fn glass(image: &Canvas, random: &mut Random) -> Canvas {
    let blur = GLASS_BLUR * image.unit();
    let reach = (GLASS_REACH * image.unit()).round().max(1.0) as usize;
    let mut glass = image.blurred(blur);
    let (height, width) = (image.height, image.width);
    let mut step = || random.below(2 * reach as u64 + 1) as usize;
    for _ in 0..2 {
        for y in reach..height.saturating_sub(reach) {
            for x in reach..width.saturating_sub(reach) {
                let (other_x, other_y) = (x + step() - reach, y + step() - reach);
                let other = other_y * width + other_x;
                glass.values.swap(y * width + x, other);
            }
        }
    }
    glass.blurred(blur)
}

pub fn motion(image: &Canvas, random: &mut Random) -> Canvas {
    let (dy, dx) = between(random, -45.0, 45.0).to_radians().sin_cos();
    let motion = MOTION * image.unit();
    let moments = 2 * (motion.round() as usize).max(1) + 1;
    image.alike(|x, y| {
        let sum: f64 = (0..moments)
            .map(|moment| motion * (moment as f64 / (moments - 1) as f64 - 0.5))
            .map(|way| image.sample(x as f64 + way * dx, y as f64 + way * dy))
            .sum();
        sum / moments as f64
    })
}
