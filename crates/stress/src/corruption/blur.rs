use crate::canvas::{Canvas, between};
use crate::{HEIGHT, Random, WIDTH};

/// Standard deviation of the blur before and after the exchange, in pixels.
const GLASS_BLUR: f64 = 0.7;

/// How far a pixel may move in one of the two exchanges.
const GLASS_REACH: usize = 1;

/// Pixels that the image moves.
const MOTION: f64 = 6.0;

pub fn glass(image: &Canvas, random: &mut Random) -> Canvas {
    let mut glass = image.blurred(GLASS_BLUR);
    let mut step = || random.below(2 * GLASS_REACH as u64 + 1) as usize;
    for _ in 0..2 {
        for y in GLASS_REACH..HEIGHT - GLASS_REACH {
            for x in GLASS_REACH..WIDTH - GLASS_REACH {
                let (other_x, other_y) = (x + step() - GLASS_REACH, y + step() - GLASS_REACH);
                glass.0.swap(y * WIDTH + x, other_y * WIDTH + other_x);
            }
        }
    }
    glass.blurred(GLASS_BLUR)
}

pub fn motion(image: &Canvas, random: &mut Random) -> Canvas {
    let (dy, dx) = between(random, -45.0, 45.0).to_radians().sin_cos();
    let moments = 2 * MOTION as usize + 1;
    Canvas::from_fn(|x, y| {
        let sum: f64 = (0..moments)
            .map(|moment| MOTION * (moment as f64 / (moments - 1) as f64 - 0.5))
            .map(|way| image.sample(x as f64 + way * dx, y as f64 + way * dy))
            .sum();
        sum / moments as f64
    })
}
