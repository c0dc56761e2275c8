//! The operations for Burn tensors against Burn's own operations.

#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

mod common;

use burn::{
    module::Module,
    nn::{
        BatchNorm, Linear, LinearConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
        loss::CrossEntropyLossConfig,
    },
    tensor::{
        DType, Device, Int, Tensor, TensorData, activation::relu, module, ops::MaxPoolOptions,
    },
};
use common::{
    Case, assert_close, batch_norm, cases, config, devices, list, random, tensor, to_f32,
};
use kernels::{Order, conv::Statistics, conv_block, cross_entropy, dense_block, flatten};
use proptest::prelude::*;

/// A convolution and a normalization with the values of a case.
fn layers(case: &Case, device: &Device, dtype: DType) -> (Conv2d, Option<BatchNorm>) {
    let values = case.values();
    let padding = case.padding;
    let mut conv = Conv2dConfig::new([case.in_channels, case.out_channels], [case.kernel; 2])
        .with_padding(PaddingConfig2d::Explicit(
            padding, padding, padding, padding,
        ))
        .init(device);
    let shape = [
        case.out_channels,
        case.in_channels,
        case.kernel,
        case.kernel,
    ];
    let weight = tensor(&values.weight, shape, device).cast(dtype);
    conv.weight = conv.weight.map(|_| weight.require_grad());
    let bias = tensor(&values.shift, [case.out_channels], device).cast(dtype);
    conv.bias = conv.bias.map(|old| old.map(|_| bias.require_grad()));
    let norm = case
        .norm
        .map(|_| batch_norm(&values.scale, &random(case.out_channels, 7), device, dtype));
    (conv, norm)
}

fn input(case: &Case, device: &Device) -> Tensor<4> {
    let values = random(case.batch * case.geometry().input_len(), case.seed);
    tensor(
        &values,
        [case.batch, case.in_channels, case.height, case.width],
        device,
    )
}

fn order(case: &Case) -> Order {
    match case.norm {
        Some(Statistics::Pooled) => Order::ConvPoolNormRelu,
        _ => Order::ConvNormReluPool,
    }
}

/// The block out of Burn's own modules and functions.
fn stock(x: Tensor<4>, conv: &Conv2d, norm: Option<&BatchNorm>, case: &Case) -> Tensor<4> {
    let pool = |x: Tensor<4>| {
        if case.pool {
            module::max_pool2d(x, MaxPoolOptions::new([2, 2]))
        } else {
            x
        }
    };
    let normalize = |x: Tensor<4>| norm.map_or(x.clone(), |norm| norm.forward(x));
    let x = conv.forward(x);
    match order(case) {
        Order::ConvNormReluPool => pool(relu(normalize(x))),
        Order::ConvPoolNormRelu => relu(normalize(pool(x))),
    }
}

#[track_caller]
fn assert_same<const D: usize>(name: &str, actual: Tensor<D>, expected: Tensor<D>) {
    assert_eq!(actual.dims(), expected.dims(), "{name}: shape");
    assert_close(name, &to_f32(&list(actual)), &list(expected), 1e-4);
}

/// Compares output, gradients and running statistics of one training step with those of Burn's own
/// operations in `f64`.
fn check_training(case: &Case, device: &Device, x: Tensor<4>) {
    let device = device.clone().autodiff();
    let [own, stock] = [DType::F32, DType::F64].map(|dtype| {
        let (conv, norm) = layers(case, &device, dtype);
        let x = Tensor::<4>::from_inner(x.clone())
            .cast(dtype)
            .require_grad();
        let y = if dtype == DType::F32 {
            conv_block(x.clone(), &conv, norm.as_ref(), order(case), case.pool)
        } else {
            stock(x.clone(), &conv, norm.as_ref(), case)
        };
        let weights = random(y.shape().num_elements(), case.seed ^ 9);
        let weights = tensor(&weights, y.dims(), &device).cast(dtype);
        let grads = (y.clone() * weights).sum().backward();
        let bias = conv.bias.as_ref().unwrap();
        let mut lists = vec![
            ("output", list(y.inner())),
            ("input gradient", list(x.grad(&grads).unwrap())),
            (
                "weight gradient",
                list(conv.weight.val().grad(&grads).unwrap()),
            ),
            ("bias gradient", list(bias.val().grad(&grads).unwrap())),
        ];
        if let Some(norm) = &norm {
            let [gamma, beta] = [&norm.gamma, &norm.beta].map(|p| p.val().grad(&grads).unwrap());
            let [mean, variance] = [&norm.running_mean, &norm.running_var]
                .map(|statistics| statistics.value_sync().inner());
            lists.extend([
                ("gamma gradient", list(gamma)),
                ("beta gradient", list(beta)),
                ("running mean", list(mean)),
                ("running variance", list(variance)),
            ]);
        }
        lists
    });
    for ((name, own), (_, stock)) in own.into_iter().zip(stock) {
        assert_close(&format!("{name} of {case:?}"), &to_f32(&own), &stock, 1e-4);
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn a_training_step_is_that_of_burns_own_operations(case in cases()) {
        // One value per channel has no variance to divide by.
        prop_assume!(case.norm.is_none() || case.batch > 1);
        for device in devices() {
            check_training(&case, &device, input(&case, &device));
        }
    }

    #[test]
    fn inference_is_that_of_burns_own_operations(case in cases()) {
        for device in devices() {
            let (conv, norm) = layers(&case, &device.clone().autodiff(), DType::F32);
            // Running statistics other than zero and one.
            if let Some(norm) = &norm {
                let x = Tensor::<4>::from_inner(input(&case, &device));
                norm.forward(conv.forward(x));
            }
            let conv = conv.valid();
            let norm = norm.map(|norm| norm.valid());
            let x = input(&case, &device);
            let own = conv_block(x.clone(), &conv, norm.as_ref(), order(&case), case.pool);
            assert_same("output", own, stock(x, &conv, norm.as_ref(), &case));
        }
    }
}

/// A middle-sized block with everything in it.
fn example(norm: Option<Statistics>, pool: bool) -> Case {
    Case {
        batch: 6,
        height: 9,
        width: 8,
        in_channels: 5,
        out_channels: 12,
        kernel: 3,
        padding: 1,
        pool,
        relu: true,
        norm,
        seed: 3,
    }
}

#[test]
fn inputs_in_any_memory_order_give_the_same_result() {
    for device in devices() {
        for case in [example(None, true), example(Some(Statistics::Pooled), true)] {
            let x = input(&case, &device);
            let views = [
                // Channels last, rows and columns exchanged, and a window of something larger.
                x.clone()
                    .permute([0, 2, 3, 1])
                    .add_scalar(0.0)
                    .permute([0, 3, 1, 2]),
                x.clone()
                    .permute([3, 2, 1, 0])
                    .add_scalar(0.0)
                    .permute([3, 2, 1, 0]),
                x.clone()
                    .pad((1, 2, 1, 1), 7.0)
                    .slice([0..6, 0..5, 1..10, 1..9]),
            ];
            for view in views {
                assert_same("view", view.clone(), x.clone());
                check_training(&case, &device, view);
            }
        }
    }
}

/// Every size of kernel, with one and three input channels, on images of odd and different height and
/// width, and output channels that fill no vector.
#[test]
fn images_of_any_proportion_train_like_burn_with_kernels_of_1_to_7() {
    for device in devices() {
        for kernel in 1..=7 {
            for (in_channels, height, width) in [(1, 17, 12), (3, 12, 17), (3, 15, 9)] {
                for norm in [None, Some(Statistics::Conv), Some(Statistics::Pooled)] {
                    for pool in [false, true] {
                        let case = Case {
                            batch: 3,
                            height,
                            width,
                            in_channels,
                            out_channels: 5,
                            kernel,
                            padding: kernel / 3,
                            ..example(norm, pool)
                        };
                        check_training(&case, &device, input(&case, &device));
                    }
                }
            }
        }
    }
}

#[test]
fn large_pictures_train_like_burn() {
    for device in devices() {
        for (kernel, norm, pool) in [
            (3, Some(Statistics::Pooled), true),
            (7, Some(Statistics::Conv), true),
            (5, None, false),
        ] {
            let case = Case {
                batch: 2,
                height: 256,
                width: 251,
                in_channels: 3,
                out_channels: 6,
                kernel,
                ..example(norm, pool)
            };
            check_training(&case, &device, input(&case, &device));
        }
    }
}

/// Two blocks and two dense layers: where each operation reads what another one wrote.
struct Network {
    first: (Conv2d, Option<BatchNorm>),
    second: (Conv2d, Option<BatchNorm>),
    hidden: Linear,
    output: Linear,
}

/// The image that the network reads, `[channels, height, width]`, and its blocks.
const IMAGE: [usize; 3] = [3, 21, 34];

fn blocks() -> [Case; 2] {
    let first = Case {
        in_channels: IMAGE[0],
        height: IMAGE[1],
        width: IMAGE[2],
        out_channels: 10,
        ..example(Some(Statistics::Conv), true)
    };
    // 10 x 17 values are left of 21 x 34.
    let second = Case {
        in_channels: 10,
        height: 10,
        width: 17,
        out_channels: 7,
        kernel: 4,
        ..example(Some(Statistics::Pooled), true)
    };
    [first, second]
}

impl Network {
    fn new(classes: usize, device: &Device, dtype: DType) -> Self {
        let [first, second] = blocks().map(|case| layers(&case, device, dtype));
        let linear = |inputs: usize, outputs: usize| {
            let mut linear = LinearConfig::new(inputs, outputs).init(device);
            let weight = tensor(&random(inputs * outputs, 4), [inputs, outputs], device);
            linear.weight = linear.weight.map(|_| weight.cast(dtype).require_grad());
            let bias = tensor(&random(outputs, 5), [outputs], device).cast(dtype);
            linear.bias = linear.bias.map(|old| old.map(|_| bias.require_grad()));
            linear
        };
        Network {
            first,
            second,
            hidden: linear(7 * 4 * 8, 20),
            output: linear(20, classes),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let block = |x, (conv, norm): &(Conv2d, Option<BatchNorm>), case: &Case| {
            conv_block(x, conv, norm.as_ref(), order(case), case.pool)
        };
        let [first, second] = blocks();
        let x = block(block(x, &self.first, &first), &self.second, &second);
        let x = dense_block(flatten(x), &self.hidden, None, true);
        dense_block(x, &self.output, None, false)
    }

    fn forward_stock(&self, x: Tensor<4>) -> Tensor<2> {
        let [first, second] = blocks();
        let x = stock(x, &self.first.0, self.first.1.as_ref(), &first);
        let x = stock(x, &self.second.0, self.second.1.as_ref(), &second);
        let x = relu(self.hidden.forward(x.flatten(1, 3)));
        self.output.forward(x)
    }
}

#[test]
fn a_network_trains_like_burns_own_operations_whatever_the_number_of_classes() {
    for device in devices() {
        let device = device.autodiff();
        for classes in [2, 26, 47, 1000] {
            let batch = blocks()[0].batch;
            let [channels, height, width] = IMAGE;
            let x = random(batch * channels * height * width, 6);
            let labels: Vec<u16> = (0..batch).map(|i| (classes - 1 - i % 2) as u16).collect();
            let [own, stock] = [DType::F32, DType::F64].map(|dtype| {
                let network = Network::new(classes, &device, dtype);
                let x = tensor(&x, [batch, channels, height, width], &device)
                    .cast(dtype)
                    .require_grad();
                let loss = if dtype == DType::F32 {
                    cross_entropy(network.forward(x.clone()), &labels)
                } else {
                    let targets: Vec<i32> = labels.iter().map(|&label| label.into()).collect();
                    let targets = TensorData::new(targets, [batch]);
                    let targets = Tensor::<1, Int>::from_data(targets, &device);
                    let loss = CrossEntropyLossConfig::new().init(&device);
                    loss.forward(network.forward_stock(x.clone()), targets)
                };
                let grads = loss.backward();
                let Network {
                    first,
                    second,
                    hidden,
                    output,
                } = &network;
                let gamma = first.1.as_ref().unwrap().gamma.val();
                vec![
                    ("loss", list(loss.inner())),
                    ("input", list(x.grad(&grads).unwrap())),
                    ("first", list(first.0.weight.val().grad(&grads).unwrap())),
                    ("gamma", list(gamma.grad(&grads).unwrap())),
                    ("second", list(second.0.weight.val().grad(&grads).unwrap())),
                    ("hidden", list(hidden.weight.val().grad(&grads).unwrap())),
                    ("output", list(output.weight.val().grad(&grads).unwrap())),
                ]
            });
            for ((name, own), (_, stock)) in own.into_iter().zip(stock) {
                assert_close(
                    &format!("{name}, {classes} classes"),
                    &to_f32(&own),
                    &stock,
                    1e-5,
                );
            }
        }
    }
}

#[test]
fn what_the_kernels_do_not_cover_runs_on_burns_own_operations() {
    for device in devices() {
        let x = tensor(&random(2 * 4 * 9 * 9, 1), [2, 4, 9, 9], &device);
        let config = Conv2dConfig::new([4, 6], [3, 3]);
        let special = [
            config.clone().with_stride([2, 2]),
            config.clone().with_dilation([2, 2]),
            config.clone().with_groups(2),
            config
                .clone()
                .with_padding(PaddingConfig2d::Explicit(1, 0, 1, 0)),
            config.clone().with_padding(PaddingConfig2d::Same),
            config.clone().with_bias(false),
            Conv2dConfig::new([4, 6], [3, 2]),
            Conv2dConfig::new([4, 6], [2, 2]).with_padding(PaddingConfig2d::Same),
        ];
        for config in special {
            let conv = config.init(&device);
            let y = conv_block(x.clone(), &conv, None, Order::ConvNormReluPool, false);
            assert_same("output", y, relu(conv.forward(x.clone())));
        }

        let case = example(None, true);
        let x = input(&case, &device).cast(DType::F64);
        let conv = layers(&case, &device.autodiff(), DType::F64).0.valid();
        let y = conv_block(x.clone(), &conv, None, order(&case), true);
        assert_eq!(y.dtype(), DType::F64);
        assert_same("f64", y, stock(x, &conv, None, &case));
    }
}

#[test]
fn a_frozen_normalization_uses_its_running_statistics_and_still_has_gradients() {
    for device in devices() {
        let device = device.autodiff();
        let case = example(Some(Statistics::Pooled), true);
        let (conv, norm) = layers(&case, &device, DType::F32);
        let norm = norm.unwrap().freeze();
        let x = Tensor::<4>::from_inner(input(&case, &device.clone().inner()));
        let y = conv_block(x.clone(), &conv, Some(&norm), order(&case), true);
        let expected = stock(x, &conv, Some(&norm), &case);
        let grads = [y.clone(), expected.clone()].map(|y| {
            conv.weight
                .val()
                .grad(&y.powi_scalar(2).sum().backward())
                .unwrap()
        });
        assert_same("output", y.inner(), expected.inner());
        let [own, stock] = grads;
        assert_same("weight gradient", own, stock);
    }
}

#[test]
fn gradient_checkpointing_changes_nothing() {
    for device in devices() {
        let case = example(Some(Statistics::Conv), true);
        let [plain, checkpointed] = [
            device.clone().autodiff(),
            device.clone().autodiff().gradient_checkpointing(),
        ]
        .map(|device| {
            let (conv, norm) = layers(&case, &device, DType::F32);
            let x = tensor::<4>(
                &random(case.batch * case.geometry().input_len(), case.seed),
                [case.batch, case.in_channels, case.height, case.width],
                &device,
            );
            let y = conv_block(x, &conv, norm.as_ref(), order(&case), true);
            let grads = flatten(y).powi_scalar(2).sum().backward();
            conv.weight.val().grad(&grads).unwrap()
        });
        assert_same("weight gradient", checkpointed, plain);
    }
}

#[test]
fn flatten_orders_values_like_burn() {
    for device in devices() {
        let x = tensor(&random(3 * 4 * 5 * 6, 1), [3, 4, 5, 6], &device);
        let last = x
            .clone()
            .permute([0, 2, 3, 1])
            .add_scalar(0.0)
            .permute([0, 3, 1, 2]);
        assert_same(
            "channels first",
            flatten(x.clone()),
            x.clone().flatten(1, 3),
        );
        assert_same("channels last", flatten(last), x.flatten(1, 3));
    }
}
