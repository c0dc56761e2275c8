//! The steps of training whose results are still on the device.
//!
//! Reading a result waits for all that the device was given before it, so that a graphics adapter which is read
//! from after every step has nothing to do until it gets the next one. So steps are read some at a time.

use std::time::{Duration, Instant};

use burn::{
    tensor::ExecutionError,
    train::{LearnerEvent, TrainingItem},
};
use model::Backend;

use crate::{
    learner::{BatchResult, StepResult},
    outcome::{Outcome, TrainingError},
    strategy::Run,
    terminal,
};

/// The most steps that wait: a loss that is no number is noticed fewer steps later.
const MOST: usize = 32;
/// The most on a lent device: what waits to be sent to it is waited for in a loop that never sleeps, so there
/// should be little.
const MOST_LENT: usize = 4;
/// The longest that they wait: as often as the bar is drawn.
const LONGEST: Duration = Duration::from_millis(100);

/// A step that was made.
pub(crate) struct Step {
    /// Its number, from 1.
    pub(crate) number: usize,
    /// The learning rate.
    pub(crate) rate: f64,
    /// When it was made, since this process began to train.
    pub(crate) seconds: f64,
    /// For Burn's events.
    pub(crate) item: TrainingItem<StepResult>,
}

/// Steps that were made and not read yet, in their order.
pub(crate) struct Pending {
    most: usize,
    lent: bool,
    steps: Vec<Step>,
    read: Instant,
}

impl Pending {
    /// None. Where results are in main memory anyway, and not in that of a lender, no step waits for another.
    pub(crate) fn new(backend: Backend, lent: bool) -> Self {
        Pending {
            most: match backend {
                _ if lent => MOST_LENT,
                Backend::NdArray | Backend::Flex => 1,
                Backend::Wgpu => MOST,
            },
            lent,
            steps: Vec::new(),
            read: Instant::now(),
        }
    }

    /// One more.
    pub(crate) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Whether to read them now.
    pub(crate) fn due(&self) -> bool {
        self.steps.len() >= self.most || self.read.elapsed() >= LONGEST
    }

    /// Reads them all; afterwards there are none.
    fn read(&mut self) -> Result<Vec<(Step, BatchResult)>, ExecutionError> {
        let results =
            StepResult::read_all(self.steps.iter().map(|step| &step.item.item), self.lent)?;
        self.read = Instant::now();
        let read = self.steps.drain(..).zip(results);
        Ok(read
            .map(|(mut step, result)| {
                step.item.item = StepResult::Read(result);
                (step, result)
            })
            .collect())
    }
}

impl Run<'_> {
    /// Reads the steps that wait, notes them, and returns what they did together.
    ///
    /// # Errors
    /// If a loss is no number, or the device failed.
    pub(crate) fn read(
        &mut self,
        pending: &mut Pending,
        outcome: &mut Outcome,
        epoch: usize,
    ) -> Result<BatchResult, TrainingError> {
        let mut total = BatchResult::default();
        if pending.steps.is_empty() {
            return Ok(total);
        }
        let read = pending.read();
        let mut read = read.map_err(|error| TrainingError::Burn(error.to_string()))?;
        let finite = |(_, result): &(Step, BatchResult)| result.loss.is_finite();
        let count = read.iter().take_while(|step| finite(step)).count();
        let diverged = read.drain(count..).next();
        let seen = read.iter();
        let seen = seen.map(|(step, result)| (step.number, step.rate, result));
        outcome.watchers.steps(epoch, seen);
        for (step, result) in read {
            let (number, rate) = (step.number, step.rate);
            let journal = &mut outcome.journal;
            journal.step(epoch, number, &result, rate, step.seconds);
            total += result;
            self.send(LearnerEvent::ProcessedItem(step.item))?;
        }
        if let Some((Step { number, .. }, result)) = diverged {
            let what = format!("the loss became {}", result.mean_loss());
            return Err(self.diverged(what, number, epoch, number - 1));
        }
        if self.plan.dashboard {
            // It takes the terminal at a time of its own.
            terminal::ctrl_c_is_a_signal();
        }
        Ok(total)
    }
}
