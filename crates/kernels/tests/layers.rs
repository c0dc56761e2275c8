//! Chains of layers: what they say is what is computed, in whatever order, with a kernel or without.

#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

mod common;

use burn::{
    nn::{LinearConfig, conv::Conv2dConfig},
    tensor::{DType, Device, Tensor, activation::relu, module::max_pool2d, ops::MaxPoolOptions},
};
use common::{assert_close, batch_norm, devices, list, random, tensor, to_f32};
use kernels::{conv2d, linear};

/// The values of a tensor are those of another.
fn same<const D: usize>(name: &str, chain: Tensor<D>, burn: Tensor<D>) {
    assert_eq!(chain.dims(), burn.dims(), "{name}");
    assert_close(name, &to_f32(&list(chain)), &list(burn), 1e-4);
}

#[test]
fn a_convolution_and_what_follows_it_are_burns_own_in_any_order() {
    for device in devices().into_iter().map(Device::autodiff) {
        let x: Tensor<4> = tensor(&random(2 * 3 * 9 * 8, 1), [2, 3, 9, 8], &device);
        let conv = Conv2dConfig::new([3, 4], [3, 3]).init(&device);
        // A negative factor: normalizing before a pool or before ReLU is not the same as after it.
        let norm = batch_norm(
            &[1.5, -0.7, 0.4, -2.0],
            &[0.1, 0.2, -0.3, 0.4],
            &device,
            DType::F32,
        );
        let pool = |x| max_pool2d(x, MaxPoolOptions::new([2, 2]));
        let y = || conv.forward(x.clone());
        let n = |x| norm.forward(x);
        let chain = || conv2d(x.clone(), &conv);
        let norm = Some(&norm);
        for (name, chain, burn) in [
            ("conv", chain(), y()),
            ("relu", chain().relu(), relu(y())),
            ("norm", chain().norm(norm), n(y())),
            ("norm relu", chain().norm(norm).relu(), relu(n(y()))),
            ("relu norm", chain().relu().norm(norm), n(relu(y()))),
            ("norm pool", chain().norm(norm).max_pool(true), pool(n(y()))),
            ("pool norm", chain().max_pool(true).norm(norm), n(pool(y()))),
            (
                "norm relu pool",
                chain().norm(norm).relu().max_pool(true),
                pool(relu(n(y()))),
            ),
            (
                "pool norm relu",
                chain().max_pool(true).norm(norm).relu(),
                relu(n(pool(y()))),
            ),
            (
                "relu pool norm",
                chain().relu().max_pool(true).norm(norm),
                n(pool(relu(y()))),
            ),
            ("nothing asked for", chain().norm(None).max_pool(false), y()),
        ] {
            same(name, chain.tensor(), burn);
        }
    }
}

#[test]
fn a_dense_layer_and_what_follows_it_are_burns_own_in_any_order() {
    for device in devices().into_iter().map(Device::autodiff) {
        let x: Tensor<2> = tensor(&random(5 * 7, 2), [5, 7], &device);
        let dense = LinearConfig::new(7, 2).init(&device);
        let norm = batch_norm(&[1.5, -0.7], &[0.1, 0.2], &device, DType::F32);
        let y = || dense.forward(x.clone());
        let n = |x| norm.forward(x);
        let chain = || linear(x.clone(), &dense);
        let norm = Some(&norm);
        for (name, chain, burn) in [
            ("linear", chain(), y()),
            ("relu", chain().relu(), relu(y())),
            ("norm", chain().norm(norm), n(y())),
            ("norm relu", chain().norm(norm).relu(), relu(n(y()))),
            ("relu norm", chain().relu().norm(norm), n(relu(y()))),
        ] {
            same(name, chain.tensor(), burn);
        }
    }
}
