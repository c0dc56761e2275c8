//! Layers that read as Burn's and are computed together.
//!
//! What each call says is what happens, in that order. Nothing is computed before `tensor` asks for the
//! result: then the steps run as one operation where there is a kernel for them, and as Burn's own
//! operations, one by one, where there is none.

use burn::{
    nn::{BatchNorm, Linear, conv::Conv2d},
    tensor::{Tensor, activation, module, ops::MaxPoolOptions},
};

use crate::{
    Order, Precision,
    ops::{conv_block_in, dense_block_in},
};

/// `conv.forward(x)`, and what follows it. `x` is `[batch, in_channels, height, width]`.
///
/// ```
/// use burn::{nn::{BatchNormConfig, conv::Conv2dConfig}, tensor::{Device, Tensor}};
/// use kernels::conv2d;
///
/// # #[cfg(feature = "flex")] {
/// let device = Device::flex();
/// let conv = Conv2dConfig::new([3, 16], [3, 3]).init(&device);
/// let norm = BatchNormConfig::new(16).init(&device);
///
/// let images = Tensor::<4>::zeros([8, 3, 32, 32], &device);
/// let x = conv2d(images, &conv).norm(Some(&norm)).relu().max_pool(true).tensor();
/// assert_eq!(x.dims(), [8, 16, 15, 15]);
/// # }
/// ```
pub fn conv2d(x: Tensor<4>, conv: &Conv2d) -> Conv<'_> {
    Conv {
        x,
        conv,
        precision: Precision::F32,
        steps: Vec::new(),
    }
}

/// `linear.forward(x)`, and what follows it. `x` is `[batch, inputs]`.
pub fn linear(x: Tensor<2>, linear: &Linear) -> Dense<'_> {
    Dense {
        x,
        linear,
        precision: Precision::F32,
        steps: Vec::new(),
    }
}

/// A convolution that isn't computed yet: see [`conv2d`].
#[must_use = "nothing is computed without `tensor`"]
pub struct Conv<'a> {
    /// `[batch, in_channels, height, width]`.
    x: Tensor<4>,
    conv: &'a Conv2d,
    precision: Precision,
    steps: Vec<Step<'a>>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Norm(&'a BatchNorm),
    Relu,
    Pool,
}

impl<'a> Conv<'a> {
    /// What the products are computed in where there is a kernel, in place of `f32`.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Batch normalization, if there is one.
    pub fn norm(mut self, norm: Option<&'a BatchNorm>) -> Self {
        self.steps.extend(norm.map(Step::Norm));
        self
    }

    /// `max(x, 0)`.
    pub fn relu(mut self) -> Self {
        self.steps.push(Step::Relu);
        self
    }

    /// A 2×2 max-pool of stride 2, if `pool` is set.
    pub fn max_pool(mut self, pool: bool) -> Self {
        self.steps.extend(pool.then_some(Step::Pool));
        self
    }

    /// Computes it: `[batch, out_channels, height, width]`.
    pub fn tensor(self) -> Tensor<4> {
        let Conv {
            x,
            conv,
            precision,
            steps,
        } = self;
        let (norm, order, pool) = match steps[..] {
            [Step::Relu] => (None, Order::ConvNormReluPool, false),
            [Step::Relu, Step::Pool] => (None, Order::ConvNormReluPool, true),
            [Step::Pool, Step::Relu] => (None, Order::ConvPoolNormRelu, true),
            [Step::Norm(norm), Step::Relu] => (Some(norm), Order::ConvNormReluPool, false),
            [Step::Norm(norm), Step::Relu, Step::Pool] => {
                (Some(norm), Order::ConvNormReluPool, true)
            }
            [Step::Pool, Step::Norm(norm), Step::Relu] => {
                (Some(norm), Order::ConvPoolNormRelu, true)
            }
            _ => return one_by_one(conv.forward(x), &steps),
        };
        conv_block_in(x, conv, norm, order, pool, precision)
    }
}

/// By Burn's own operations.
fn one_by_one(x: Tensor<4>, steps: &[Step]) -> Tensor<4> {
    steps.iter().fold(x, |x, step| match step {
        Step::Pool => module::max_pool2d(x, MaxPoolOptions::new([2, 2])),
        step => step.alone(x),
    })
}

/// A dense layer that isn't computed yet: see [`linear`].
#[must_use = "nothing is computed without `tensor`"]
pub struct Dense<'a> {
    /// `[batch, inputs]`.
    x: Tensor<2>,
    linear: &'a Linear,
    precision: Precision,
    steps: Vec<Step<'a>>,
}

impl<'a> Dense<'a> {
    /// What the products are computed in where there is a kernel, in place of `f32`.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Batch normalization, if there is one.
    pub fn norm(mut self, norm: Option<&'a BatchNorm>) -> Self {
        self.steps.extend(norm.map(Step::Norm));
        self
    }

    /// `max(x, 0)`.
    pub fn relu(mut self) -> Self {
        self.steps.push(Step::Relu);
        self
    }

    /// Computes it: `[batch, outputs]`.
    pub fn tensor(self) -> Tensor<2> {
        let Dense {
            x,
            linear,
            precision,
            steps,
        } = self;
        let (norm, relu) = match steps[..] {
            [] => (None, false),
            [Step::Relu] => (None, true),
            [Step::Norm(norm)] => (Some(norm), false),
            [Step::Norm(norm), Step::Relu] => (Some(norm), true),
            _ => {
                let x = linear.forward(x);
                return steps.iter().fold(x, |x, step| step.alone(x));
            }
        };
        dense_block_in(x, linear, norm, relu, precision)
    }
}

impl Step<'_> {
    /// By Burn's own operation. A pool is a step of convolutions only.
    fn alone<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Step::Norm(norm) => norm.forward(x),
            Step::Relu => activation::relu(x),
            Step::Pool => x,
        }
    }
}
