//! The cross-entropy against Burn's own.

#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::{
    nn::loss::CrossEntropyLossConfig,
    tensor::{DType, Device, Int, Tensor, TensorData},
};
use common::{assert_close, config, devices, list, random, to_f32};
use kernels::{NO_CLASS, cross_entropy};
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

/// The loss and its gradient in `f64`, by the definition: a row without a class is to be uniform, and its
/// loss is 0 where it is.
fn by_formula(values: &[f64], labels: &[u16]) -> (f64, Vec<f64>) {
    let (batch, classes) = (labels.len(), values.len() / labels.len());
    let share = 1.0 / classes as f64;
    let (mut loss, mut gradient) = (0.0, Vec::new());
    for (row, &label) in values.chunks(classes).zip(labels) {
        let sum: f64 = row.iter().map(|logit| logit.exp()).sum();
        for (class, logit) in row.iter().enumerate() {
            let softmax = logit.exp() / sum;
            let target = match label {
                NO_CLASS => share,
                label => f64::from(u8::from(class == usize::from(label))),
            };
            // The divergence from the target, of which 0 ln 0 is 0.
            if target > 0.0 {
                loss += target * (target / softmax).ln();
            }
            gradient.push((softmax - target) / batch as f64);
        }
    }
    (loss / batch as f64, gradient)
}

/// Value and gradient of `factor` times the loss; of another element type than `f32` by Burn's own operations,
/// which other devices than the CPU have too.
fn computed(
    values: &[f64],
    labels: &[u16],
    factor: f64,
    device: &Device,
    dtype: DType,
) -> [Vec<f64>; 2] {
    let shape = [labels.len(), values.len() / labels.len()];
    let x = logits(&to_f32(values), shape, &device.clone().autodiff());
    let x = x.cast(dtype).require_grad();
    let loss = cross_entropy(x.clone(), labels);
    let grads = (loss.clone() * factor).backward();
    [list(loss.inner()), list(x.grad(&grads).unwrap())]
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn rows_of_no_class_are_pulled_to_the_uniform_distribution_by_kernels_and_by_burn_alike(
        batch in 1usize..40,
        classes in 2usize..20,
        every in 1usize..4,
        spread in 0.1f64..30.0,
        factor in -3.0f64..3.0,
        seed: u64,
    ) {
        let values: Vec<f64> = random(batch * classes, seed)
            .iter()
            .map(|value| f64::from((value * spread) as f32))
            .collect();
        // All rows are of no class, or every second, or every third.
        let labels: Vec<u16> = (0..batch)
            .map(|i| if i % every == 0 { NO_CLASS } else { (i * 7 % classes) as u16 })
            .collect();
        let (loss, gradient) = by_formula(&values, &labels);
        let gradient: Vec<f64> = gradient.iter().map(|value| value * factor).collect();
        for device in devices() {
            for dtype in [DType::F32, DType::F64] {
                let [value, slope] = computed(&values, &labels, factor, &device, dtype);
                assert_close("loss", &to_f32(&value), &[loss], 1e-5);
                assert_close("gradient", &to_f32(&slope), &gradient, 1e-5);
            }
        }
    }
}

#[test]
fn a_row_of_no_class_costs_nothing_where_all_classes_are_alike() {
    for device in devices() {
        for dtype in [DType::F32, DType::F64] {
            let values = [&[2.5; 10][..], &[-40.0; 10]].concat();
            let [loss, gradient] = computed(&values, &[NO_CLASS; 2], 1.0, &device, dtype);
            assert_close("loss", &to_f32(&loss), &[0.0], 1e-6);
            assert_close("gradient", &to_f32(&gradient), &[0.0; 20], 1e-6);
        }
    }
}

#[test]
fn rows_with_a_label_are_none_the_wiser_of_those_without() {
    let (values, labels) = (random(6 * 10, 4), [3, NO_CLASS, 9, NO_CLASS, 0, 3]);
    let labelled: Vec<usize> = (0..6).filter(|&row| labels[row] != NO_CLASS).collect();
    let kept: Vec<f64> = labelled
        .iter()
        .flat_map(|row| &values[10 * row..][..10])
        .copied()
        .collect();
    for device in devices() {
        let of = |values: &[f64], labels: &[u16]| {
            // As a sum over the rows.
            computed(values, labels, labels.len() as f64, &device, DType::F32)[1].clone()
        };
        let (mixed, alone) = (of(&values, &labels), of(&kept, &[3, 9, 0, 3]));
        for (row, alone) in labelled.iter().zip(alone.chunks(10)) {
            assert_close("gradient", &to_f32(&mixed[10 * row..][..10]), alone, 1e-6);
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
fn a_label_beyond_the_classes_is_refused_on_every_device() {
    for device in devices() {
        let refused = |labels: &[u16]| {
            let x = logits(&[0.0; 4], [2, 2], &device);
            let panic = catch_unwind(AssertUnwindSafe(|| cross_entropy(x, labels))).unwrap_err();
            panic.downcast::<String>().unwrap()
        };
        // The greatest value is no label but says that there is none.
        for label in [2, 256, NO_CLASS - 1] {
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
