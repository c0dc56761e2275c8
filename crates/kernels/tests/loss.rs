//! The cross-entropy against Burn's own.

#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::{
    nn::loss::CrossEntropyLossConfig,
    tensor::{Device, Int, Tensor, TensorData},
};
use common::{assert_close, config, devices, list, random, to_f32};
use kernels::cross_entropy;
use proptest::prelude::*;

fn logits(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// Compares value and gradient of `factor` times the loss with Burn's.
fn check(values: &[f32], labels: &[u16], factor: f64) {
    let shape = [labels.len(), values.len() / labels.len()];
    for device in devices() {
        let device = device.autodiff();
        let [own, stock] = [true, false].map(|own| {
            let x = logits(values, shape, &device).require_grad();
            let loss = if own {
                cross_entropy(x.clone(), labels)
            } else {
                let targets: Vec<i32> = labels.iter().map(|&label| label.into()).collect();
                let targets = TensorData::new(targets, [labels.len()]);
                let targets = Tensor::<1, Int>::from_data(targets, &device);
                let loss = CrossEntropyLossConfig::new().init(&device);
                loss.forward(x.clone(), targets)
            };
            let grads = (loss.clone() * factor).backward();
            (list(loss.inner()), list(x.grad(&grads).unwrap()))
        });
        assert_close("loss", &to_f32(&own.0), &stock.0, 1e-5);
        assert_close("gradient", &to_f32(&own.1), &stock.1, 1e-5);
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn value_and_gradient_are_those_of_burn(
        batch in 1usize..40,
        classes in 2usize..20,
        spread in 0.1f64..30.0,
        factor in -3.0f64..3.0,
        seed: u64,
    ) {
        let values: Vec<f32> = to_f32(&random(batch * classes, seed))
            .iter()
            .map(|value| value * spread as f32)
            .collect();
        let labels: Vec<u16> = (0..batch).map(|i| (i * 7 % classes) as u16).collect();
        check(&values, &labels, factor);
    }
}

#[test]
fn any_number_of_classes_trains_up_to_the_last_label() {
    for classes in [2, 26, 47, 256, 257, 1000] {
        let batch = 131;
        // Scaled by the batch, so that the tolerance is that of a single row.
        let values = to_f32(&random(batch * classes, 5));
        let labels: Vec<u16> = (0..batch)
            .map(|i| (classes - 1 - i * 97 % classes) as u16)
            .collect();
        check(&values, &labels, batch as f64);
    }
}

#[test]
fn a_nan_or_an_infinity_among_the_logits_makes_the_loss_nan() {
    for device in devices() {
        for bad in [f32::NAN, f32::INFINITY] {
            let x = logits(&[0.0, bad, 1.0, 2.0], [2, 2], &device);
            let loss = list(cross_entropy(x, &[0, 1]));
            assert!(loss[0].is_nan(), "{bad}: {loss:?}");
        }
    }
}

#[test]
fn a_label_beyond_the_classes_is_refused_on_every_device() {
    for device in devices() {
        let refused = |labels: &[u16]| {
            let x = logits(&[0.0; 4], [2, 2], &device);
            let panic = catch_unwind(AssertUnwindSafe(|| cross_entropy(x, labels))).unwrap_err();
            panic.downcast::<String>().unwrap()
        };
        for label in [2, 256, u16::MAX] {
            assert_eq!(*refused(&[0, label]), "labels are below 2", "{device:?}");
        }
    }
}

#[test]
fn a_row_without_a_label_is_refused_on_every_device() {
    for device in devices() {
        let x = logits(&[0.0; 4], [2, 2], &device);
        assert!(catch_unwind(AssertUnwindSafe(|| cross_entropy(x, &[0]))).is_err());
    }
}
