//! The average of the weights over the steps.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use data::mnist;
use model::{Backend, BlockConfig, Device, NetworkConfig, Order};
use train::{
    average::{Average, effective_decay},
    learner::Trainee,
};

fn device() -> Device {
    Backend::default().device().unwrap().autodiff()
}

fn network(seed: u64) -> Trainee {
    let block = BlockConfig {
        channels: 2,
        kernel: 5,
        ..BlockConfig::default()
    };
    let config = NetworkConfig {
        blocks: vec![block],
        dense: vec![4],
        norm: true,
        order: Order::ConvPoolNormRelu,
        dropout: 0.0,
    };
    Trainee(config.init(seed, mnist::SHAPE, 10, &device()).unwrap())
}

/// All weights and running statistics.
fn values(network: &Trainee) -> Vec<f32> {
    struct Values(Vec<f32>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(param.val().into_data().iter::<f32>());
        }
    }
    let mut values = Values(Vec::new());
    network.visit(&mut values);
    values.0
}

#[test]
fn each_step_moves_the_average_by_its_share_of_the_way() {
    let (first, second, third) = (network(1), network(2), network(3));
    let average = Average::new(&first, 0.5)
        .updated(&second, 1)
        .updated(&third, 1_000);
    let expected = values(&first)
        .into_iter()
        .zip(values(&second))
        .zip(values(&third))
        .map(|((first, second), third)| {
            let early = first * 2.0 / 11.0 + second * 9.0 / 11.0;
            (early + third) / 2.0
        });
    let found = values(&average.network());
    assert_eq!(found.len(), values(&first).len());
    for (found, expected) in found.into_iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

#[test]
fn running_statistics_are_averaged_up_to_the_last_batch() {
    let live = network(1);
    let average = Average::new(&live, 1e-30);
    live.0.forward(Tensor::ones([3, 1, 28, 28], &device()));
    let average = average.updated(&live, 1);
    assert_eq!(values(&average.network()), values(&live.valid()));
    assert_ne!(values(&average.network()), values(&network(1)));
}

#[test]
fn neither_the_followed_network_nor_one_that_was_handed_out_changes() {
    let live = network(1);
    let average = Average::new(&live, 0.9);
    let given = average.network();
    let before = values(&live);
    assert_eq!(values(&given), before);
    let average = average.updated(&network(2), 5);
    assert_ne!(values(&average.network()), before);
    assert_eq!(values(&live), before);
    assert_eq!(values(&given), before);
}

#[test]
fn the_decay_rises_to_what_the_recipe_says() {
    let found = [1, 2, 10, 100].map(|step| effective_decay(0.9, step));
    assert_eq!(found, [2.0 / 11.0, 3.0 / 12.0, 11.0 / 20.0, 0.9]);
}
