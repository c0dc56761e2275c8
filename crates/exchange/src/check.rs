//! What an export answers, beside what its checkpoint answers, on a few images.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use model::{ImageShape, Manifest, Network};

use crate::{Architecture, CONFIG_JSON, ExchangeError, MODEL_SAFETENSORS, import::networks_of};

/// How many images an export is asked about before it is written.
pub const IMAGES: usize = 32;

/// Takes the weights back as `digits import` does, and compares the logits of [`images`]: the same bits, as the
/// weights are.
///
/// # Errors
/// [`ExchangeError::Invalid`] if they can't be taken back, or a logit differs.
pub(crate) fn pytorch(
    weights: &[u8],
    config: &[u8],
    manifest: &Manifest,
    networks: &[Network],
) -> Result<(), ExchangeError> {
    let [file, described] = [MODEL_SAFETENSORS, CONFIG_JSON].map(Path::new);
    let invalid = |problem: &str| ExchangeError::Invalid {
        path: file.to_owned(),
        problem: format!("{problem}; the export is not written"),
    };
    let device = match networks.first() {
        Some(network) => network.output.weight.device(),
        None => return Err(invalid("there is no network")),
    };
    let architecture = Architecture::parse(&String::from_utf8_lossy(config), described)?;
    let found = networks_of(weights, file, &architecture, described, &device)?;
    if found.len() != networks.len() {
        return Err(invalid("read back it has another number of networks"));
    }
    for (there, here) in found.iter().zip(networks) {
        let [there, here] = [there, here].map(|network| logits(network, manifest));
        if there != here {
            return Err(invalid(
                "read back it gives other logits than the checkpoint",
            ));
        }
    }
    Ok(())
}

/// The bits of what a network says of [`images`].
fn logits(network: &Network, manifest: &Manifest) -> Vec<u32> {
    let shape = manifest.input;
    let mut input = Vec::new();
    manifest
        .normalization
        .apply(shape, &images(shape), &mut input);
    let dims = [IMAGES, shape.channels, shape.height, shape.width];
    let input = Tensor::from_data(
        TensorData::new(input, dims),
        &network.output.weight.device(),
    );
    let said = network.forward(input).into_data();
    said.iter::<f32>().map(f32::to_bits).collect()
}

/// `[IMAGES, channels, height, width]` bytes: nothing, paper, ramps, a chessboard and noise, then bars and rings of a
/// soft pen, some of which a network of digits takes for ones and zeros, so that more than one decision occurs.
pub(crate) fn images(shape: ImageShape) -> Vec<u8> {
    let ImageShape {
        channels,
        height,
        width,
    } = shape;
    let mut bytes = Vec::with_capacity(IMAGES * shape.len());
    for image in 0..IMAGES {
        for channel in 0..channels {
            for row in 0..height {
                for column in 0..width {
                    let [x, y] = [(column, width), (row, height)]
                        .map(|(at, of)| (at as f64 + 0.5) / of as f64);
                    let at = (channel * height + row) * width + column;
                    let dimmed = 1.0 - 0.3 * channel as f64 / channels as f64;
                    bytes.push((255.0 * dimmed * ink(image, x, y, at)) as u8);
                }
            }
        }
    }
    bytes
}

/// How dark an image is at a place, `x` and `y` from 0 to 1, from 0 to 1. `at` counts the pixels.
fn ink(image: usize, x: f64, y: f64, at: usize) -> f64 {
    let soft = |distance: f64, pen: f64| ((pen - distance) / 0.04 + 0.5).clamp(0.0, 1.0);
    let step = (image / 2 % 13) as f64 / 12.0;
    match image {
        0 => 0.0,
        1 => 1.0,
        2 => x,
        3 => y,
        4 => f64::from(u8::from(
            ((8.0 * x) as u8 + (8.0 * y) as u8).is_multiple_of(2),
        )),
        // Knuth's multiplicative hash.
        5 => f64::from((at as u32).wrapping_mul(2_654_435_761) >> 24) / 255.0,
        _ if image.is_multiple_of(2) => {
            let slope = 0.5 * (step - 0.5);
            let bar = soft((x - 0.5 - slope * (0.5 - y)).abs(), 0.05);
            bar * soft((y - 0.5).abs(), 0.33)
        }
        _ => {
            let radius = ((x - 0.5) / (0.6 + 0.3 * step)).hypot(y - 0.5);
            soft((radius - 0.28).abs(), 0.05)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use model::{Backend, Classifier, Decision};

    use super::*;
    use crate::hub;

    #[test]
    fn weights_that_answer_otherwise_are_not_written() {
        let pretrained = concat!(env!("CARGO_MANIFEST_DIR"), "/../../artifacts/pretrained");
        let checkpoint = model::checkpoint::Checkpoint::open(pretrained).unwrap();
        let device = Backend::default().device().unwrap();
        let classifier = Classifier::from_checkpoint(&checkpoint, &device).unwrap();
        let files = hub::pytorch(&checkpoint, classifier.networks()).unwrap();
        let bytes = |name: &str| {
            files
                .iter()
                .find(|(file, _)| file == name)
                .unwrap()
                .1
                .clone()
        };
        let (mut weights, config) = (bytes(MODEL_SAFETENSORS), bytes(CONFIG_JSON));
        let asked = |weights: &[u8]| {
            pytorch(
                weights,
                &config,
                classifier.manifest(),
                classifier.networks(),
            )
        };
        asked(&weights).unwrap();

        // The last tensor's last value becomes another number.
        let last = weights.len() - 4;
        weights[last..].copy_from_slice(&0.5_f32.to_le_bytes());
        let error = asked(&weights).unwrap_err().to_string();
        assert!(error.contains("other logits"), "{error}");
    }

    #[test]
    fn the_images_differ_and_so_do_the_decisions() {
        let pretrained = concat!(env!("CARGO_MANIFEST_DIR"), "/../../artifacts/pretrained");
        let device = Backend::default().device().unwrap();
        let classifier = Classifier::load(pretrained, &device).unwrap();
        let bytes = images(classifier.shape());
        let answers = classifier.classify_all(&bytes).unwrap();
        let accepted = answers
            .iter()
            .filter(|answer| answer.decision == Decision::Accept);
        assert!((5..IMAGES - 5).contains(&accepted.count()));

        let shape = ImageShape {
            channels: 3,
            height: 20,
            width: 32,
        };
        let bytes = images(shape);
        assert_eq!(bytes.len(), IMAGES * shape.len());
        let mut each: Vec<_> = bytes.chunks(shape.len()).collect();
        each.sort_unstable();
        each.dedup();
        assert_eq!(each.len(), IMAGES, "each image is another");
    }
}
