//! The loops over positions: per-channel maps, statistics and gradients, with channels as the vector.
//!
//! Values are `[positions, channels]`, or `[positions, stride]` with channels padded to whole vectors;
//! per-channel parameters are padded to whole vectors.

use pulp::Simd;

use super::{Affine, GradSums, Moments, NormGrad};
use crate::simd::{load, load_some, relu, store, store_some};

/// Lanes of the widest vectors.
const MOST_LANES: usize = 16;

/// Applies a map to the first `channels` of each position of `from`, `[positions, stride]`.
#[inline(always)]
pub(crate) fn apply<S: Simd>(
    simd: S,
    map: &Affine,
    (from, stride): (&[f32], usize),
    (to, channels): (&mut [f32], usize),
) {
    for c in (0..channels).step_by(S::F32_LANES) {
        let (scale, shift) = (load::<S>(&map.scale[c..]), load::<S>(&map.shift[c..]));
        let positions = from.chunks_exact(stride).zip(to.chunks_exact_mut(channels));
        for (from, to) in positions {
            let value = simd.mul_add_e_f32s(load_some(simd, &from[c..]), scale, shift);
            let value = if map.relu { relu(simd, value) } else { value };
            store_some(simd, &mut to[c..], value);
        }
    }
}

/// Adds the statistics of one image, `[positions, stride]`, to those of its chunk.
#[inline(always)]
pub(crate) fn add_moments<S: Simd>(
    simd: S,
    image: (&[f32], usize),
    channels: usize,
    total: &mut Moments,
) {
    let (image, stride) = image;
    let count = (image.len() / stride) as f32;
    let mut own = Moments {
        count: f64::from(count),
        mean: vec![0.0; channels],
        squares: vec![0.0; channels],
    };
    for c in (0..channels).step_by(S::F32_LANES) {
        let sum = sum_by(simd, image, stride, |values| load_some(simd, &values[c..]));
        let mean = simd.mul_f32s(sum, simd.splat_f32s(1.0 / count));
        let squares = sum_by(simd, image, stride, |values| {
            let deviation = simd.sub_f32s(load_some(simd, &values[c..]), mean);
            simd.mul_f32s(deviation, deviation)
        });
        let (mean, squares) = (lanes_of::<S>(mean), lanes_of::<S>(squares));
        for (lane, c) in (c..channels.min(c + S::F32_LANES)).enumerate() {
            own.mean[c] = f64::from(mean[lane]);
            own.squares[c] = f64::from(squares[lane]);
        }
    }
    total.merge(&own);
}

/// Sums one vector per position, in four chains so that additions overlap.
#[inline(always)]
fn sum_by<S: Simd>(
    simd: S,
    image: &[f32],
    stride: usize,
    vector: impl Fn(&[f32]) -> S::f32s,
) -> S::f32s {
    let mut sums = [simd.splat_f32s(0.0); 4];
    let mut groups = image.chunks_exact(4 * stride);
    for group in &mut groups {
        for i in 0..4 {
            sums[i] = simd.add_f32s(sums[i], vector(&group[i * stride..][..stride]));
        }
    }
    for values in groups.remainder().chunks_exact(stride) {
        sums[0] = simd.add_f32s(sums[0], vector(values));
    }
    simd.add_f32s(
        simd.add_f32s(sums[0], sums[1]),
        simd.add_f32s(sums[2], sums[3]),
    )
}

/// The lanes of a vector, for plain code.
#[inline(always)]
fn lanes_of<S: Simd>(vector: S::f32s) -> [f32; MOST_LANES] {
    let mut lanes = [0.0; MOST_LANES];
    store::<S>(&mut lanes, vector);
    lanes
}

/// Adds one image's share to the sums of its chunk.
#[inline(always)]
pub(crate) fn add_grad_sums<S: Simd>(
    simd: S,
    norm: &NormGrad,
    values: &[f32],
    grads: &[f32],
    channels: usize,
    total: &mut GradSums,
) {
    let mut own = GradSums::zeros(channels);
    for c in (0..channels).step_by(S::F32_LANES) {
        let (scale, shift) = (load::<S>(&norm.scale[c..]), load::<S>(&norm.shift[c..]));
        let mean = load::<S>(&norm.mean[c..]);
        let mut plain = [simd.splat_f32s(0.0); 2];
        let mut centred = [simd.splat_f32s(0.0); 2];
        let positions = values
            .chunks_exact(channels)
            .zip(grads.chunks_exact(channels));
        for (i, (value, grad)) in positions.enumerate() {
            let value = load_some(simd, &value[c..]);
            let grad = load_some(simd, &grad[c..]);
            let grad = masked(simd, grad, value, [scale, shift], norm.relu);
            plain[i % 2] = simd.add_f32s(plain[i % 2], grad);
            let deviation = simd.sub_f32s(value, mean);
            centred[i % 2] = simd.mul_add_e_f32s(grad, deviation, centred[i % 2]);
        }
        let plain = simd.add_f32s(plain[0], plain[1]);
        let centred = simd.add_f32s(centred[0], centred[1]);
        let (plain, centred) = (lanes_of::<S>(plain), lanes_of::<S>(centred));
        for (lane, c) in (c..channels.min(c + S::F32_LANES)).enumerate() {
            own.plain[c] = f64::from(plain[lane]);
            own.centred[c] = f64::from(centred[lane]);
        }
    }
    total.merge(&own);
}

/// The output gradient where `relu(scale * value + shift)` let the value pass, else zero.
#[inline(always)]
fn masked<S: Simd>(
    simd: S,
    grad: S::f32s,
    value: S::f32s,
    [scale, shift]: [S::f32s; 2],
    relu: bool,
) -> S::f32s {
    if !relu {
        return grad;
    }
    let zero = simd.splat_f32s(0.0);
    let output = simd.mul_add_e_f32s(value, scale, shift);
    simd.select_f32s(simd.less_than_or_equal_f32s(output, zero), zero, grad)
}

/// Gradient by the values before ReLU: `grads` where `outputs` is positive, into `to` of `stride`.
#[inline(always)]
pub(crate) fn relu_grad<S: Simd>(
    simd: S,
    outputs: Option<&[f32]>,
    grads: &[f32],
    channels: usize,
    to: (&mut [f32], usize),
) {
    let (to, stride) = to;
    let zero = simd.splat_f32s(0.0);
    for c in (0..channels).step_by(S::F32_LANES) {
        let positions = grads
            .chunks_exact(channels)
            .zip(to.chunks_exact_mut(stride));
        match outputs {
            None => {
                for (grad, to) in positions {
                    store::<S>(&mut to[c..], load_some(simd, &grad[c..]));
                }
            }
            Some(outputs) => {
                for (output, (grad, to)) in outputs.chunks_exact(channels).zip(positions) {
                    let (output, grad) =
                        (load_some(simd, &output[c..]), load_some(simd, &grad[c..]));
                    let closed = simd.less_than_or_equal_f32s(output, zero);
                    store::<S>(&mut to[c..], simd.select_f32s(closed, zero, grad));
                }
            }
        }
    }
}

/// Gradient by the normalized values `m`, see [`NormGrad`]; with `complete` false only the part
/// `scale * g` that is zero wherever `g` is.
#[inline(always)]
pub(crate) fn norm_grad<S: Simd>(
    simd: S,
    norm: &NormGrad,
    complete: bool,
    values: &[f32],
    grads: &[f32],
    channels: usize,
    to: (&mut [f32], usize),
) {
    let (to, stride) = to;
    for c in (0..channels).step_by(S::F32_LANES) {
        let (scale, shift) = (load::<S>(&norm.scale[c..]), load::<S>(&norm.shift[c..]));
        let mean = load::<S>(&norm.mean[c..]);
        let (linear, constant) = (load::<S>(&norm.linear[c..]), load::<S>(&norm.constant[c..]));
        let positions = values
            .chunks_exact(channels)
            .zip(grads.chunks_exact(channels));
        for ((value, grad), to) in positions.zip(to.chunks_exact_mut(stride)) {
            let value = load_some(simd, &value[c..]);
            let grad = load_some(simd, &grad[c..]);
            let grad = masked(simd, grad, value, [scale, shift], norm.relu);
            let mut result = simd.mul_f32s(grad, scale);
            if complete {
                let rest = simd.mul_add_e_f32s(simd.sub_f32s(value, mean), linear, constant);
                result = simd.add_f32s(result, rest);
            }
            store::<S>(&mut to[c..], result);
        }
    }
}

/// The part `linear * (m - mean) + constant` of [`NormGrad`], which every position has.
#[derive(Clone, Copy)]
pub(crate) struct NormRest<'a> {
    pub(crate) norm: &'a NormGrad,
    /// What was normalized, `[positions, channels]`.
    pub(crate) values: &'a [f32],
    pub(crate) channels: usize,
}

impl NormRest<'_> {
    /// What [`at`](Self::at) needs for one vector of channels: mean, linear and constant.
    #[inline(always)]
    pub(crate) fn factors<S: Simd>(self, c: usize) -> [S::f32s; 3] {
        let NormGrad {
            mean,
            linear,
            constant,
            ..
        } = self.norm;
        [
            load::<S>(&mean[c..]),
            load::<S>(&linear[c..]),
            load::<S>(&constant[c..]),
        ]
    }

    /// The part at one position, for one vector of channels.
    #[inline(always)]
    pub(crate) fn at<S: Simd>(
        self,
        simd: S,
        [mean, linear, constant]: [S::f32s; 3],
        position: usize,
        c: usize,
    ) -> S::f32s {
        let values = &self.values[position * self.channels + c..];
        let count = S::F32_LANES.min(self.channels - c);
        let deviation = simd.sub_f32s(load_some(simd, &values[..count]), mean);
        simd.mul_add_e_f32s(deviation, linear, constant)
    }
}

/// Adds the sum over positions of `grads`, `[positions, stride]`, to one value per channel.
#[inline(always)]
pub(crate) fn add_sums<S: Simd>(simd: S, grads: &[f32], stride: usize, total: &mut [f32]) {
    for (c, total) in (0..stride)
        .step_by(S::F32_LANES)
        .zip(total.chunks_exact_mut(S::F32_LANES))
    {
        let sum = sum_by(simd, grads, stride, |values| load::<S>(&values[c..]));
        store::<S>(total, simd.add_f32s(load::<S>(total), sum));
    }
}
