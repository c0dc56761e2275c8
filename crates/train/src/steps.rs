//! A step of training on one device, or on several that each have a part of the batch.

use burn::{
    data::dataloader::{DataLoaderIterator, Progress},
    data::dataset::DatasetError,
    optim::{GradientsAccumulator, GradientsParams},
    tensor::Device,
    train::{Learner, TrainOutput, train::MultiDevicesTrainStep},
};
use data::Batch;

use crate::{
    learner::{StepResult, Trainee},
    outcome::TrainingError,
};

/// How steps are computed.
pub(crate) enum Steps {
    One,
    /// Burn's workers, one for each device.
    Many {
        devices: Vec<Device>,
        workers: MultiDevicesTrainStep<Trainee>,
    },
}

impl Steps {
    /// On these devices, of which there is one at least.
    pub(crate) fn new(devices: &[Device]) -> Self {
        match devices {
            [_] => Steps::One,
            devices => Steps::Many {
                devices: devices.to_vec(),
                workers: MultiDevicesTrainStep::new(devices),
            },
        }
    }

    /// The gradients of the batch's mean loss on the first device, and what the batch came to.
    ///
    /// # Errors
    /// If a device failed.
    pub(crate) fn step(
        &self,
        learner: &Learner<Trainee>,
        batch: Batch,
    ) -> Result<(GradientsParams, StepResult), TrainingError> {
        let (devices, workers) = match self {
            Steps::One => {
                let TrainOutput { grads, item } = learner.train_step(batch);
                return Ok((grads, item));
            }
            Steps::Many { devices, workers } => (devices, workers),
        };
        let parts = batch.split(devices);
        let order: Vec<_> = parts.iter().map(|part| part.labels.clone()).collect();
        let mut parts: Vec<Option<Batch>> = parts.into_iter().map(Some).collect();
        parts.resize_with(devices.len(), || None);
        let mut loaders: Vec<Box<dyn DataLoaderIterator<Batch>>> = parts
            .into_iter()
            .map(|part| Box::new(Once(part)) as Box<dyn DataLoaderIterator<Batch>>)
            .collect();
        let model = learner.model();
        let done = workers.step(&mut loaders, &model);
        let (done, _) = done.map_err(|error| TrainingError::Burn(error.to_string()))?;
        // Workers answer as they finish; sums are the same bits only in one order.
        let mut done: Vec<_> = done.into_iter().map(|worker| worker.output).collect();
        done.sort_by_key(|output| {
            order.iter().position(|labels| match &output.item {
                StepResult::Logits(parts) => parts
                    .iter()
                    .any(|(_, own)| std::sync::Arc::ptr_eq(own, labels)),
                StepResult::Read(_) => false,
            })
        });
        let mut sum = GradientsAccumulator::new();
        let mut results = Vec::with_capacity(done.len());
        for TrainOutput { grads, item } in done {
            sum.accumulate(&model, grads.to_device(&devices[0], &model));
            if let StepResult::Logits(parts) = item {
                results.extend(parts);
            }
        }
        Ok((sum.grads(), StepResult::Logits(results)))
    }
}

/// A loader of one batch.
struct Once(Option<Batch>);

impl Iterator for Once {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl DataLoaderIterator<Batch> for Once {
    fn progress(&self) -> Progress {
        Progress::new(1, 1, None)
    }
}
