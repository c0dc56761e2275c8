//! A reference in `f64` that follows the definitions, and random blocks to compare with it.

#![allow(dead_code, deprecated)]

#[cfg(feature = "burn")]
use burn::{
    module::RunningState,
    nn::{BatchNorm, BatchNormConfig},
    tensor::{DType, Device, Tensor, TensorData},
};
use kernels::conv::{Geometry, Statistics};
use proptest::prelude::*;

/// One random block: shapes, what follows the convolution, and the seed of its values.
#[derive(Clone, Debug)]
pub struct Case {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    pub kernel: usize,
    pub padding: usize,
    pub pool: bool,
    pub relu: bool,
    pub norm: Option<Statistics>,
    pub seed: u64,
}

/// The values of a case, in the layout of the slice kernels.
#[derive(Clone, Debug)]
pub struct Values {
    /// `[batch, height, width, in_channels]`
    pub input: Vec<f64>,
    /// `[out_channels, in_channels, kernel, kernel]`
    pub weight: Vec<f64>,
    /// Bias, or `beta`.
    pub shift: Vec<f64>,
    /// `gamma`
    pub scale: Vec<f64>,
}

pub const EPSILON: f64 = 1e-5;

/// Blocks of 3x3 filters over whole vectors of channels, which are computed by transformed tiles.
pub fn wide_cases() -> impl Strategy<Value = Case> {
    (cases(), 4usize..12, 4usize..12).prop_map(|(case, height, width)| Case {
        batch: case.batch.min(2),
        height,
        width,
        in_channels: case.in_channels.next_multiple_of(16),
        out_channels: case.out_channels.next_multiple_of(16),
        kernel: 3,
        padding: case.padding.min(2),
        ..case
    })
}

pub fn cases() -> impl Strategy<Value = Case> {
    let kernel = prop::sample::select(vec![1usize, 2, 3, 4, 5, 6, 7]);
    let norm = prop::sample::select(vec![None, Some(Statistics::Conv), Some(Statistics::Pooled)]);
    let sizes = (1usize..5, 1usize..10, 1usize..10);
    let channels = (
        prop_oneof![Just(1usize), Just(3), 1usize..9, Just(16), 1usize..40],
        prop_oneof![Just(1usize), 1usize..9, Just(16), Just(32), 1usize..40],
    );
    (
        sizes,
        channels,
        kernel,
        any::<prop::sample::Index>(),
        any::<(bool, bool, u64)>(),
        norm,
    )
        .prop_map(
            |(sizes, channels, kernel, padding, (pool, relu, seed), norm)| {
                let (batch, height, width) = sizes;
                let padding = padding.index(kernel + 1);
                let smallest = kernel + usize::from(pool);
                let grow = |size: usize| size.max(smallest.saturating_sub(2 * padding));
                Case {
                    batch,
                    height: grow(height),
                    width: grow(width),
                    in_channels: channels.0,
                    out_channels: channels.1,
                    kernel,
                    padding,
                    pool,
                    relu,
                    norm,
                    seed,
                }
            },
        )
}

/// The same cases on every run, so that a test never fails by an unlucky value next to a kink.
pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: prop::test_runner::RngSeed::Fixed(7),
        ..ProptestConfig::default()
    }
}

/// Uniform values in `-1..1` from a seed.
pub fn random(len: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // A value that f32 holds exactly.
        f64::from((state >> 40) as f32 / (1u32 << 23) as f32 - 1.0)
    };
    for _ in 0..8 {
        next();
    }
    (0..len).map(|_| next()).collect()
}

pub fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

impl Case {
    pub fn geometry(&self) -> Geometry {
        Geometry::new(
            [self.height, self.width, self.in_channels],
            self.out_channels,
            self.kernel,
            self.padding,
            self.pool,
        )
        .unwrap()
    }

    pub fn values(&self) -> Values {
        let geometry = self.geometry();
        Values {
            input: random(self.batch * geometry.input_len(), self.seed),
            weight: random(geometry.weight_len(), self.seed ^ 1),
            shift: random(self.out_channels, self.seed ^ 2),
            scale: random(self.out_channels, self.seed ^ 3),
        }
    }

    /// The block's output, `[batch, height, width, out_channels]`.
    pub fn reference(&self, values: &Values) -> Vec<f64> {
        let conv = self.convolve(values);
        let [height, width] =
            [self.height, self.width].map(|s| s + 2 * self.padding + 1 - self.kernel);
        let mut result = match (self.norm, self.pool) {
            (None, true) => {
                let shifted = self.per_channel(&conv, |c, v| v + values.shift[c]);
                self.max_pool(&shifted, height, width)
            }
            (None, false) => self.per_channel(&conv, |c, v| v + values.shift[c]),
            (Some(Statistics::Conv), true) => {
                let normalized = self.normalize(&conv, values);
                self.max_pool(&normalized, height, width)
            }
            (Some(Statistics::Pooled), true) => {
                self.normalize(&self.max_pool(&conv, height, width), values)
            }
            (Some(_), false) => self.normalize(&conv, values),
        };
        if self.relu {
            result.iter_mut().for_each(|v| *v = v.max(0.0));
        }
        result
    }

    pub fn convolve(&self, values: &Values) -> Vec<f64> {
        let (k, cin, cout) = (self.kernel, self.in_channels, self.out_channels);
        let [height, width] = [self.height, self.width].map(|s| s + 2 * self.padding + 1 - k);
        let mut out = Vec::new();
        for n in 0..self.batch {
            for y in 0..height {
                for x in 0..width {
                    for o in 0..cout {
                        let mut sum = 0.0;
                        for ky in 0..k {
                            for kx in 0..k {
                                let (iy, ix) = (y + ky, x + kx);
                                let inside = |i: usize, size: usize| {
                                    i >= self.padding && i < size + self.padding
                                };
                                if !inside(iy, self.height) || !inside(ix, self.width) {
                                    continue;
                                }
                                let (iy, ix) = (iy - self.padding, ix - self.padding);
                                for c in 0..cin {
                                    let at = ((n * self.height + iy) * self.width + ix) * cin + c;
                                    sum += values.input[at]
                                        * values.weight[((o * cin + c) * k + ky) * k + kx];
                                }
                            }
                        }
                        out.push(sum);
                    }
                }
            }
        }
        out
    }

    fn per_channel(&self, values: &[f64], f: impl Fn(usize, f64) -> f64) -> Vec<f64> {
        let channels = self.out_channels;
        values
            .iter()
            .enumerate()
            .map(|(i, v)| f(i % channels, *v))
            .collect()
    }

    /// Mean and biased variance per channel.
    pub fn moments(&self, values: &[f64]) -> Vec<(f64, f64)> {
        let count = (values.len() / self.out_channels) as f64;
        (0..self.out_channels)
            .map(|c| {
                let own = || values.iter().skip(c).step_by(self.out_channels);
                let mean = own().sum::<f64>() / count;
                (mean, own().map(|v| (v - mean).powi(2)).sum::<f64>() / count)
            })
            .collect()
    }

    fn normalize(&self, values: &[f64], parameters: &Values) -> Vec<f64> {
        let moments = self.moments(values);
        self.per_channel(values, |c, v| {
            let (mean, variance) = moments[c];
            parameters.scale[c] * (v - mean) / (variance + EPSILON).sqrt() + parameters.shift[c]
        })
    }

    pub fn max_pool(&self, values: &[f64], height: usize, width: usize) -> Vec<f64> {
        let channels = self.out_channels;
        let mut out = Vec::new();
        for n in 0..self.batch {
            for y in 0..height / 2 {
                for x in 0..width / 2 {
                    for c in 0..channels {
                        let at = |dy: usize, dx: usize| {
                            values[((n * height + 2 * y + dy) * width + 2 * x + dx) * channels + c]
                        };
                        out.push(at(0, 0).max(at(0, 1)).max(at(1, 0)).max(at(1, 1)));
                    }
                }
            }
        }
        out
    }

    /// The derivative of `sum(output * weights)` by one value, by central differences.
    pub fn slope(
        &self,
        values: &Values,
        weights: &[f64],
        at: impl Fn(&mut Values) -> &mut f64,
    ) -> f64 {
        let step = 1e-6;
        let loss = |by: f64| {
            let mut moved = values.clone();
            *at(&mut moved) += by;
            let output = self.reference(&moved);
            output.iter().zip(weights).map(|(o, w)| o * w).sum::<f64>()
        };
        (loss(step) - loss(-step)) / (2.0 * step)
    }
}

/// Asserts that two lists agree up to `tolerance`, relative to the largest expected value (at least 1).
#[track_caller]
pub fn assert_close(name: &str, actual: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{name}: length");
    let scale = expected.iter().fold(1.0f64, |scale, v| scale.max(v.abs()));
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(*a) - e).abs() <= tolerance * scale,
            "{name}[{i}]: {a} instead of {e} (scale {scale})"
        );
    }
}

/// The devices of the backends that have kernels.
#[cfg(feature = "burn")]
pub fn devices() -> Vec<Device> {
    vec![
        #[cfg(feature = "ndarray")]
        Device::ndarray(),
        #[cfg(feature = "flex")]
        Device::flex(),
    ]
}

#[cfg(feature = "burn")]
pub fn tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(to_f32(values), shape), device)
}

#[cfg(feature = "burn")]
pub fn list<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// A normalization with the given `gamma` and `beta`, of which the kernels cover those of `f32`.
#[cfg(feature = "burn")]
pub fn batch_norm(gamma: &[f64], beta: &[f64], device: &Device, dtype: DType) -> BatchNorm {
    let channels = gamma.len();
    let mut norm = BatchNormConfig::new(channels)
        .with_epsilon(EPSILON)
        .init(device);
    let parameter = |values: &[f64]| tensor(values, [channels], device).cast(dtype);
    norm.gamma = norm.gamma.map(|_| parameter(gamma).require_grad());
    norm.beta = norm.beta.map(|_| parameter(beta).require_grad());
    let inner = device.clone().inner();
    norm.running_mean = RunningState::new(Tensor::<1>::zeros([channels], &inner).cast(dtype));
    norm.running_var = RunningState::new(Tensor::<1>::ones([channels], &inner).cast(dtype));
    norm
}
