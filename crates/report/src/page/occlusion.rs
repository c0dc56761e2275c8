//! Which pixels spoke for an answer.

use data::ImageShape;
use model::{Classifier, PictureInput, ShapeError};

/// Side of the square that covers pixels, of 28 along the longer side of the image.
const PATCH: usize = 5;
/// Pixels from one position of the square to the next, of 28.
const STEP: usize = 2;
const OF: usize = 28;

/// Side of the square for images of a shape, in pixels.
pub fn patch(shape: ImageShape) -> usize {
    scaled(PATCH, shape)
}

fn scaled(pixels: usize, shape: ImageShape) -> usize {
    let side = shape.height.max(shape.width);
    ((pixels * side + OF / 2) / OF).max(1)
}

/// How much each pixel, `[height, width]`, speaks for `answer`: by how many nats the log-odds of the
/// answer fall when a square around it is covered with background, the mean over all squares that
/// cover the pixel (Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks",
/// section 4.2). Negative where covering helps the answer.
///
/// # Errors
///
/// If `image` is no image of the classifier.
pub fn occlusion(
    classifier: &Classifier,
    image: &[u8],
    answer: usize,
) -> Result<Vec<f64>, ShapeError> {
    let shape = classifier.shape();
    let starts = |side: usize| {
        let centres = (0..side).step_by(scaled(STEP, shape));
        centres.map(|centre| centre as isize - patch(shape) as isize / 2)
    };
    let squares: Vec<Vec<usize>> = starts(shape.height)
        .flat_map(|top| starts(shape.width).map(move |left| square(shape, left, top)))
        .collect();
    let background = background(classifier);
    let mut images = image.to_vec();
    for square in &squares {
        let start = images.len();
        images.extend_from_slice(image);
        let channels = images[start..].chunks_exact_mut(shape.plane());
        for (channel, &background) in channels.zip(&background) {
            for &at in square {
                channel[at] = background;
            }
        }
    }
    let logits = classifier.logits(&images)?;
    let mut odds = logits.iter().map(|logits| log_odds(logits, answer));
    let whole = odds.next().unwrap_or_default();
    let mut falls = vec![(0.0, 0.0); shape.plane()];
    for (square, covered) in squares.iter().zip(odds) {
        for &at in square {
            falls[at].0 += whole - covered;
            falls[at].1 += 1.0;
        }
    }
    Ok(falls
        .iter()
        .map(|(sum, count)| sum / f64::max(*count, 1.0))
        .collect())
}

/// What says nothing, for each channel: the empty ground around a symbol, else the mean of the training
/// images.
fn background(classifier: &Classifier) -> Vec<u8> {
    let manifest = classifier.manifest();
    let means = manifest.normalization.mean.iter();
    means
        .map(|mean| match manifest.picture {
            PictureInput::Framed => 0,
            PictureInput::Whole => (255.0 * mean).round() as u8,
        })
        .collect()
}

/// The pixels of a square, as far as it lies inside the image.
fn square(shape: ImageShape, left: isize, top: isize) -> Vec<usize> {
    let inside = |start: isize, length: usize| {
        start.max(0) as usize..((start + patch(shape) as isize) as usize).min(length)
    };
    inside(top, shape.height)
        .flat_map(|y| inside(left, shape.width).map(move |x| y * shape.width + x))
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
