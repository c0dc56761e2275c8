//! A small network on plain slices, without Burn: it learns to tell upright strokes from level ones.
//!
//! `cargo run --release -p kernels --no-default-features --example slices`

use kernels::{
    Affine, Error,
    conv::{ConvBlock, Geometry},
    dense::Dense,
};

const SIDE: usize = 8;
const CHANNELS: usize = 4;
const CLASSES: usize = 2;
const BATCH: usize = 64;

fn main() -> Result<(), Error> {
    // One channel of 8×8 pixels becomes four of 3×3: a 3×3 convolution, a 2×2 max-pool, a ReLU.
    let geometry = Geometry::new([SIDE, SIDE, 1], CHANNELS, 3, 0, true)?;
    let block = ConvBlock::new(geometry);
    let dense = Dense::new(geometry.output_len(), CLASSES)?;

    let mut filters = spread(geometry.weight_len());
    let mut weights = spread(geometry.output_len() * CLASSES);
    let map = |channels, relu| Affine {
        scale: vec![1.0; channels],
        shift: vec![0.0; channels],
        relu,
    };
    let (mut filter_map, mut logit_map) = (map(CHANNELS, true), map(CLASSES, false));

    let (images, labels) = strokes();
    let mut features = vec![0.0; BATCH * geometry.output_len()];
    let mut chosen = vec![0; features.len()];
    let mut logits = vec![0.0; BATCH * CLASSES];
    let mut by_features = vec![0.0; features.len()];
    for step in 0..=100 {
        block.forward(
            &images,
            &filters,
            &filter_map,
            &mut features,
            Some(&mut chosen),
        )?;
        dense.forward(&features, &weights, &logit_map, &mut logits)?;
        let (loss, right, by_logits) = cross_entropy(&logits, &labels);
        if step % 20 == 0 {
            println!("step {step:>3}: loss {loss:.4}, {right} of {BATCH} right");
        }
        let last = dense.backward(
            &features,
            &weights,
            None,
            &by_logits,
            Some(&mut by_features),
        )?;
        // The images need no gradient.
        let first = block.backward(
            &images,
            &filters,
            Some(&features),
            &chosen,
            &by_features,
            None,
        )?;
        for (values, gradients) in [
            (&mut weights, &last.weight),
            (&mut logit_map.shift, &last.shift),
            (&mut filters, &first.weight),
            (&mut filter_map.shift, &first.shift),
        ] {
            for (value, gradient) in values.iter_mut().zip(gradients) {
                *value -= 0.5 * gradient;
            }
        }
    }
    Ok(())
}

/// Images `[BATCH, SIDE, SIDE, 1]` of one stroke each, and whether it is level.
fn strokes() -> (Vec<f32>, Vec<usize>) {
    let mut images = vec![0.0; BATCH * SIDE * SIDE];
    for (number, image) in images.chunks_exact_mut(SIDE * SIDE).enumerate() {
        let (place, start) = (number / 2 % SIDE, number / 16);
        for along in start..start + 4 {
            let (row, column) = if number % 2 == 0 {
                (along, place)
            } else {
                (place, along)
            };
            image[row * SIDE + column] = 1.0;
        }
    }
    (images, (0..BATCH).map(|number| number % 2).collect())
}

/// Small numbers in no order.
fn spread(count: usize) -> Vec<f32> {
    (0..count)
        .map(|index| (index * 37 % 101) as f32 / 150.0 - 0.33)
        .collect()
}

/// The mean loss, how many are right, and the gradient by the logits.
fn cross_entropy(logits: &[f32], labels: &[usize]) -> (f32, usize, Vec<f32>) {
    let (mut loss, mut right, mut gradient) = (0.0, 0, Vec::new());
    for (row, &label) in logits.chunks_exact(CLASSES).zip(labels) {
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = row.iter().map(|logit| (logit - highest).exp()).sum();
        loss += (highest + sum.ln() - row[label]) / BATCH as f32;
        right += usize::from(row[label] == highest);
        gradient.extend(row.iter().enumerate().map(|(class, logit)| {
            ((logit - highest).exp() / sum - f32::from(u8::from(class == label))) / BATCH as f32
        }));
    }
    (loss, right, gradient)
}
