use crate::canvas::{Canvas, between, normal};
use crate::{HEIGHT, Random, WIDTH};

/// Share of the image that is splashed.
const SPLASHED: f64 = 0.1;

/// Teeth of the zigzag.
const TEETH: usize = 6;

pub fn spatter(image: &Canvas, random: &mut Random) -> Canvas {
    let drops = Canvas::filled(0.0).0.map(|_| normal(random));
    let drops = Canvas(drops).blurred(1.2);
    let mut levels = drops.0;
    levels.sort_unstable_by(f64::total_cmp);
    let edge = levels[((1.0 - SPLASHED) * levels.len() as f64) as usize];
    let thickest = levels[levels.len() - 1];
    let depth = (thickest - edge).max(f64::MIN_POSITIVE);
    Canvas(std::array::from_fn(|at| {
        let splash = ((drops.0[at] - edge) / depth).clamp(0.0, 1.0);
        // A splash is white soon behind its edge.
        image.0[at].max((4.0 * splash).min(1.0))
    }))
}

pub fn dotted_line(image: &Canvas, random: &mut Random) -> Canvas {
    let [from, to] = across(random);
    let length = ((to[0] - from[0]).powi(2) + (to[1] - from[1]).powi(2)).sqrt();
    let mut marked = image.clone();
    let dots = (length / 3.0) as usize;
    for dot in 0..=dots {
        let along = dot as f64 / dots.max(1) as f64;
        let point = [0, 1].map(|axis| from[axis] + along * (to[axis] - from[axis]));
        marked.stroke([point, point], 1.4);
    }
    marked
}

pub fn zigzag(image: &Canvas, random: &mut Random) -> Canvas {
    let [from, to] = across(random);
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let length = (dx * dx + dy * dy).sqrt().max(1.0);
    let corner = |index: usize| {
        let along = index as f64 / (2 * TEETH) as f64;
        let aside = if index.is_multiple_of(2) { 2.5 } else { -2.5 } / length;
        [
            from[0] + along * dx - aside * dy,
            from[1] + along * dy + aside * dx,
        ]
    };
    let mut marked = image.clone();
    for index in 0..2 * TEETH {
        marked.stroke([corner(index), corner(index + 1)], 1.0);
    }
    marked
}

/// The ends of a line from the left to the right side.
fn across(random: &mut Random) -> [[f64; 2]; 2] {
    let mut height = || between(random, 3.0, (HEIGHT - 4) as f64);
    [[1.0, height()], [(WIDTH - 2) as f64, height()]]
}
