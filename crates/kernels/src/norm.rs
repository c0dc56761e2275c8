//! Per-channel arithmetic on channels-last images: affine maps with ReLU, and batch statistics.
//!
//! Batch normalization (Ioffe and Szegedy, 2015, arXiv 1502.03167) is split into what one image can
//! do on its own and sums over the batch, so that each kernel touches the values while they are in cache.

use pulp::Simd;

use crate::simd::{load, load_some, padded, relu, store, store_some};

/// Per-channel map `scale * value + shift`, then ReLU if asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// One factor per channel.
    pub scale: Vec<f32>,
    /// One summand per channel.
    pub shift: Vec<f32>,
    /// Whether negative results become zero.
    pub relu: bool,
}

/// Mean and variance per channel over a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Values per channel.
    pub count: f64,
    /// Mean of each channel.
    pub mean: Vec<f64>,
    /// Sum of squared deviations from the mean, of each channel.
    pub squares: Vec<f64>,
}

impl Moments {
    /// Biased variance of one channel.
    pub fn variance(&self, channel: usize) -> f64 {
        self.squares[channel] / self.count
    }

    /// Statistics of the union (Chan, Golub and LeVeque, 1979).
    pub(crate) fn merge(&mut self, other: &Moments) {
        if self.count == 0.0 {
            self.clone_from(other);
            return;
        }
        let count = self.count + other.count;
        let weight = other.count / count;
        for c in 0..self.mean.len() {
            let delta = other.mean[c] - self.mean[c];
            self.mean[c] += delta * weight;
            self.squares[c] += other.squares[c] + delta * delta * self.count * weight;
        }
        self.count = count;
    }
}

/// `values` followed by zeros up to whole vectors.
pub(crate) fn pad(values: &[f32], lanes: usize) -> Vec<f32> {
    let mut padded_values = values.to_vec();
    padded_values.resize(padded(values.len(), lanes), 0.0);
    padded_values
}

/// Applies an affine map to `from`, `[.., stride]` of which the first `channels` count, into `to`,
/// `[.., channels]`. `scale` and `shift` are padded to whole vectors.
#[inline(always)]
pub(crate) fn apply<S: Simd>(
    simd: S,
    [scale, shift]: [&[f32]; 2],
    with_relu: bool,
    from: (&[f32], usize),
    to: (&mut [f32], usize),
) {
    let ((from, stride), (to, channels)) = (from, to);
    for (from, to) in from.chunks_exact(stride).zip(to.chunks_exact_mut(channels)) {
        for c in (0..channels).step_by(S::F32_LANES) {
            let value = load_some(simd, &from[c..]);
            let value = simd.mul_add_e_f32s(value, load::<S>(&scale[c..]), load::<S>(&shift[c..]));
            let value = if with_relu { relu(simd, value) } else { value };
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
        for (lane, c) in (c..channels.min(c + S::F32_LANES)).enumerate() {
            own.mean[c] = f64::from(lane_of::<S>(&mean, lane));
            own.squares[c] = f64::from(lane_of::<S>(&squares, lane));
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

#[inline(always)]
pub(crate) fn lane_of<S: Simd>(vector: &S::f32s, lane: usize) -> f32 {
    let mut lanes = [0.0; 16];
    store::<S>(&mut lanes, *vector);
    lanes[lane]
}

/// Per-channel constants of the gradient through a normalization, padded to whole vectors.
///
/// For `y = relu(scale * m + shift)` with `scale = gamma / sqrt(variance + epsilon)` and batch
/// statistics, the gradient by `m` is `scale * g + linear * (m - mean) + constant`, where `g` is the
/// output gradient where ReLU let the value pass.
#[derive(Clone, Debug)]
pub(crate) struct NormGrad {
    pub(crate) scale: Vec<f32>,
    pub(crate) shift: Vec<f32>,
    pub(crate) mean: Vec<f32>,
    pub(crate) linear: Vec<f32>,
    pub(crate) constant: Vec<f32>,
    pub(crate) relu: bool,
}

/// Sums over positions of `g` and of `g * (m - mean)`, per channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GradSums {
    /// Sum of the output gradient: the gradient of `beta`.
    pub plain: Vec<f64>,
    /// Sum of the output gradient times the centred value: `sqrt(variance + epsilon)` times the gradient of `gamma`.
    pub centred: Vec<f64>,
}

impl GradSums {
    pub(crate) fn zeros(channels: usize) -> Self {
        Self {
            plain: vec![0.0; channels],
            centred: vec![0.0; channels],
        }
    }

    pub(crate) fn merge(&mut self, other: &GradSums) {
        for c in 0..self.plain.len() {
            self.plain[c] += other.plain[c];
            self.centred[c] += other.centred[c];
        }
    }
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
        for (lane, c) in (c..channels.min(c + S::F32_LANES)).enumerate() {
            own.plain[c] = f64::from(lane_of::<S>(&plain, lane));
            own.centred[c] = f64::from(lane_of::<S>(&centred, lane));
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
    for (i, (grad, to)) in grads
        .chunks_exact(channels)
        .zip(to.chunks_exact_mut(stride))
        .enumerate()
    {
        for c in (0..channels).step_by(S::F32_LANES) {
            let mut grad = load_some(simd, &grad[c..]);
            if let Some(outputs) = outputs {
                let output = load_some(simd, &outputs[i * channels..][c..channels]);
                grad = simd.select_f32s(simd.less_than_or_equal_f32s(output, zero), zero, grad);
            }
            store::<S>(&mut to[c..], grad);
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

/// Adds the part `linear * (m - mean) + constant` of [`NormGrad`] at every position of `to`.
#[inline(always)]
pub(crate) fn add_norm_rest<S: Simd>(
    simd: S,
    norm: &NormGrad,
    values: &[f32],
    channels: usize,
    to: (&mut [f32], usize),
) {
    let (to, stride) = to;
    for c in (0..channels).step_by(S::F32_LANES) {
        let mean = load::<S>(&norm.mean[c..]);
        let (linear, constant) = (load::<S>(&norm.linear[c..]), load::<S>(&norm.constant[c..]));
        for (value, to) in values
            .chunks_exact(channels)
            .zip(to.chunks_exact_mut(stride))
        {
            let value = load_some(simd, &value[c..]);
            let rest = simd.mul_add_e_f32s(simd.sub_f32s(value, mean), linear, constant);
            let sum = simd.add_f32s(load::<S>(&to[c..]), rest);
            store::<S>(&mut to[c..], sum);
        }
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
