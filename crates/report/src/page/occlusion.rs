//! Which pixels spoke for an answer.

use data::{HEIGHT, PIXELS, WIDTH};
use model::Classifier;

/// Side of the square that covers pixels.
const PATCH: usize = 5;
/// Pixels from one position of the square to the next.
const STEP: usize = 2;

/// How much each pixel, `[28, 28]`, speaks for `answer`: by how many nats the log-odds of the
/// answer fall when a square around it is covered with background, the mean over all squares that
/// cover the pixel (Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks",
/// section 4.2). Negative where covering helps the answer.
pub fn occlusion(classifier: &Classifier, image: &[u8], answer: usize) -> Vec<f64> {
    let tops: Vec<isize> = (0..HEIGHT)
        .step_by(STEP)
        .map(|centre| centre as isize - PATCH as isize / 2)
        .collect();
    let squares: Vec<Vec<usize>> = tops
        .iter()
        .flat_map(|&top| tops.iter().map(move |&left| square(left, top)))
        .collect();
    let mut images = image.to_vec();
    for square in &squares {
        let start = images.len();
        images.extend_from_slice(image);
        for &at in square {
            images[start + at] = 0;
        }
    }
    let odds: Vec<f64> = classifier
        .logits(&images)
        .iter()
        .map(|logits| log_odds(logits, answer))
        .collect();
    let mut falls = vec![(0.0, 0.0); PIXELS];
    for (square, covered) in squares.iter().zip(&odds[1..]) {
        for &at in square {
            falls[at].0 += odds[0] - covered;
            falls[at].1 += 1.0;
        }
    }
    falls
        .iter()
        .map(|(sum, count)| sum / f64::max(*count, 1.0))
        .collect()
}

/// The pixels of a square, as far as it lies inside the image.
fn square(left: isize, top: isize) -> Vec<usize> {
    let inside = |start: isize, length: usize| {
        start.max(0) as usize..((start + PATCH as isize) as usize).min(length)
    };
    inside(top, HEIGHT)
        .flat_map(|y| inside(left, WIDTH).map(move |x| y * WIDTH + x))
        .collect()
}

/// `ln(p / (1 - p))` of a class.
fn log_odds(logits: &[f64], class: usize) -> f64 {
    let others: Vec<f64> = logits
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != class)
        .map(|(_, logit)| *logit)
        .collect();
    logits[class] + evaluation::energy(&others)
}
