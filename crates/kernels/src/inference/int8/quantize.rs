//! Numbers as bytes.

use std::arch::x86_64::{
    __m128i, __m512, _mm512_cvtps_epi32, _mm512_cvtusepi32_epi8, _mm512_max_ps, _mm512_mul_ps,
    _mm512_reduce_max_ps, _mm512_set1_ps, _mm512_setzero_ps,
};

use pulp::bytemuck::cast;

use super::{LANES, MOST_PRODUCTS};
use crate::norm::Affine;

/// The largest weight in units of its step.
const MOST_WEIGHT: f64 = 127.0;

/// Weights of a layer as signed bytes.
pub(super) struct Filters {
    /// `[outputs, inputs]`.
    pub(super) weights: Vec<i8>,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// What a sum of products of bytes, of a step of one, becomes; padded to whole vectors.
    pub(super) map: [Vec<f32>; 2],
}

impl Filters {
    /// Quantizes `[outputs, inputs]`; inputs of one channel see values that are alike. Where they are bytes of an
    /// image, `lines` has slope and intercept of what a byte of each channel stands for: the slopes go into the
    /// weights, the intercepts into the shift.
    pub(super) fn new(
        weight: &[f32],
        map: &Affine,
        lines: Option<&[[f64; 2]]>,
        channel_of: impl Fn(usize) -> usize,
    ) -> Option<Self> {
        let outputs = map.scale.len();
        let inputs = weight.len() / outputs;
        let mut channels: Vec<Vec<usize>> = Vec::new();
        for input in 0..inputs {
            let channel = channel_of(input);
            channels.resize(channels.len().max(channel + 1), Vec::new());
            channels[channel].push(input);
        }
        let mut weights = Vec::with_capacity(weight.len());
        let whole = outputs.next_multiple_of(LANES);
        let [mut scale, mut shift] = [vec![0.0; whole], vec![0.0; whole]];
        for (output, filter) in weight.chunks_exact(inputs).enumerate() {
            let line_of = |input| lines.map_or([1.0, 0.0], |lines| lines[channel_of(input)]);
            let pairs = filter.iter().map(|weight| f64::from(*weight));
            let pairs = pairs.zip((0..inputs).map(line_of));
            let slopes: Vec<f64> = pairs
                .clone()
                .map(|(weight, [slope, _])| weight * slope)
                .collect();
            let constant: f64 = pairs.map(|(weight, [_, start])| weight * start).sum();
            let step = slopes
                .iter()
                .fold(0.0, |most: f64, value| most.max(value.abs()))
                / MOST_WEIGHT;
            let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
            let exact: Vec<f64> = slopes.iter().map(|value| value * inverse).collect();
            weights.extend(rounded(&exact, &channels));
            let factor = f64::from(map.scale[output]);
            scale[output] = (factor * step) as f32;
            shift[output] = (f64::from(map.shift[output]) + factor * constant) as f32;
        }
        (inputs <= MOST_PRODUCTS).then_some(Self {
            weights,
            inputs,
            outputs,
            map: [scale, shift],
        })
    }

    /// Four weights of each of a vector's outputs: those of the inputs that `input` gives, none being zero.
    pub(super) fn group(&self, vector: usize, input: impl Fn(usize) -> Option<usize>) -> [i8; 64] {
        std::array::from_fn(|at| {
            let output = vector * LANES + at / 4;
            let weight = input(at % 4).filter(|_| output < self.outputs);
            weight.map_or(0, |input| self.weights[output * self.inputs + input])
        })
    }
}

/// Weights in units of their step, rounded to the nearest but for a few of those nearest to a half: so many that the
/// sum over each channel is kept to within a half, as its errors would add up over values that are alike.
fn rounded(exact: &[f64], channels: &[Vec<usize>]) -> Vec<i8> {
    let mut weights: Vec<f64> = exact.iter().map(|value| value.round_ties_even()).collect();
    for channel in channels {
        let mut left: Vec<(f64, usize)> = channel
            .iter()
            .map(|&input| (exact[input] - weights[input], input))
            .collect();
        let sum: f64 = left.iter().map(|(left, _)| left).sum();
        left.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        if sum < 0.0 {
            left.reverse();
        }
        for (_, input) in &left[..sum.abs().round_ties_even() as usize] {
            weights[*input] = (weights[*input] + sum.signum()).clamp(-MOST_WEIGHT, MOST_WEIGHT);
        }
    }
    weights.into_iter().map(|weight| weight as i8).collect()
}

/// The step that lets bytes reach the largest of values, none of which is negative.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn step(values: &[f32]) -> f32 {
    let (vectors, rest) = values.as_chunks::<LANES>();
    let mut most = _mm512_setzero_ps();
    for vector in vectors {
        most = _mm512_max_ps(most, cast::<[f32; LANES], __m512>(*vector));
    }
    let most = rest
        .iter()
        .fold(_mm512_reduce_max_ps(most), |most, value| most.max(*value));
    most / 255.0
}

/// Values as bytes of a step, at the front of `bytes`: rounded to the nearest, ties to even.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn quantize(values: &[f32], step: f32, bytes: &mut [u8]) {
    let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
    let (vectors, rest) = values.as_chunks::<LANES>();
    let (groups, rest_bytes) = bytes[..values.len()].as_chunks_mut::<LANES>();
    for (vector, group) in vectors.iter().zip(groups) {
        let scaled = _mm512_mul_ps(
            cast::<[f32; LANES], __m512>(*vector),
            _mm512_set1_ps(inverse),
        );
        let narrow = _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(scaled));
        *group = cast::<__m128i, [u8; LANES]>(narrow);
    }
    for (value, byte) in rest.iter().zip(rest_bytes) {
        *byte = (value * inverse).round_ties_even() as u8;
    }
}
