//! A step of training on one device, or on several that each have a part of the batch.
//!
//! Burn's `MultiDevicesTrainStep` isn't for lent devices: its workers share the running statistics of a normalization,
//! which each moves to its own device while the others read them, so that a session asks for a tensor that is gone.
//! Here each device has statistics of its own, and what devices tell each other passes through this process, so that
//! lenders need not reach each other. What a lent device is asked for is computed while this goes on, so
//! that one thread keeps all of them busy.

use std::collections::HashMap;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId},
    optim::{GradientsAccumulator, GradientsParams},
    tensor::{Device, ExecutionError, Tensor, TensorData},
    train::{Learner, TrainOutput, TrainStep as _},
};
use data::Batch;

use crate::{
    learner::{StepResult, Trainee},
    outcome::TrainingError,
    together::Together,
};

/// The gradients of the batch's mean loss on the first device, where the weights are, and what the batch came to.
///
/// # Errors
/// If a device failed.
pub(crate) fn step(
    learner: &Learner<Trainee>,
    batch: Batch,
    devices: &[Device],
) -> Result<(GradientsParams, StepResult), TrainingError> {
    if devices.len() == 1 {
        let TrainOutput { grads, item } = learner.train_step(batch);
        return Ok((grads, item));
    }
    let failed = |error: ExecutionError| TrainingError::Burn(error.to_string());
    let model = learner.model();
    let weights = Weights::of(&model).map_err(failed)?;
    let mut results = Vec::new();
    let mut gradients = Vec::new();
    let parts = batch.split(devices).into_iter();
    for (number, (part, device)) in parts.zip(devices).enumerate() {
        let TrainOutput { grads, item } = match number {
            0 => model.step(part),
            _ => weights.on(&model, device).step(part),
        };
        // What was asked for is sent, before what another computes is waited for.
        device
            .flush()
            .map_err(|error| TrainingError::Burn(error.to_string()))?;
        gradients.push(grads);
        if let StepResult::Logits(part) = item {
            results.extend(part);
        }
    }
    let mut gradients = gradients.into_iter();
    let mut sum = GradientsAccumulator::new();
    if let Some(own) = gradients.next() {
        sum.accumulate(&model, own);
    }
    for other in gradients {
        let other = moved(other, &model, &devices[0]).map_err(failed)?;
        sum.accumulate(&model, other);
    }
    Ok((sum.grads(), StepResult::Logits(results)))
}

/// The values of a network's tensors, running statistics included, by their ids.
struct Weights(HashMap<ParamId, TensorData>);

impl Weights {
    /// Reads them with one wait.
    fn of(model: &Trainee) -> Result<Self, ExecutionError> {
        let mut asked = Asked::default();
        model.valid().visit(&mut asked);
        asked.read().map(Weights)
    }

    /// A network that has them on another device, with statistics of its own.
    fn on(&self, model: &Trainee, device: &Device) -> Trainee {
        let mut place = Place {
            weights: self,
            device: device.clone().inner(),
        };
        model.valid().map(&mut place).train()
    }
}

/// Gradients on another device, by way of this process.
fn moved(
    gradients: GradientsParams,
    model: &Trainee,
    device: &Device,
) -> Result<GradientsParams, ExecutionError> {
    let mut asked = Asked {
        gradients: Some(gradients),
        ..Asked::default()
    };
    model.visit(&mut asked);
    let mut arrived = Arrived {
        values: asked.read()?,
        device: device.clone().inner(),
        gradients: GradientsParams::new(),
    };
    model.visit(&mut arrived);
    Ok(arrived.gradients)
}

/// What is read of a module: its tensors, or their gradients.
#[derive(Default)]
struct Asked {
    gradients: Option<GradientsParams>,
    together: Together,
    ids: Vec<ParamId>,
}

impl Asked {
    fn read(self) -> Result<HashMap<ParamId, TensorData>, ExecutionError> {
        let data = self.together.read()?;
        Ok(self.ids.into_iter().zip(data).collect())
    }
}

impl ModuleVisitor for Asked {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let asked = match &self.gradients {
            None => Some(param.val()),
            Some(gradients) => gradients.get::<D>(param.id),
        };
        if let Some(tensor) = asked {
            self.together.add(tensor);
            self.ids.push(param.id);
        }
    }
}

struct Place<'a> {
    weights: &'a Weights,
    device: Device,
}

impl ModuleMapper for Place<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let data = self.weights.0.get(&param.id).cloned();
        param.map(|tensor| match data {
            Some(data) => Tensor::from_data(data, &self.device),
            None => tensor.to_device(&self.device),
        })
    }
}

struct Arrived {
    values: HashMap<ParamId, TensorData>,
    device: Device,
    gradients: GradientsParams,
}

impl ModuleVisitor for Arrived {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(values) = self.values.remove(&param.id) {
            let gradient = Tensor::<D>::from_data(values, &self.device);
            self.gradients.register(param.id, gradient);
        }
    }
}
