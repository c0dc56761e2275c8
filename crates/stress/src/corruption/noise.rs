use data::Random;

use crate::canvas::Canvas;
use crate::draws::{between, poisson};

/// Photons that a white pixel receives on average.
const PHOTONS: f64 = 5.0;

/// Share of the pixels that lose their value.
const LOST: f64 = 0.2;

pub fn shot(image: &Canvas, random: &mut Random) -> Canvas {
    image.map(|value| poisson(random, value * PHOTONS) / PHOTONS)
}

pub fn impulse(image: &Canvas, random: &mut Random) -> Canvas {
    image.map(|&value| match between(random, 0.0, 1.0) {
        draw if draw < LOST / 2.0 => 0.0,
        draw if draw < LOST => 1.0,
        _ => value,
    })
}
