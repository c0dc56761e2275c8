//! Whether what was framed is more than a digit: circled, underlined, struck out or ticked.
//!
//! A mark in the ink of the digit makes another digit of it: what is circled looks like a 0, what is
//! underlined like a 2. Ink deep inside of other ink gives away most circles; no measure of form tells
//! the other marks from digits as written, so that a small network does: two convolutions and two dense
//! layers, learnt from digits with and without marks (`marks/learn.py`).

use std::sync::LazyLock;

use crate::{PIXELS, WIDTH};

/// Log-odds above which a mark is seen: of digits without one, one in a hundred is beyond it.
const LEAST: f32 = 0.0;
/// Log-odds above which ink that is deep inside is a mark around the digit.
const LEAST_AROUND: f32 = -1.5;
/// Steps from outside of the strokes, and pixels of ink so deep inside, of which 0.4 % of digits have
/// more, and 0.15 %.
const DEEP: (usize, usize) = (5, 8);
/// See [`DEEP`].
const DEEPEST: (usize, usize) = (6, 4);

/// Channels and sides of what each layer gives, and sides of the kernels, which go on by two pixels.
const FIRST: (usize, usize, usize) = (12, 12, 5);
const SECOND: (usize, usize, usize) = (24, 5, 3);
const HIDDEN: usize = 48;

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

/// A layer: its weights, and a bias for each of its outputs.
struct Layer {
    weights: Vec<f32>,
    biases: Vec<f32>,
}

static LAYERS: LazyLock<[Layer; 4]> = LazyLock::new(|| {
    let mut bytes = WEIGHTS;
    let mut layer = |inputs: usize, outputs: usize| Layer::take(&mut bytes, inputs, outputs);
    [
        layer(FIRST.2 * FIRST.2, FIRST.0),
        layer(FIRST.0 * SECOND.2 * SECOND.2, SECOND.0),
        layer(SECOND.0 * SECOND.1 * SECOND.1, HIDDEN),
        layer(HIDDEN, 1),
    ]
});

fn log_odds(pixels: &[u8; PIXELS]) -> f32 {
    let image: Vec<f32> = pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
    let [first, second, hidden, output] = &*LAYERS;
    let x = first.convolved(&image, WIDTH, FIRST.1, FIRST.2);
    let x = second.convolved(&x, FIRST.1, SECOND.1, SECOND.2);
    let mut x = hidden.dense(&x);
    positive(&mut x);
    output.dense(&x).first().copied().unwrap_or(f32::MAX)
}

impl Layer {
    /// Takes the weights of `inputs` to each of `outputs`, and the biases, from the front of `bytes`.
    fn take(bytes: &mut &[u8], inputs: usize, outputs: usize) -> Self {
        let numbers = |bytes: &[u8]| -> Vec<f32> {
            let (numbers, _) = bytes.as_chunks::<4>();
            let numbers = numbers.iter().copied();
            numbers.map(f32::from_le_bytes).collect()
        };
        let (scale, rest) = bytes.split_at(4);
        let (quantized, rest) = rest.split_at(inputs * outputs);
        let (biases, rest) = rest.split_at(4 * outputs);
        *bytes = rest;
        let scale = numbers(scale)[0];
        let real = quantized.iter().map(|&byte| scale * f32::from(byte as i8));
        Self {
            weights: real.collect(),
            biases: numbers(biases),
        }
    }

    /// A convolution over channels of `side` pixels that goes on by two, and of it what is above 0.
    fn convolved(&self, input: &[f32], side: usize, out_side: usize, kernel: usize) -> Vec<f32> {
        let size = self.weights.len() / self.biases.len();
        let mut out = vec![0.0; self.biases.len() * out_side * out_side];
        let filters = self.weights.chunks_exact(size).zip(&self.biases);
        for (out, (filter, bias)) in out.chunks_exact_mut(out_side * out_side).zip(filters) {
            out.fill(*bias);
            // Tap by tap over whole rows, which vectorizes.
            for (row, taps) in filter.chunks_exact(kernel).enumerate() {
                let (channel, row) = (row / kernel, row % kernel);
                for (y, out) in out.chunks_exact_mut(out_side).enumerate() {
                    let source = &input[(channel * side + 2 * y + row) * side..][..side];
                    for (at, tap) in taps.iter().enumerate() {
                        let source = source[at..].iter().step_by(2);
                        for (out, value) in out.iter_mut().zip(source) {
                            *out += tap * value;
                        }
                    }
                }
            }
        }
        positive(&mut out);
        out
    }

    fn dense(&self, input: &[f32]) -> Vec<f32> {
        (self.weights.chunks_exact(input.len()).zip(&self.biases))
            .map(|(row, bias)| bias + row.iter().zip(input).map(|(a, b)| a * b).sum::<f32>())
            .collect()
    }
}

fn positive(values: &mut [f32]) {
    for value in values {
        *value = value.max(0.0);
    }
}
