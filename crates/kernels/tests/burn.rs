//! The operations for Burn tensors against Burn's own operations.

#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

mod common;

use burn::{
    module::Module,
    nn::{BatchNorm, BatchNormConfig, PaddingConfig2d, conv::Conv2d, conv::Conv2dConfig},
    tensor::{
        Device, Tensor, TensorData,
        activation::relu,
        module,
        ops::{ConvOptions, MaxPoolOptions},
    },
};
use common::{Case, EPSILON, assert_close, cases, config, random, to_f32};
use kernels::{Order, conv::Statistics, conv_block, conv_relu, conv2d, flatten};
use proptest::prelude::*;

fn devices() -> Vec<Device> {
    vec![
        #[cfg(feature = "ndarray")]
        Device::ndarray(),
        #[cfg(feature = "flex")]
        Device::flex(),
    ]
}

/// A convolution and a normalization with the values of a case.
fn layers(case: &Case, device: &Device) -> (Conv2d, Option<BatchNorm>) {
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
    conv.weight = conv
        .weight
        .map(|_| tensor(&values.weight, shape, device).require_grad());
    conv.bias = conv.bias.map(|bias| {
        bias.map(|_| tensor(&values.shift, [case.out_channels], device).require_grad())
    });
    let norm = case.norm.map(|_| {
        let mut norm = BatchNormConfig::new(case.out_channels)
            .with_epsilon(EPSILON)
            .init(device);
        norm.gamma = norm
            .gamma
            .map(|_| tensor(&values.scale, [case.out_channels], device).require_grad());
        norm
    });
    (conv, norm)
}

fn tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(to_f32(values), shape.to_vec()), device)
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

fn list<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

#[track_caller]
fn assert_same<const D: usize>(name: &str, actual: Tensor<D>, expected: Tensor<D>) {
    assert_eq!(actual.dims(), expected.dims(), "{name}: shape");
    assert_close(name, &to_f32(&list(actual)), &list(expected), 1e-4);
}

/// Compares output, gradients and running statistics of one training step.
fn check_training(case: &Case, device: &Device, x: Tensor<4>) {
    let device = device.clone().autodiff();
    let [own, stock] = [true, false].map(|kernels| {
        let (conv, norm) = layers(case, &device);
        let x = Tensor::<4>::from_inner(x.clone()).require_grad();
        let y = if kernels {
            conv_block(x.clone(), &conv, norm.as_ref(), order(case), case.pool)
        } else {
            stock(x.clone(), &conv, norm.as_ref(), case)
        };
        let weights = tensor(
            &random(y.shape().num_elements(), case.seed ^ 9),
            y.dims(),
            &device,
        );
        let mut grads = (y.clone() * weights).sum().backward();
        let mut vectors = vec![(
            "bias",
            conv.bias
                .as_ref()
                .unwrap()
                .val()
                .grad_remove(&mut grads)
                .unwrap(),
        )];
        if let Some(norm) = &norm {
            vectors.push(("gamma", norm.gamma.val().grad_remove(&mut grads).unwrap()));
            vectors.push(("beta", norm.beta.val().grad_remove(&mut grads).unwrap()));
            vectors.push(("running mean", norm.running_mean.value_sync().inner()));
            vectors.push(("running variance", norm.running_var.value_sync().inner()));
        }
        let tensors = vec![
            ("output", y.inner()),
            ("input gradient", x.grad_remove(&mut grads).unwrap()),
            (
                "weight gradient",
                conv.weight.val().grad_remove(&mut grads).unwrap(),
            ),
        ];
        (tensors, vectors)
    });
    for ((name, own), (_, stock)) in own.0.into_iter().zip(stock.0) {
        assert_same(name, own, stock);
    }
    for ((name, own), (_, stock)) in own.1.into_iter().zip(stock.1) {
        assert_same(name, own, stock);
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
            let (conv, norm) = layers(&case, &device.clone().autodiff());
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

#[test]
fn blocks_follow_one_another_without_copies_in_between() {
    for device in devices() {
        let device = device.autodiff();
        let case = example(Some(Statistics::Conv), true);
        let (first, norm) = layers(&case, &device);
        let second = Conv2dConfig::new([12, 7], [3, 3]).init(&device);
        let [own, stock] = [true, false].map(|kernels| {
            let x = Tensor::<4>::from_inner(input(&case, &device.clone().inner())).require_grad();
            let y = if kernels {
                let y = conv_block(
                    x.clone(),
                    &first,
                    norm.as_ref(),
                    Order::ConvNormReluPool,
                    true,
                );
                flatten(conv_block(y, &second, None, Order::ConvNormReluPool, false))
            } else {
                let y = stock(x.clone(), &first, norm.as_ref(), &case);
                relu(second.forward(y)).flatten(1, 3)
            };
            let weights = tensor(&random(y.shape().num_elements(), 8), y.dims(), &device);
            let grads = (y.clone() * weights).sum().backward();
            (
                y.inner(),
                x.grad(&grads).unwrap(),
                first.weight.val().grad(&grads).unwrap(),
            )
        });
        assert_same("output", own.0, stock.0);
        assert_same("input gradient", own.1, stock.1);
        assert_same("weight gradient", own.2, stock.2);
    }
}

#[test]
fn functions_without_modules_match_burn() {
    for device in devices() {
        let x = tensor(&random(2 * 3 * 7 * 6, 1), [2, 3, 7, 6], &device);
        let weight = tensor(&random(4 * 3 * 9, 2), [4, 3, 3, 3], &device);
        let bias = tensor(&random(4, 3), [4], &device);
        for bias in [None, Some(bias)] {
            let options = ConvOptions::new([1, 1], [2, 2], [1, 1], 1);
            let expected = module::conv2d(x.clone(), weight.clone(), bias.clone(), options);
            let y = conv2d(x.clone(), weight.clone(), bias.clone(), 2);
            assert_same("conv2d", y, expected.clone());
            let y = conv_relu(x.clone(), weight.clone(), bias.clone(), 2, false);
            assert_same("conv_relu", y, relu(expected.clone()));
            let y = conv_relu(x.clone(), weight.clone(), bias, 2, true);
            let expected = module::max_pool2d(relu(expected), MaxPoolOptions::new([2, 2]));
            assert_same("conv_relu with pool", y, expected);
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

        let conv = config.init(&device);
        let double = |tensor: Tensor<4>| tensor.cast(burn::tensor::DType::F64);
        let weight = double(conv.weight.val());
        let expected = relu(conv2d(x.clone(), conv.weight.val(), None, 0));
        let y = conv_relu(double(x.clone()), weight, None, 0, false);
        assert_eq!(y.dtype(), burn::tensor::DType::F64);
        assert_same("f64", y, expected);
    }
}

#[test]
fn a_frozen_normalization_uses_its_running_statistics_and_still_has_gradients() {
    for device in devices() {
        let device = device.autodiff();
        let case = example(Some(Statistics::Pooled), true);
        let (conv, norm) = layers(&case, &device);
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
            let (conv, norm) = layers(&case, &device);
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
