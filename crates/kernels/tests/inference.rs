//! A network prepared for inference says what its layers say one by one, whatever they are, on every instruction
//! set, however many images there are and however many threads.

#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

mod common;

use burn::{
    module::RunningState,
    nn::{
        BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
    },
    tensor::{Device, Tensor},
};
use common::{assert_close, config, devices, list, random, tensor};
use kernels::{
    Isa, Order, conv_block, dense_block, flatten,
    inference::{Forward, Layers, Precision},
};
use proptest::prelude::*;

/// Channels, kernel, padding, whether there is a pool.
type Block = (usize, usize, usize, bool);

/// A random network on images of a size.
#[derive(Clone, Debug)]
struct Case {
    size: [usize; 3],
    blocks: Vec<Block>,
    dense: Vec<usize>,
    norm: bool,
    order: bool,
    seed: u64,
}

/// Its layers.
struct Network {
    blocks: Vec<(Conv2d, Option<BatchNorm>, bool)>,
    dense: Vec<(Linear, Option<BatchNorm>)>,
    order: Order,
    tables: Vec<[f32; 256]>,
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = || prop_oneof![1usize..9, Just(16usize), Just(32), 1usize..40];
    let block = (channels(), 1usize..6, 0usize..5, any::<bool>());
    (
        (1usize..15, 1usize..15, prop_oneof![Just(1usize), 1usize..4]),
        prop::collection::vec(block, 0..4),
        prop::collection::vec(1usize..140, 1..4),
        any::<(bool, bool, u64)>(),
    )
        .prop_map(
            |((height, width, channels), blocks, dense, (norm, order, seed))| Case {
                size: [height, width, channels],
                blocks,
                dense,
                norm,
                order,
                seed,
            },
        )
}

impl Case {
    fn layers(&self, device: &Device) -> Network {
        let mut seed = self.seed;
        let mut next = |len: usize, scale: f64| {
            seed = seed.wrapping_add(1);
            let values: Vec<f64> = random(len, seed);
            values
                .into_iter()
                .map(|value| scale * value)
                .collect::<Vec<f64>>()
        };
        let norm = |channels: usize, next: &mut dyn FnMut(usize, f64) -> Vec<f64>| {
            self.norm.then(|| {
                let (gamma, beta) = (next(channels, 2.0), next(channels, 0.5));
                let mut norm = BatchNormConfig::new(channels).init(device);
                norm.gamma = norm.gamma.map(|_| tensor(&gamma, [channels], device));
                norm.beta = norm.beta.map(|_| tensor(&beta, [channels], device));
                let variance: Vec<f64> = next(channels, 0.5).iter().map(|v| 1.0 + v).collect();
                norm.running_mean =
                    RunningState::new(tensor(&next(channels, 0.5), [channels], device));
                norm.running_var = RunningState::new(tensor(&variance, [channels], device));
                norm
            })
        };
        let [mut height, mut width, mut channels] = self.size;
        let tables = (0..channels)
            .map(|_| std::array::from_fn(|byte| (byte as f32 - 100.0) / 90.0))
            .collect();
        let mut blocks = Vec::new();
        for &(out, kernel, padding, pool) in &self.blocks {
            let padding = padding.min(kernel - 1);
            let after = |size: usize| {
                (size + 2 * padding + 1).saturating_sub(kernel) / if pool { 2 } else { 1 }
            };
            if after(height) == 0 || after(width) == 0 {
                continue;
            }
            let fan_in = channels * kernel * kernel;
            let mut conv = Conv2dConfig::new([channels, out], [kernel, kernel])
                .with_padding(PaddingConfig2d::Explicit(
                    padding, padding, padding, padding,
                ))
                .with_bias(!self.norm)
                .init(device);
            let weight = next(out * fan_in, (2.0 / fan_in as f64).sqrt());
            let weight = tensor(&weight, [out, channels, kernel, kernel], device);
            conv.weight = conv.weight.map(|_| weight.clone());
            let bias = next(out, 0.5);
            conv.bias = conv
                .bias
                .map(|bias_of| bias_of.map(|_| tensor(&bias, [out], device)));
            blocks.push((conv, norm(out, &mut next), pool));
            (height, width, channels) = (after(height), after(width), out);
        }
        let mut inputs = height * width * channels;
        let mut dense = Vec::new();
        for &outputs in &self.dense {
            let mut linear = LinearConfig::new(inputs, outputs)
                .with_bias(!self.norm)
                .init(device);
            let weight = next(inputs * outputs, (2.0 / inputs as f64).sqrt());
            linear.weight = linear
                .weight
                .map(|_| tensor(&weight, [inputs, outputs], device));
            dense.push((linear, norm(outputs, &mut next)));
            inputs = outputs;
        }
        let order = match self.order {
            true => Order::ConvNormReluPool,
            false => Order::ConvPoolNormRelu,
        };
        Network {
            blocks,
            dense,
            order,
            tables,
        }
    }

    fn images(&self, count: usize) -> Vec<u8> {
        let values = random(count * self.size.iter().product::<usize>(), self.seed ^ 77);
        values
            .iter()
            .map(|value| (128.0 * (value + 1.0)) as u8)
            .collect()
    }
}

impl Network {
    fn prepared(&self, [height, width, _]: [usize; 3], isa: Isa) -> Forward {
        let mut layers = Layers::new(height, width, self.tables.clone());
        for (conv, norm, pool) in &self.blocks {
            layers = layers
                .conv_block(conv, norm.as_ref(), self.order, *pool)
                .unwrap();
        }
        for (linear, norm) in &self.dense {
            layers = layers.dense_block(linear, norm.as_ref(), true).unwrap();
        }
        layers.prepare_on(isa)
    }

    /// What the layers say one by one, and the means of the channels after the last block.
    fn one_by_one(&self, images: &[u8], size: [usize; 3], device: &Device) -> [Vec<f64>; 2] {
        let [height, width, channels] = size;
        let values: Vec<f64> = images
            .iter()
            .map(|&byte| self.tables[0][usize::from(byte)].into())
            .collect();
        let count = images.len() / (height * width * channels);
        let mut x: Tensor<4> = tensor(&values, [count, channels, height, width], device);
        for (conv, norm, pool) in &self.blocks {
            x = conv_block(x, conv, norm.as_ref(), self.order, *pool);
        }
        let means = x.clone().mean_dim(3).mean_dim(2);
        let mut x = flatten(x);
        for (linear, norm) in &self.dense {
            x = dense_block(x, linear, norm.as_ref(), true);
        }
        [list(x), list(means)]
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn a_prepared_network_says_what_its_layers_say(case in cases()) {
        for device in devices() {
            let layers = case.layers(&device);
            let images = case.images(3);
            let [outputs, means] = layers.one_by_one(&images, case.size, &device);
            for isa in Isa::available() {
                let found = layers.prepared(case.size, isa).run(&images).unwrap();
                assert_close(isa.name(), &found.outputs, &outputs, 1e-4);
                assert_close("means", &found.means, &means, 1e-4);
            }
        }
    }

    #[test]
    fn company_and_threads_change_no_bit(case in cases()) {
        let device = devices().remove(0);
        let forward = case.layers(&device).prepared(case.size, Isa::best());
        let images = case.images(61);
        let len = images.len() / 61;
        let alone: Vec<_> = images.chunks(len).map(|image| forward.run(image).unwrap()).collect();
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let together = pool.install(|| forward.run(&images).unwrap());
            let outputs: Vec<f32> = alone.iter().flat_map(|found| found.outputs.clone()).collect();
            let means: Vec<f32> = alone.iter().flat_map(|found| found.means.clone()).collect();
            prop_assert_eq!(&together.outputs, &outputs);
            prop_assert_eq!(&together.means, &means);
        }
    }
}

#[test]
fn the_network_of_the_benchmarks_says_what_its_layers_say() {
    let case = Case {
        size: [28, 28, 1],
        blocks: vec![(16, 3, 0, true), (32, 3, 0, true)],
        dense: vec![128, 10],
        norm: true,
        order: true,
        seed: 3,
    };
    let device = devices().remove(0);
    let layers = case.layers(&device);
    let images = case.images(30);
    let [outputs, _] = layers.one_by_one(&images, case.size, &device);
    for isa in Isa::available() {
        let found = layers.prepared(case.size, isa).run(&images).unwrap();
        assert_close(isa.name(), &found.outputs, &outputs, 1e-5);
    }
}

#[test]
fn a_nan_on_the_way_shows() {
    let case = Case {
        size: [8, 8, 1],
        blocks: vec![(16, 3, 0, true), (16, 3, 1, true)],
        dense: vec![3],
        norm: false,
        order: true,
        seed: 1,
    };
    let mut layers = case.layers(&devices()[0]);
    layers.tables[0][255] = f32::NAN;
    let mut image = vec![0; 64];
    image[9] = 255;
    for isa in Isa::available() {
        let found = layers.prepared(case.size, isa).run(&image).unwrap();
        assert!(
            found.outputs.iter().any(|output| output.is_nan()),
            "{}",
            isa.name()
        );
    }
}

#[test]
fn bytes_that_are_no_whole_images_are_refused() {
    let forward = Layers::new(2, 3, vec![[0.0; 256]; 2])
        .prepare(Precision::F32)
        .unwrap();
    let error = forward.run(&[0; 13]).unwrap_err().to_string();
    assert!(error.contains("13") && error.contains("12"), "{error}");
    assert!(forward.run(&[]).unwrap().outputs.is_empty());
}

#[test]
fn a_layer_that_does_not_fit_is_refused() {
    let map = || kernels::Affine {
        scale: vec![1.0; 2],
        shift: vec![0.0; 2],
        relu: true,
    };
    let forward = || Layers::new(4, 4, vec![[0.0; 256]]);
    assert!(forward().conv(&[0.0; 18], [3, 0], true, map()).is_ok());
    assert!(forward().conv(&[0.0; 17], [3, 0], true, map()).is_err());
    assert!(forward().conv(&[0.0; 50], [5, 0], false, map()).is_err());
    assert!(forward().dense(&[0.0; 32], map()).is_ok());
    assert!(forward().dense(&[0.0; 30], map()).is_err());
    let device = devices().remove(0);
    let strided = Conv2dConfig::new([1, 2], [3, 3])
        .with_stride([2, 2])
        .init(&device);
    assert!(
        forward()
            .conv_block(&strided, None, Order::ConvNormReluPool, false)
            .is_none()
    );
}
