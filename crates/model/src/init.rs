//! Random weights that depend on the seed alone: drawn on the host, so that every backend starts
//! from the same network, and under fixed parameter ids, so that the same run writes the same
//! bytes.

use burn::{
    module::{Flag, Param, ParamId, RunningState},
    nn::{BatchNorm, Linear, PaddingConfig2d, conv::Conv2d},
    tensor::{Device, Shape, Tensor, TensorData},
};
use data::Random;

/// Keeps the weights' streams apart from the other uses of the seed.
const WEIGHTS: u64 = u64::from_be_bytes(*b"weights\0");

/// Builds the layers of one network, one after the other.
pub(crate) struct Initializer<'a> {
    seed: u64,
    device: &'a Device,
    next_id: u64,
}

impl<'a> Initializer<'a> {
    pub(crate) fn new(seed: u64, device: &'a Device) -> Self {
        Self {
            seed,
            device,
            next_id: 1,
        }
    }

    /// A convolution of stride 1 with square filters.
    pub(crate) fn conv2d(
        &mut self,
        channels_in: usize,
        channels_out: usize,
        kernel: usize,
        padding: usize,
        bias: bool,
    ) -> Conv2d {
        let fan_in = channels_in * kernel * kernel;
        Conv2d {
            weight: self.weight([channels_out, channels_in, kernel, kernel], fan_in),
            bias: bias.then(|| self.constant([channels_out], 0.0)),
            stride: [1, 1],
            kernel_size: [kernel, kernel],
            dilation: [1, 1],
            groups: 1,
            padding: PaddingConfig2d::Explicit(padding, padding, padding, padding),
        }
    }

    /// A dense layer; weights are `[features_in, features_out]`.
    pub(crate) fn linear(&mut self, features_in: usize, features_out: usize, bias: bool) -> Linear {
        Linear {
            weight: self.weight([features_in, features_out], features_in),
            bias: bias.then(|| self.constant([features_out], 0.0)),
        }
    }

    /// A batch normalization that starts as the identity. Momentum 0.1 and epsilon 1e-5 are those
    /// of PyTorch and Burn.
    pub(crate) fn batch_norm(&mut self, features: usize) -> BatchNorm {
        BatchNorm {
            gamma: self.constant([features], 1.0),
            beta: self.constant([features], 0.0),
            training: Param::initialized(self.id(), Flag::new(true)),
            running_mean: RunningState::with_id(self.id(), Tensor::zeros([features], self.device)),
            running_var: RunningState::with_id(self.id(), Tensor::ones([features], self.device)),
            momentum: 0.1,
            epsilon: 1e-5,
        }
    }

    fn id(&mut self) -> ParamId {
        let id = ParamId::from(self.next_id);
        self.next_id += 1;
        id
    }

    /// Kaiming-uniform weights for layers that ReLU follows: U(-b, b) with b = sqrt(6 / fan_in)
    /// (He et al. 2015, "Delving Deep into Rectifiers", section 2.2).
    fn weight<const D: usize>(&mut self, shape: [usize; D], fan_in: usize) -> Param<Tensor<D>> {
        let id = self.id();
        let mut random = Random::keyed(&[WEIGHTS, self.seed, id.val()]);
        let bound = (6.0 / fan_in as f64).sqrt();
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|_| (bound * random.symmetric()) as f32)
            .collect();
        self.param(id, TensorData::new(values, Shape::from(shape)))
    }

    fn constant<const D: usize>(&mut self, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        let id = self.id();
        let values = vec![value; shape.iter().product()];
        self.param(id, TensorData::new(values, Shape::from(shape)))
    }

    fn param<const D: usize>(&self, id: ParamId, data: TensorData) -> Param<Tensor<D>> {
        Param::initialized(id, Tensor::from_data(data, self.device)).set_require_grad(true)
    }
}
