use data::Random;

use crate::canvas::Canvas;
use crate::draws::between;

/// Columns of the stripe, and how far it stands from the middle at most, of 28.
const STRIPE: [f64; 2] = [6.0, 2.0];

/// Brightness of the fog where it is thickest, in units of the ink.
const FOG: f64 = 1.0;

pub fn brightness(image: &Canvas, random: &mut Random) -> Canvas {
    let light = between(random, 0.3, 0.5);
    image.map(|value| value + light)
}

pub fn stripe(image: &Canvas, random: &mut Random) -> Canvas {
    let [column, _] = image.units();
    let [stripe, aside] = STRIPE.map(|columns| (columns * column).round() as usize);
    let stripe = stripe.max(1);
    let left = (image.width - stripe) / 2 + random.below(2 * aside as u64 + 1) as usize - aside;
    image.alike(|x, y| {
        let value = image.at(x as isize, y as isize);
        if (left..left + stripe).contains(&x) {
            1.0 - value
        } else {
            value
        }
    })
}

/// The fog is added, and the whole darkened to the old brightest value.
pub fn fog(image: &Canvas, random: &mut Random) -> Canvas {
    let cells = image.height.max(image.width).next_power_of_two();
    let plasma = plasma(cells, random);
    image.alike(|x, y| {
        let fog = FOG * plasma[y * cells + x];
        (image.at(x as isize, y as isize) + fog) / (1.0 + FOG)
    })
}

/// A plasma fractal by the diamond-square method (Fournier, Fussell and Carpenter 1982), on a torus
/// of `[side, side]` cells, from 0 to 1; `side` is a power of two.
fn plasma(side: usize, random: &mut Random) -> Vec<f64> {
    let mut cells = vec![0.0; side * side];
    let cell = |x: usize, y: usize| (y % side) * side + x % side;
    let (mut step, mut roughness) = (side, 1.0);
    while step > 1 {
        let half = step / 2;
        for y in (0..side).step_by(step) {
            for x in (0..side).step_by(step) {
                let corners = [(x, y), (x + step, y), (x, y + step), (x + step, y + step)];
                let mean = corners.iter().map(|&(x, y)| cells[cell(x, y)]).sum::<f64>() / 4.0;
                cells[cell(x + half, y + half)] = mean + roughness * random.symmetric();
            }
        }
        for y in (0..side).step_by(half) {
            let from = if (y / half).is_multiple_of(2) {
                half
            } else {
                0
            };
            for x in (from..side).step_by(step) {
                let around = [
                    (x + half, y),
                    (x + side - half, y),
                    (x, y + half),
                    (x, y + side - half),
                ];
                let mean = around.iter().map(|&(x, y)| cells[cell(x, y)]).sum::<f64>() / 4.0;
                cells[cell(x, y)] = mean + roughness * random.symmetric();
            }
        }
        step = half;
        roughness /= 2.0;
    }
    let low = cells.iter().copied().fold(f64::INFINITY, f64::min);
    let high = cells.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = (high - low).max(f64::MIN_POSITIVE);
    cells.iter().map(|value| (value - low) / range).collect()
}
