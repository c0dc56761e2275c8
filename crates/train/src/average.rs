//! The average of the weights over the steps.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    optim::GradientsParams,
    store::{ModuleRecord, RecordError},
    tensor::Tensor,
};

use crate::learner::Trainee;

/// An exponential moving average of weights and running statistics over the steps, without automatic
/// differentiation. It follows the network that is trained and never leads it (Polyak and Juditsky 1992,
/// "Acceleration of stochastic approximation by averaging").
#[derive(Debug)]
pub struct Average {
    network: Trainee,
    decay: f64,
}

impl Average {
    /// Begins with the weights as they are.
    pub fn new(live: &Trainee, decay: f64) -> Self {
        Average {
            network: live.valid(),
            decay,
        }
    }

    /// Goes on with the average in a checkpoint.
    ///
    /// # Errors
    /// If the record is of another network.
    pub fn restored(self, record: ModuleRecord) -> Result<Self, RecordError> {
        Ok(Average {
            network: self.network.try_load_record(record)?,
            ..self
        })
    }

    /// Moves the average toward the weights after `step` (from 1): a ← a + (1 − d)(w − a), with d as
    /// [`effective_decay`] says. Nothing leaves the device.
    pub fn updated(self, live: &Trainee, step: usize) -> Self {
        let mut weights = Weights(GradientsParams::new());
        live.valid().visit(&mut weights);
        let mut toward = Toward {
            weights: weights.0,
            share: 1.0 - effective_decay(self.decay, step) as f32,
        };
        Average {
            network: self.network.map(&mut toward),
            ..self
        }
    }

    /// The network with the averaged weights as they are now.
    pub fn network(&self) -> Trainee {
        // A clone would share the running statistics, which change in place.
        self.network.valid()
    }
}

/// The decay of the average at `step` (from 1): min(d, (1 + t) / (10 + t)), so that the first weights
/// are forgotten soon (as in TensorFlow's `ExponentialMovingAverage` with `num_updates`).
pub fn effective_decay(decay: f64, step: usize) -> f64 {
    let step = step as f64;
    decay.min((1.0 + step) / (10.0 + step))
}

/// Gathers what the average moves toward, by the ids that both networks share. Burn's container for
/// gradients is the one that holds tensors of any rank.
struct Weights(GradientsParams);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.register(param.id, param.val());
    }
}

struct Toward {
    weights: GradientsParams,
    share: f32,
}

impl ModuleMapper for Toward {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.weights.remove::<D>(param.id) {
            Some(weights) => param.map(|average| {
                let way = weights.sub(average.clone()).mul_scalar(self.share);
                average.add(way)
            }),
            None => param,
        }
    }
}
