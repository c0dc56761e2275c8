//! A batch that several devices share: their gradients add up to those of the whole.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::Tensor,
    train::TrainStep,
};
use data::{Batch, Loader, Normalization, Source, mnist};
use model::{Backend, BlockConfig, NetworkConfig, Order};
use train::learner::Trainee;

/// All gradients of a step, one after the other.
fn gradients(network: &Trainee, batch: Batch) -> Vec<f32> {
    struct Values(GradientsParams, Vec<f32>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id).unwrap();
            self.1.extend(gradient.into_data().iter::<f32>());
        }
    }
    let mut values = Values(network.step(batch).grads, Vec::new());
    network.visit(&mut values);
    values.1
}

#[test]
fn gradients_of_parts_of_unequal_size_add_up_to_those_of_the_whole_batch() {
    let device = Backend::default().device().unwrap().autodiff();
    let config = NetworkConfig {
        blocks: vec![BlockConfig {
            channels: 4,
            ..BlockConfig::default()
        }],
        dense: vec![8],
        // Its statistics would be those of each part.
        norm: false,
        order: Order::ConvPoolNormRelu,
        dropout: 0.0,
    };
    let network = Trainee(config.init(3, mnist::SHAPE, 10, &device).unwrap());
    let images = Source::Bundled.train(&()).unwrap();
    let normalization = Normalization::of(&images);
    let batch = Loader::whole(images, &normalization, 11, &device)
        .epoch(1)
        .next()
        .unwrap()
        .unwrap();
    let parts = batch
        .clone()
        .split(&[device.clone(), device.clone(), device]);
    let mut sum = vec![0.0; gradients(&network, batch.clone()).len()];
    for part in parts {
        for (sum, gradient) in sum.iter_mut().zip(gradients(&network, part)) {
            *sum += gradient;
        }
    }
    let whole = gradients(&network, batch);
    let largest = whole
        .iter()
        .fold(0.0_f32, |most, value| most.max(value.abs()));
    for (sum, whole) in sum.iter().zip(&whole) {
        assert!((sum - whole).abs() <= 1e-5 * largest, "{sum} {whole}");
    }
}
