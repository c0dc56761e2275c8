use crate::canvas::{Canvas, between};
use crate::{Random, WIDTH};

/// Columns of the stripe.
const STRIPE: usize = 6;

/// Brightness of the fog where it is thickest, in units of the ink.
const FOG: f64 = 1.0;

/// Cells of the plasma fractal along a side: the power of two above 28.
const CELLS: usize = 32;

pub fn brightness(image: &Canvas, random: &mut Random) -> Canvas {
    let light = between(random, 0.3, 0.5);
    Canvas(image.0.map(|value| value + light))
}

pub fn stripe(image: &Canvas, random: &mut Random) -> Canvas {
    let left = (WIDTH - STRIPE) / 2 - 2 + random.below(5) as usize;
    Canvas::from_fn(|x, y| {
        let value = image.at(x as isize, y as isize);
        if (left..left + STRIPE).contains(&x) {
            1.0 - value
        } else {
            value
        }
    })
}

/// The fog is added, and the whole darkened to the old brightest value.
pub fn fog(image: &Canvas, random: &mut Random) -> Canvas {
    let plasma = plasma(random);
    Canvas::from_fn(|x, y| {
        let fog = FOG * plasma[y * CELLS + x];
        (image.at(x as isize, y as isize) + fog) / (1.0 + FOG)
    })
}

/// A plasma fractal by the diamond-square method (Fournier, Fussell and Carpenter 1982), on a torus
/// of `[32, 32]` cells, from 0 to 1.
fn plasma(random: &mut Random) -> Vec<f64> {
    let mut cells = vec![0.0; CELLS * CELLS];
    let cell = |x: usize, y: usize| (y % CELLS) * CELLS + x % CELLS;
    let (mut step, mut roughness) = (CELLS, 1.0);
    while step > 1 {
        let half = step / 2;
        for y in (0..CELLS).step_by(step) {
            for x in (0..CELLS).step_by(step) {
                let corners = [(x, y), (x + step, y), (x, y + step), (x + step, y + step)];
                let mean = corners.iter().map(|&(x, y)| cells[cell(x, y)]).sum::<f64>() / 4.0;
                cells[cell(x + half, y + half)] = mean + roughness * random.symmetric();
            }
        }
        for y in (0..CELLS).step_by(half) {
            let from = if (y / half).is_multiple_of(2) {
                half
            } else {
                0
            };
            for x in (from..CELLS).step_by(step) {
                let around = [
                    (x + half, y),
                    (x + CELLS - half, y),
                    (x, y + half),
                    (x, y + CELLS - half),
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
