//! The network as Burn's `Learner` sees it: one step of training, one of validation.

use std::{fmt, sync::Arc};

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor},
    tensor::{Device, ExecutionError, Tensor, TensorData, Transaction},
    train::{InferenceStep, ItemLazy, TrainOutput, TrainStep},
};
use data::Batch;
use model::Network;
use report::Answer;

use crate::together::Together;

/// A [`Network`] that can be trained. It is the network in everything else: its records have the
/// network's own parameter names, so that a training checkpoint and a published model hold the
/// same `model.bpk`.
#[derive(Clone, Debug)]
pub struct Trainee(pub Network);

/// What one batch did, read back to the host.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchResult {
    /// Sum of the cross-entropy over the images, in nats.
    pub loss: f64,
    /// Images whose most probable class is their label.
    pub correct: usize,
    /// Images.
    pub count: usize,
}

impl BatchResult {
    /// Compares `[batch, classes]` logits with the classes of the images; those of no class don't count.
    pub fn measure(logits: &TensorData, labels: &[u16]) -> Self {
        let classes = logits.shape().last().copied().unwrap_or(0);
        let values: Vec<f64> = logits.iter::<f64>().collect();
        Self::of(values.chunks_exact(classes.max(1)), labels, |_| ())
    }

    /// The same of rows of logits, and tells what the answer to each image is.
    pub fn of<'a>(
        rows: impl Iterator<Item = &'a [f64]>,
        labels: &[u16],
        mut tell: impl FnMut(Answer),
    ) -> Self {
        let mut result = BatchResult::default();
        let rows = rows.zip(labels);
        for (row, &label) in rows.filter(|(_, label)| **label != kernels::NO_CLASS) {
            let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|logit| (logit - highest).exp()).sum();
            let own = row[usize::from(label)];
            result.loss += highest + sum.ln() - own;
            // The first of equal logits wins, as in `Classifier::classify`.
            let class = row.iter().position(|&logit| logit == highest);
            result.correct += usize::from(class == Some(usize::from(label)));
            result.count += 1;
            tell(Answer {
                class: class.unwrap_or_default() as u16,
                confidence: (1.0 / sum) as f32,
                own: ((own - highest).exp() / sum) as f32,
            });
        }
        result
    }

    /// Mean cross-entropy per image, in nats.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.count.max(1) as f64
    }

    /// Share of right images.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.count.max(1) as f64
    }
}

impl std::ops::AddAssign for BatchResult {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.count += other.count;
    }
}

impl ItemLazy for BatchResult {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

/// What a step of training did to its batch, left on the device until it is asked for: whoever reads it waits
/// for all that the device was given before.
#[derive(Clone, Debug)]
pub enum StepResult {
    /// Not read yet, of each part of the batch: `[part, classes]` logits, and the classes of the images.
    Logits(Vec<(Tensor<2>, Arc<[u16]>)>),
    /// Read.
    Read(BatchResult),
}

impl StepResult {
    /// Reads many with one wait; `lent` says whether devices are lent, and which way that takes.
    ///
    /// # Errors
    /// If the device failed in anything that it was given before.
    pub fn read_all<'a>(
        results: impl Iterator<Item = &'a StepResult> + Clone,
        lent: bool,
    ) -> Result<Vec<BatchResult>, ExecutionError> {
        let unread = results.clone().flat_map(|result| match result {
            StepResult::Logits(parts) => &parts[..],
            StepResult::Read(_) => &[],
        });
        let unread = unread.map(|(logits, _)| logits.clone());
        let logits = if lent {
            let mut together = Together::default();
            unread.for_each(|logits| together.add(logits));
            together.read()?
        } else {
            let transaction = unread.fold(Transaction::default(), Transaction::register);
            transaction.try_execute()?
        };
        let mut logits = logits.iter();
        let results = results.map(|result| match result {
            StepResult::Logits(parts) => {
                let mut whole = BatchResult::default();
                for ((_, labels), logits) in parts.iter().zip(&mut logits) {
                    whole += BatchResult::measure(logits, labels);
                }
                whole
            }
            StepResult::Read(result) => *result,
        });
        Ok(results.collect())
    }
}

impl ItemLazy for StepResult {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(match self {
            StepResult::Logits(_) => {
                let result = Self::read_all([&self].into_iter(), false)?;
                StepResult::Read(result.into_iter().next().unwrap_or_default())
            }
            read => read,
        })
    }
}

impl TrainStep for Trainee {
    type Input = Batch;
    type Output = StepResult;

    fn step(&self, batch: Batch) -> TrainOutput<StepResult> {
        let logits = self.0.forward(batch.images);
        let loss = kernels::cross_entropy(logits.clone(), &batch.labels);
        let loss = match batch.share {
            // The whole step's loss, to the bit.
            1.0 => loss,
            share => loss.mul_scalar(share),
        };
        let result = StepResult::Logits(vec![(logits.inner(), batch.labels)]);
        TrainOutput::new(self, loss.backward(), result)
    }
}

impl InferenceStep for Trainee {
    type Input = Batch;
    type Output = BatchResult;

    fn step(&self, batch: Batch) -> BatchResult {
        let logits = self.0.forward(batch.images).into_data();
        BatchResult::measure(&logits, &batch.labels)
    }
}

impl Module for Trainee {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.0.collect_devices(devices)
    }
    fn fork(self, device: &Device) -> Self {
        Trainee(self.0.fork(device))
    }
    fn to_device(self, device: &Device) -> Self {
        Trainee(self.0.to_device(device))
    }
    fn train(self) -> Self {
        Trainee(self.0.train())
    }
    fn valid(&self) -> Self {
        // What is validated is what others will compute who load it.
        let network = self.0.valid();
        Trainee(network.with_precision(kernels::Precision::F32))
    }
    fn materialize(self) -> Self {
        Trainee(self.0.materialize())
    }
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.0.visit(visitor);
    }
    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        Trainee(self.0.map(mapper))
    }
}

impl fmt::Display for Trainee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
