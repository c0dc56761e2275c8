//! The optimizer against Burn's own.

#![cfg(feature = "optim")]
#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

mod common;

use burn::{
    nn::{Linear, LinearConfig},
    optim::{
        AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams, ModuleOptimizer, Optimizer,
    },
    tensor::{Device, Tensor, Tolerance},
};
use common::{assert_close, devices, list, random, tensor, to_f32};
use kernels::AdamW;

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

/// The same values as `values`, `[rows, columns]`, lying in memory in several ways.
fn layouts(values: &[f64], [rows, columns]: [usize; 2], device: &Device) -> [Tensor<2>; 5] {
    let x = tensor(values, [rows, columns], device);
    let copy = |x: Tensor<2>| x.add_scalar(0.0);
    [
        x.clone(),
        copy(x.clone().transpose()).transpose(),
        copy(x.clone().flip([0, 1])).flip([0, 1]),
        x.clone()
            .pad((2, 1, 1, 2), 5.0)
            .slice([1..rows + 1, 2..columns + 2]),
        x.pad((0, 0, 3, 1), 5.0).slice([3..rows + 3, 0..columns]),
    ]
}

/// Parameter and moments after one step from the given parameter, gradient and moments.
fn step<O>(optimizer: &O, [value, grad, first, second]: [&Tensor<2>; 4]) -> [Vec<f64>; 3]
where
    O: Optimizer<State<2> = AdamWState<2>>,
{
    let state = AdamWState::new(AdaptiveMomentumState::new(3, first.clone(), second.clone()));
    let (value, state) = optimizer.step(0.01, value.clone(), grad.clone(), Some(state));
    let momentum = state.unwrap().momentum;
    [value, momentum.moment_1, momentum.moment_2].map(list)
}

#[test]
fn values_in_any_memory_order_are_updated_alike() {
    let [values, grads, first, roots] = [1, 2, 3, 4].map(|seed| random(63, seed));
    let second = roots.iter().map(|root| root * root).collect();
    for device in devices() {
        let tensors =
            [&values, &grads, &first, &second].map(|values| layouts(values, [7, 9], &device));
        let stock = AdamWConfig::new().build();
        let expected = step(&stock, tensors.each_ref().map(|layouts| &layouts[0]));
        for layout in 0..5 {
            // Each of the four alone, and all together.
            for which in [
                [1, 0, 0, 0],
                [0, 1, 0, 0],
                [0, 0, 1, 0],
                [0, 0, 0, 1],
                [1; 4],
            ] {
                let places = which.map(|chosen| chosen * layout);
                let picked: [&Tensor<2>; 4] = std::array::from_fn(|i| &tensors[i][places[i]]);
                let own = step(&AdamW::default(), picked);
                for (own, expected) in own.iter().zip(&expected) {
                    assert_close(&format!("layouts {places:?}"), &to_f32(own), expected, 1e-6);
                }
            }
        }
    }
}
