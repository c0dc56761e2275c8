//! The optimizer against Burn's own.

#![cfg(feature = "optim")]
#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

use burn::{
    nn::{Linear, LinearConfig},
    optim::{AdamWConfig, GradientsParams, ModuleOptimizer},
    tensor::{Device, Tensor, Tolerance},
};
use kernels::AdamW;

fn devices() -> Vec<Device> {
    vec![
        #[cfg(feature = "ndarray")]
        Device::ndarray(),
        #[cfg(feature = "flex")]
        Device::flex(),
    ]
}

fn own() -> ModuleOptimizer {
    ModuleOptimizer::from(AdamW {
        beta_1: 0.7,
        beta_2: 0.9,
        epsilon: 1e-6,
        weight_decay: 0.1,
    })
}

fn stock() -> ModuleOptimizer {
    AdamWConfig::new()
        .with_beta_1(0.7)
        .with_beta_2(0.9)
        .with_epsilon(1e-6)
        .with_weight_decay(0.1)
        .init()
}

/// Some steps with gradients that change sign and size.
fn train(mut model: Linear, optimizer: &mut ModuleOptimizer, steps: usize) -> Linear {
    let device = model.weight.val().device();
    for step in 0..steps {
        let x = Tensor::<2>::ones([3, 150], &device);
        let y = model
            .forward(x)
            .powi_scalar(2)
            .mul_scalar((-0.7f32).powi(step as i32));
        let grads = GradientsParams::from_grads(y.mean().backward(), &model);
        model = optimizer.step(0.01 / (step + 1) as f64, model, grads);
    }
    model
}

#[track_caller]
fn assert_same(own: &Linear, stock: &Linear) {
    let tolerance = Tolerance::<f32>::absolute(1e-6);
    let weight = stock.weight.to_data();
    own.weight
        .to_data()
        .assert_approx_eq::<f32>(&weight, tolerance);
    let bias = stock.bias.as_ref().unwrap().to_data();
    own.bias
        .as_ref()
        .unwrap()
        .to_data()
        .assert_approx_eq::<f32>(&bias, tolerance);
}

#[test]
fn steps_are_those_of_burns_optimizer() {
    for device in devices() {
        let model = LinearConfig::new(150, 120).init(&device.autodiff());
        assert_same(
            &train(model.clone(), &mut own(), 5),
            &train(model, &mut stock(), 5),
        );
    }
}

#[test]
fn either_optimizer_continues_from_the_others_record() {
    for device in devices() {
        let model = LinearConfig::new(150, 120).init(&device.autodiff());
        let (mut first, mut second) = (own(), stock());
        let (left, right) = (
            train(model.clone(), &mut first, 3),
            train(model, &mut second, 3),
        );
        let mut continued_own = own().from_bytes(second.into_bytes().unwrap()).unwrap();
        let mut continued_stock = stock().from_bytes(first.into_bytes().unwrap()).unwrap();
        assert_same(
            &train(left, &mut continued_stock, 2),
            &train(right, &mut continued_own, 2),
        );
    }
}

#[test]
fn a_shared_parameter_is_not_changed_in_place() {
    for device in devices() {
        let model = LinearConfig::new(150, 120).init(&device.autodiff());
        let (kept, before) = (model.clone(), model.weight.to_data());
        train(model, &mut own(), 1);
        kept.weight.to_data().assert_eq(&before, true);
    }
}
