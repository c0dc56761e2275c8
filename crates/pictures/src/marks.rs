//! Whether what was framed is more than a digit: circled, underlined, struck out or ticked.
//!
//! A mark in the ink of the digit makes another digit of it: what is circled looks like a 0, what is
//! underlined like a 2. Ink deep inside of other ink gives away most circles; no measure of form tells
//! the other marks from digits as written, so that a small network does: two convolutions and two dense
//! layers, learnt from digits with and without marks (`marks/learn.py`).

use crate::PIXELS;
use crate::WIDTH;

/// Log-odds above which a mark is seen: of digits without one, one in a hundred is beyond it.
const LEAST: f32 = 1.6;
/// Log-odds above which ink that is deep inside is a mark around the digit.
const LEAST_AROUND: f32 = 0.0;
/// Steps from outside of the strokes, and pixels of ink so deep inside, of which 0.4 % of digits have
/// more, and 0.15 %.
const DEEP: (usize, usize) = (5, 8);
/// See [`DEEP`].
const DEEPEST: (usize, usize) = (6, 4);

/// Channels and sides of what each layer gives, and sides of the kernels, which go on by two pixels.
const FIRST: (usize, usize, usize) = (8, 12, 5);
const SECOND: (usize, usize, usize) = (16, 5, 3);
const HIDDEN: usize = 32;

/// The weights, layer by layer as PyTorch orders them, then the biases of each: a scale as a 32-bit
/// number and a signed byte for each weight, then biases as 32-bit numbers, all in little-endian order.
static WEIGHTS: &[u8] = include_bytes!("../marks/weights.bin");

/// Whether a digit in the frame carries a mark.
pub(crate) fn marked(pixels: &[u8; PIXELS]) -> bool {
    let odds = log_odds(pixels);
    odds > LEAST
        || (odds > LEAST_AROUND && inside(pixels, DEEP.0) >= DEEP.1)
        || inside(pixels, DEEPEST.0) >= DEEPEST.1
}

/// How much ink is at least `steps` pixels from what is outside of all strokes: that of a digit with a
/// circle around it.
fn inside(pixels: &[u8; PIXELS], steps: usize) -> usize {
    const SIDE: usize = WIDTH + 2;
    const STROKE: u8 = 50;
    const INK: u8 = 110;
    let at = |x: usize, y: usize| match (x, y) {
        (1..=WIDTH, 1..=WIDTH) => pixels[(y - 1) * WIDTH + x - 1],
        _ => 0,
    };
    let mut outside = [[false; SIDE]; SIDE];
    let mut open = vec![(0_usize, 0_usize)];
    while let Some((x, y)) = open.pop() {
        if outside[y][x] || at(x, y) > STROKE {
            continue;
        }
        outside[y][x] = true;
        open.extend([(x.saturating_sub(1), y), (x, y.saturating_sub(1))]);
        open.extend([((x + 1).min(SIDE - 1), y), (x, (y + 1).min(SIDE - 1))]);
    }
    for _ in 1..steps {
        let before = outside;
        for (y, row) in outside.iter_mut().enumerate() {
            for (x, reached) in row.iter_mut().enumerate() {
                let columns = x.saturating_sub(1)..(x + 2).min(SIDE);
                let mut rows = before[y.saturating_sub(1)..(y + 2).min(SIDE)].iter();
                *reached = rows.any(|row| row[columns.clone()].contains(&true));
            }
        }
    }
    (0..SIDE * SIDE)
        .map(|place| (place % SIDE, place / SIDE))
        .filter(|&(x, y)| !outside[y][x] && at(x, y) > INK)
        .count()
}

fn log_odds(pixels: &[u8; PIXELS]) -> f32 {
    let mut weights = WEIGHTS;
    let image: Vec<f32> = pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
    let first = convolved(&image, (1, WIDTH), FIRST, &mut weights);
    let second = convolved(&first, (FIRST.0, FIRST.1), SECOND, &mut weights);
    let mut hidden = dense(&second, HIDDEN, &mut weights);
    positive(&mut hidden);
    dense(&hidden, 1, &mut weights)
        .first()
        .copied()
        .unwrap_or(f32::MAX)
}

/// Takes `count` weights and then `biases` biases.
fn take(weights: &mut &[u8], count: usize, biases: usize) -> (Vec<f32>, Vec<f32>) {
    let numbers = |bytes: &[u8]| -> Vec<f32> {
        let (numbers, _) = bytes.as_chunks::<4>();
        numbers
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect()
    };
    let (scale, rest) = weights.split_at(4);
    let (quantized, rest) = rest.split_at(count);
    let (bias, rest) = rest.split_at(4 * biases);
    *weights = rest;
    let scale = numbers(scale)[0];
    let real = quantized.iter().map(|&byte| scale * f32::from(byte as i8));
    (real.collect(), numbers(bias))
}

/// A convolution that goes on by two pixels, and of it what is above 0.
fn convolved(
    input: &[f32],
    (channels, side): (usize, usize),
    (out_channels, out_side, kernel): (usize, usize, usize),
    weights: &mut &[u8],
) -> Vec<f32> {
    let (filters, bias) = take(
        weights,
        out_channels * channels * kernel * kernel,
        out_channels,
    );
    let mut out = Vec::with_capacity(out_channels * out_side * out_side);
    for (filter, bias) in filters.chunks_exact(channels * kernel * kernel).zip(bias) {
        for y in 0..out_side {
            for x in 0..out_side {
                let mut sum = bias;
                for (row, taps) in filter.chunks_exact(kernel).enumerate() {
                    let (channel, row) = (row / kernel, row % kernel);
                    let source = &input[(channel * side + 2 * y + row) * side + 2 * x..][..kernel];
                    sum += source.iter().zip(taps).map(|(a, b)| a * b).sum::<f32>();
                }
                out.push(sum);
            }
        }
    }
    positive(&mut out);
    out
}

fn dense(input: &[f32], outputs: usize, weights: &mut &[u8]) -> Vec<f32> {
    let (rows, bias) = take(weights, outputs * input.len(), outputs);
    (rows.chunks_exact(input.len()).zip(bias))
        .map(|(row, bias)| bias + row.iter().zip(input).map(|(a, b)| a * b).sum::<f32>())
        .collect()
}

fn positive(values: &mut [f32]) {
    for value in values {
        *value = value.max(0.0);
    }
}
