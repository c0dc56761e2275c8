//! An exported file run by tract, and its answers beside the checkpoint's.

use std::path::Path;

use evaluation::Decision;
use model::{Classifier, ImageShape};
use tract_onnx::prelude::*;

use super::{FILE, reason};
use crate::{ExchangeError, check};

/// How far logits may be from the checkpoint's: sums in another order differ by a few units of the seventh digit.
const TOLERANCE: f64 = 1e-4;

/// What a file says of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// `[classes]`.
    pub logits: Vec<f64>,
    /// Counted from 0.
    pub class: i64,
    /// Whether the machine keeps it.
    pub accepted: bool,
    /// One of [`REASONS`](super::REASONS).
    pub reason: i64,
}

/// Runs a file on `[images, channels, height, width]` bytes.
///
/// # Errors
/// [`ExchangeError::Invalid`] with what tract says, if it can't run it.
pub fn ask(file: &[u8], shape: ImageShape, images: &[u8]) -> Result<Vec<Answered>, ExchangeError> {
    run(file, shape, images).map_err(|error| ExchangeError::Invalid {
        path: Path::new(FILE).to_owned(),
        problem: format!("tract can't run it: {error:#}"),
    })
}

/// Compares the answers to [`check::images`].
///
/// # Errors
/// [`ExchangeError::Invalid`] with the first answer that differs.
pub(super) fn same_answers(
    path: &Path,
    file: &[u8],
    classifier: &Classifier,
) -> Result<(), ExchangeError> {
    let shape = classifier.shape();
    let images = check::images(shape);
    let invalid = |problem: String| ExchangeError::Invalid {
        path: path.to_owned(),
        problem,
    };
    let said = ask(file, shape, &images)?;
    let here = classifier.outputs(&images);
    let here = here.map_err(|error| invalid(error.to_string()))?;
    for (index, (said, output)) in said.iter().zip(&here).enumerate() {
        let image = &images[index * shape.len()..][..shape.len()];
        let answer = classifier.decide(image, output);
        let near =
            |(there, here): (&f64, &f64)| (there - here).abs() <= TOLERANCE * here.abs().max(1.0);
        let same = said.logits.len() == output.logits.len()
            && said.logits.iter().zip(&output.logits).all(near)
            && said.class == i64::from(answer.class)
            && said.accepted == (answer.decision == Decision::Accept)
            && said.reason == reason(&answer.decision);
        if !same {
            return Err(invalid(format!(
                "tract answers otherwise than the checkpoint to image {index} of its check; the export is not written"
            )));
        }
    }
    Ok(())
}

fn run(file: &[u8], shape: ImageShape, images: &[u8]) -> TractResult<Vec<Answered>> {
    let model = tract_onnx::onnx().model_for_read(&mut &*file)?;
    let model = model.into_optimized()?.into_runnable()?;
    let ImageShape {
        channels,
        height,
        width,
    } = shape;
    let dims = [images.len() / shape.len(), channels, height, width];
    let found = model.run(tvec!(Tensor::from_shape(&dims, images)?.into()))?;
    let logits = found[0].to_plain_array_view::<f32>()?;
    let class = found[2].to_plain_array_view::<i64>()?;
    let accepted = found[3].to_plain_array_view::<bool>()?;
    let reason = found[4].to_plain_array_view::<i64>()?;
    let rows = logits.outer_iter().zip(&class).zip(&accepted).zip(&reason);
    Ok(rows
        .map(|(((logits, &class), &accepted), &reason)| Answered {
            logits: logits.iter().map(|&logit| f64::from(logit)).collect(),
            class,
            accepted,
            reason,
        })
        .collect())
}
