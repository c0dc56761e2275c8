//! The cross-entropy against Burn's own.

#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

mod common;

use burn::{
    nn::loss::CrossEntropyLossConfig,
    tensor::{Device, Int, Tensor, TensorData},
};
use common::{assert_close, config, random, to_f32};
use kernels::cross_entropy;
use proptest::prelude::*;

fn devices() -> Vec<Device> {
    vec![
        #[cfg(feature = "ndarray")]
        Device::ndarray(),
        #[cfg(feature = "flex")]
        Device::flex(),
    ]
}

fn logits(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn list<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
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
        let labels: Vec<u8> = (0..batch).map(|i| (i * 7 % classes) as u8).collect();
        for device in devices() {
            let device = device.autodiff();
            let results = [true, false].map(|own| {
                let x = logits(&values, [batch, classes], &device).require_grad();
                let loss = if own {
                    cross_entropy(x.clone(), &labels)
                } else {
                    let targets: Vec<i32> = labels.iter().map(|&label| label.into()).collect();
                    let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [batch]), &device);
                    CrossEntropyLossConfig::new().init(&device).forward(x.clone(), targets)
                };
                let grads = (loss.clone() * factor).backward();
                (list(loss.inner()), list(x.grad(&grads).unwrap()))
            });
            let [own, stock] = results;
            let to_f64 = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
            assert_close("loss", &own.0, &to_f64(&stock.0), 1e-5);
            assert_close("gradient", &own.1, &to_f64(&stock.1), 1e-5);
        }
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
#[should_panic(expected = "labels are below 2")]
fn a_label_beyond_the_classes_is_refused() {
    for device in devices() {
        cross_entropy(logits(&[0.0; 4], [2, 2], &device), &[0, 2]);
    }
}
