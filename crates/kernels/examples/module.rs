//! The kernels as a drop-in in a Burn module: the same parameters, the same results, another forward pass.
//!
//! `cargo run --release -p kernels --example module`

use std::time::Instant;

use burn::{
    module::Module,
    nn::{
        BatchNorm, BatchNormConfig, Linear, LinearConfig,
        conv::{Conv2d, Conv2dConfig},
        loss::CrossEntropyLossConfig,
    },
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{
        Device, Distribution, Int, Tensor, activation::relu, module::max_pool2d,
        ops::MaxPoolOptions,
    },
};
use kernels::{AdamW, conv2d, cross_entropy, flatten, linear};

/// Images of 28×28 pixels to ten classes.
#[derive(Module, Debug)]
struct Net {
    conv: Conv2d,
    norm: BatchNorm,
    output: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        Net {
            conv: Conv2dConfig::new([1, 16], [3, 3]).init(device),
            norm: BatchNormConfig::new(16).init(device),
            output: LinearConfig::new(16 * 13 * 13, 10).init(device),
        }
    }

    /// By Burn's operations, `[batch, 1, 28, 28]` to `[batch, 10]`.
    fn plain(&self, images: Tensor<4>) -> Tensor<2> {
        let x = relu(self.norm.forward(self.conv.forward(images)));
        let x = max_pool2d(x, MaxPoolOptions::new([2, 2]));
        self.output.forward(x.flatten(1, 3))
    }

    /// The same by the kernels.
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = conv2d(images, &self.conv)
            .norm(Some(&self.norm))
            .relu()
            .max_pool(true)
            .tensor();
        linear(flatten(x), &self.output).tensor()
    }
}

fn main() {
    let device = Device::flex();
    let images = Tensor::<4>::random([128, 1, 28, 28], Distribution::Default, &device);
    let labels: Vec<u16> = (0..128).map(|row| row % 10).collect();

    let net = Net::new(&device);
    let apart = (net.plain(images.clone()) - net.forward(images.clone()))
        .abs()
        .max();
    println!(
        "largest difference of a logit: {:.1e}",
        apart.into_scalar::<f32>()
    );

    let device = device.autodiff();
    let (net, images) = (Net::new(&device), images.autodiff());
    let targets: Vec<i32> = labels.iter().copied().map(i32::from).collect();
    let targets = Tensor::<1, Int>::from_data(&targets[..], &device);
    let loss = CrossEntropyLossConfig::new().init(&device);
    time("Burn alone", &net, |net| {
        loss.forward(net.plain(images.clone()), targets.clone())
    });
    time("kernels", &net, |net| {
        cross_entropy(net.forward(images.clone()), &labels)
    });
}

/// Makes some steps of training and says how long one takes.
fn time(name: &str, net: &Net, loss: impl Fn(&Net) -> Tensor<1>) {
    let mut net = net.clone();
    let mut optimizer = ModuleOptimizer::from(AdamW::default());
    let mut seconds = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        let gradients = GradientsParams::from_grads(loss(&net).backward(), &net);
        net = optimizer.step(1e-3, net, gradients);
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    println!("{name}: {:.2} ms a step", 1e3 * seconds[seconds.len() / 2]);
}
