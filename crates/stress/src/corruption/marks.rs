use data::Random;

use crate::canvas::Canvas;
use crate::draws::{between, normal};

/// Share of the image that is splashed.
const SPLASHED: f64 = 0.1;

/// Standard deviation of the blur that makes drops of noise, in pixels of 28.
const DROPS: f64 = 1.2;

/// From one dot of the line to the next, and how thick they are, in pixels of 28.
const DOTS: [f64; 2] = [3.0, 1.4];

/// Teeth of the zigzag.
const TEETH: usize = 6;

/// How far the teeth reach to either side, and how thick they are, in pixels of 28.
const TOOTH: [f64; 2] = [2.5, 1.0];

pub fn spatter(image: &Canvas, random: &mut Random) -> Canvas {
    let drops = image.map(|_| normal(random));
    let drops = drops.blurred(DROPS * image.unit()).values;
    let mut levels = drops.clone();
    levels.sort_unstable_by(f64::total_cmp);
    let edge = levels[((1.0 - SPLASHED) * levels.len() as f64) as usize];
    let thickest = levels[levels.len() - 1];
    let depth = (thickest - edge).max(f64::MIN_POSITIVE);
    image.alike(|x, y| {
        let at = y * image.width + x;
        let splash = ((drops[at] - edge) / depth).clamp(0.0, 1.0);
        // A splash is white soon behind its edge.
        image.values[at].max((4.0 * splash).min(1.0))
    })
}

pub fn dotted_line(image: &Canvas, random: &mut Random) -> Canvas {
    let [gap, thickness] = DOTS.map(|pixels| pixels * image.unit());
    let [from, to] = across(image, random);
    let length = ((to[0] - from[0]).powi(2) + (to[1] - from[1]).powi(2)).sqrt();
    let mut marked = image.clone();
    let dots = (length / gap) as usize;
    for dot in 0..=dots {
        let along = dot as f64 / dots.max(1) as f64;
        let point = [0, 1].map(|axis| from[axis] + along * (to[axis] - from[axis]));
        marked.stroke([point, point], thickness);
    }
    marked
}

pub fn zigzag(image: &Canvas, random: &mut Random) -> Canvas {
    let [reach, thickness] = TOOTH.map(|pixels| pixels * image.unit());
    let [from, to] = across(image, random);
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let length = (dx * dx + dy * dy).sqrt().max(1.0);
    let corner = |index: usize| {
        let along = index as f64 / (2 * TEETH) as f64;
        let side = if index.is_multiple_of(2) { 1.0 } else { -1.0 };
        let aside = side * reach / length;
        [
            from[0] + along * dx - aside * dy,
            from[1] + along * dy + aside * dx,
        ]
    };
    let mut marked = image.clone();
    for index in 0..2 * TEETH {
        marked.stroke([corner(index), corner(index + 1)], thickness);
    }
    marked
}

/// The ends of a line from the left to the right side.
fn across(image: &Canvas, random: &mut Random) -> [[f64; 2]; 2] {
    let [column, row] = image.units();
    let [right, bottom] = [image.width, image.height].map(|side| (side - 1) as f64);
    let mut height = || between(random, 3.0 * row, bottom - 3.0 * row);
    [[column, height()], [right - column, height()]]
}
