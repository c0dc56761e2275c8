//! Each operation at the shapes of networks that are trained on MNIST, and on a picture in colour.
//!
//! `cargo bench -p kernels`; `RAYON_NUM_THREADS=1` for one thread. An item is a floating-point operation
//! of the plain definition (a multiply-add counts as two), so `Gitem/s` reads as GFLOP/s; the rows of
//! `peak_matmul_512` are what a plain 512x512x512 product reaches on the same cores. The sparse backward
//! passes after a max-pool skip three quarters of those operations, which is how they exceed the peak.

#![allow(clippy::unwrap_used, clippy::expect_used, deprecated, missing_docs)]

use burn::tensor::{Device, Distribution, Tensor};
use divan::{Bencher, counter::ItemsCount};
use kernels::{
    Affine, Isa, Normalization, Precision,
    conv::{ConvBlock, Geometry, Kept, Statistics},
    dense::Dense,
};

const BATCH: usize = 128;

fn main() {
    divan::main();
}

/// Height and width of the input, input channels, output channels, kernel, padding.
const SHAPES: [[usize; 6]; 6] = [
    [28, 28, 1, 16, 3, 0],
    [13, 13, 16, 32, 3, 0],
    [28, 28, 1, 24, 5, 0],
    [12, 12, 24, 32, 3, 0],
    [14, 14, 32, 32, 3, 1],
    [192, 256, 3, 16, 3, 1],
];

#[divan::bench]
fn peak_matmul_512(bencher: Bencher) {
    let device = Device::flex();
    let side = 512usize;
    let [a, b] = [0, 1].map(|_| Tensor::<2>::random([side, side], Distribution::Default, &device));
    bencher
        .counter(ItemsCount::new(2 * side * side * side))
        .bench(|| a.clone().matmul(b.clone()));
}

/// The loss and its gradient, by the number of classes.
#[divan::bench(args = [10, 1000])]
fn cross_entropy(bencher: Bencher, classes: usize) {
    let device = Device::flex();
    let logits = Tensor::<2>::random([BATCH, classes], Distribution::Default, &device);
    let logits = logits.autodiff().require_grad();
    let labels = [1; BATCH];
    bencher.bench(|| kernels::cross_entropy(logits.clone(), &labels).backward());
}

struct Example {
    block: ConvBlock,
    flops: usize,
    input: Vec<f32>,
    weight: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    output: Vec<f32>,
    output_grad: Vec<f32>,
    chosen: Vec<u8>,
    /// Absent for the first layer of a network, whose input needs no gradient.
    input_grad: Option<Vec<f32>>,
}

impl Example {
    fn new(shape: [usize; 6], pool: bool) -> Self {
        Self::on(shape, pool, Isa::best())
    }

    fn on(shape: [usize; 6], pool: bool, isa: Isa) -> Self {
        let [height, width, in_channels, out_channels, kernel, padding] = shape;
        let size = [height, width, in_channels];
        let geometry = Geometry::new(size, out_channels, kernel, padding, pool).unwrap();
        // As many pixels as a batch of MNIST has, but at least four pictures.
        let batch = (BATCH * 28 * 28 / (height * width)).clamp(4, BATCH);
        let inputs = batch * geometry.input_len();
        let outputs = batch * geometry.output_len();
        let positions: usize = [height, width]
            .map(|size| size + 2 * padding + 1 - kernel)
            .iter()
            .product();
        Self {
            block: ConvBlock::on(geometry, isa),
            flops: batch * 2 * positions * geometry.weight_len(),
            input: random(inputs, 1),
            weight: random(geometry.weight_len(), 2),
            gamma: random(out_channels, 3),
            beta: random(out_channels, 4),
            output: vec![0.0; outputs],
            output_grad: random(outputs, 5),
            chosen: vec![0; if pool { outputs } else { 0 }],
            input_grad: (in_channels > 3).then(|| vec![0.0; inputs]),
        }
    }

    /// Weight gradient, and input gradient except for a first layer.
    fn backward_flops(&self) -> ItemsCount {
        ItemsCount::new(self.flops * if self.input_grad.is_some() { 2 } else { 1 })
    }

    fn forward(&mut self) {
        let map = Affine {
            scale: vec![1.0; self.beta.len()],
            shift: self.beta.clone(),
            relu: true,
        };
        let chosen = Some(&mut self.chosen[..]);
        self.block
            .forward(&self.input, &self.weight, &map, &mut self.output, chosen)
            .unwrap();
    }

    fn backward(&mut self) {
        self.block
            .backward(
                &self.input,
                &self.weight,
                Some(&self.output),
                &self.chosen,
                &self.output_grad,
                self.input_grad.as_deref_mut(),
            )
            .unwrap();
    }

    fn norm<'a>(gamma: &'a [f32], beta: &'a [f32]) -> Normalization<'a> {
        Normalization {
            gamma,
            beta,
            epsilon: 1e-5,
            relu: true,
        }
    }

    fn forward_train(&mut self, statistics: Statistics) -> Kept {
        let norm = Self::norm(&self.gamma, &self.beta);
        self.block
            .forward_train(
                &self.input,
                &self.weight,
                &norm,
                statistics,
                &mut self.output,
            )
            .unwrap()
    }

    fn backward_train(&mut self, kept: &Kept) {
        let norm = Self::norm(&self.gamma, &self.beta);
        self.block
            .backward_train(
                &self.input,
                &self.weight,
                &norm,
                kept,
                &self.output_grad,
                self.input_grad.as_deref_mut(),
            )
            .unwrap();
    }
}

fn random(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 - 0.5
        })
        .collect()
}

/// Convolution, bias and ReLU.
#[divan::bench_group]
mod conv_relu {
    use super::*;

    #[divan::bench(args = SHAPES)]
    fn forward(bencher: Bencher, shape: [usize; 6]) {
        let mut example = Example::new(shape, false);
        bencher
            .counter(ItemsCount::new(example.flops))
            .bench_local(|| example.forward());
    }

    #[divan::bench(args = SHAPES)]
    fn backward(bencher: Bencher, shape: [usize; 6]) {
        let mut example = Example::new(shape, false);
        example.forward();
        bencher
            .counter(example.backward_flops())
            .bench_local(|| example.backward());
    }
}

/// Convolution, bias, ReLU and max-pool.
#[divan::bench_group]
mod conv_relu_pool {
    use super::*;

    #[divan::bench(args = SHAPES)]
    fn forward(bencher: Bencher, shape: [usize; 6]) {
        let mut example = Example::new(shape, true);
        bencher
            .counter(ItemsCount::new(example.flops))
            .bench_local(|| example.forward());
    }

    #[divan::bench(args = SHAPES)]
    fn backward(bencher: Bencher, shape: [usize; 6]) {
        let mut example = Example::new(shape, true);
        example.forward();
        bencher
            .counter(example.backward_flops())
            .bench_local(|| example.backward());
    }
}

/// Convolution, max-pool, batch normalization and ReLU.
#[divan::bench_group]
mod conv_pool_norm_relu {
    use super::*;

    #[divan::bench(args = SHAPES)]
    fn forward(bencher: Bencher, shape: [usize; 6]) {
        let mut example = Example::new(shape, true);
        let flops = ItemsCount::new(example.flops);
        bencher
            .counter(flops)
            .bench_local(|| example.forward_train(Statistics::Pooled));
    }

    #[divan::bench(args = SHAPES)]
    fn backward(bencher: Bencher, shape: [usize; 6]) {
        let mut example = Example::new(shape, true);
        let kept = example.forward_train(Statistics::Pooled);
        bencher
            .counter(example.backward_flops())
            .bench_local(|| example.backward_train(&kept));
    }
}

/// Convolution, batch normalization, ReLU and max-pool.
#[divan::bench_group]
mod conv_norm_relu_pool {
    use super::*;

    #[divan::bench(args = SHAPES)]
    fn forward(bencher: Bencher, shape: [usize; 6]) {
        let mut example = Example::new(shape, true);
        let flops = ItemsCount::new(example.flops);
        bencher
            .counter(flops)
            .bench_local(|| example.forward_train(Statistics::Conv));
    }

    #[divan::bench(args = SHAPES)]
    fn backward(bencher: Bencher, shape: [usize; 6]) {
        let mut example = Example::new(shape, true);
        let kept = example.forward_train(Statistics::Conv);
        bencher
            .counter(example.backward_flops())
            .bench_local(|| example.backward_train(&kept));
    }
}

/// The same with products in bf16, on processors that have them.
#[divan::bench_group]
mod bf16_conv_norm_relu_pool {
    use super::*;

    /// Without the first layers of grey images, whose products stay in f32.
    const SHAPES: [[usize; 6]; 3] = [super::SHAPES[1], super::SHAPES[3], super::SHAPES[4]];

    #[divan::bench(args = SHAPES)]
    fn forward(bencher: Bencher, shape: [usize; 6]) {
        let Ok(precision) = Precision::bf16() else {
            return;
        };
        let mut example = Example::on(shape, true, Isa::best_for(precision));
        let flops = ItemsCount::new(example.flops);
        bencher
            .counter(flops)
            .bench_local(|| example.forward_train(Statistics::Conv));
    }

    #[divan::bench(args = SHAPES)]
    fn backward(bencher: Bencher, shape: [usize; 6]) {
        let Ok(precision) = Precision::bf16() else {
            return;
        };
        let mut example = Example::on(shape, true, Isa::best_for(precision));
        let kept = example.forward_train(Statistics::Conv);
        bencher
            .counter(example.backward_flops())
            .bench_local(|| example.backward_train(&kept));
    }
}

/// Dense layer with batch normalization and ReLU.
#[divan::bench_group]
mod dense_norm_relu {
    use super::*;

    /// Inputs, outputs.
    const SIZES: [[usize; 2]; 2] = [[800, 128], [800, 256]];

    struct Layer {
        layer: Dense,
        flops: usize,
        input: Vec<f32>,
        weight: Vec<f32>,
        gamma: Vec<f32>,
        beta: Vec<f32>,
        output: Vec<f32>,
        output_grad: Vec<f32>,
        input_grad: Vec<f32>,
    }

    impl Layer {
        fn new([inputs, outputs]: [usize; 2], isa: Isa) -> Self {
            Self {
                layer: Dense::on(inputs, outputs, isa).unwrap(),
                flops: 2 * BATCH * inputs * outputs,
                input: random(BATCH * inputs, 1),
                weight: random(inputs * outputs, 2),
                gamma: random(outputs, 3),
                beta: random(outputs, 4),
                output: vec![0.0; BATCH * outputs],
                output_grad: random(BATCH * outputs, 5),
                input_grad: vec![0.0; BATCH * inputs],
            }
        }

        fn forward(&mut self) -> kernels::dense::Kept {
            let norm = Example::norm(&self.gamma, &self.beta);
            let (input, weight) = (&self.input, &self.weight);
            self.layer
                .forward_train(input, weight, &norm, &mut self.output)
                .unwrap()
        }

        fn backward(&mut self, kept: &kernels::dense::Kept) {
            let norm = Example::norm(&self.gamma, &self.beta);
            self.layer
                .backward_train(
                    &self.input,
                    &self.weight,
                    &norm,
                    kept,
                    &self.output_grad,
                    Some(&mut self.input_grad),
                )
                .unwrap();
        }
    }

    #[divan::bench(args = SIZES)]
    fn forward(bencher: Bencher, sizes: [usize; 2]) {
        let mut layer = Layer::new(sizes, Isa::best());
        bencher
            .counter(ItemsCount::new(layer.flops))
            .bench_local(|| layer.forward());
    }

    #[divan::bench(args = SIZES)]
    fn bf16_forward(bencher: Bencher, sizes: [usize; 2]) {
        let Ok(precision) = Precision::bf16() else {
            return;
        };
        let mut layer = Layer::new(sizes, Isa::best_for(precision));
        bencher
            .counter(ItemsCount::new(layer.flops))
            .bench_local(|| layer.forward());
    }

    #[divan::bench(args = SIZES)]
    fn bf16_backward(bencher: Bencher, sizes: [usize; 2]) {
        let Ok(precision) = Precision::bf16() else {
            return;
        };
        let mut layer = Layer::new(sizes, Isa::best_for(precision));
        let kept = layer.forward();
        let flops = ItemsCount::new(2 * layer.flops);
        bencher.counter(flops).bench_local(|| layer.backward(&kept));
    }

    #[divan::bench(args = SIZES)]
    fn backward(bencher: Bencher, sizes: [usize; 2]) {
        let mut layer = Layer::new(sizes, Isa::best());
        let kept = layer.forward();
        let flops = ItemsCount::new(2 * layer.flops);
        bencher.counter(flops).bench_local(|| layer.backward(&kept));
    }
}
