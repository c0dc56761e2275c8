//! The training loop: a learning strategy for Burn's `Learner`.
//!
//! It does what Burn's own single-device strategy does, and what that one leaves out: it stops at
//! the first loss that is not a number, saves model, optimizer, schedule and run state as one
//! checkpoint, and can go on from there to the bit.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use burn::{
    tensor::Device,
    train::{
        EventProcessorTraining, Interrupter, Learner, LearnerEvent, SupervisedLearningStrategy,
        SupervisedTrainingEventProcessor, TrainLoader, TrainingComponents, TrainingItem,
        ValidLoader,
    },
};
use data::{LabelledImages, Random};
use indicatif::ProgressBar;
use model::{Backend, Manifest};

use crate::{
    average::Average,
    checkpointer::CheckpointSet,
    config::TrainingConfig,
    epoch::Validated,
    interrupt::Interrupt,
    learner::{BatchResult, StepResult, Trainee},
    lenders::Lenders,
    outcome::{Outcome, Stop, TrainingError},
    pending::{Pending, Step},
    run_dir::RunDir,
    schedule::Schedule,
    steps::step,
};

/// What the training loop works with; [`Outcome`] is left in it when the loop ends.
pub struct Loop {
    /// The devices that steps are computed on, with automatic differentiation; the weights are on the first.
    pub devices: Vec<Device>,
    /// The device that validates, without.
    pub judge: Device,
    /// Whose device that is.
    pub backend: Backend,
    /// Who lends the devices of the steps, if they aren't this machine's.
    pub lenders: Option<Lenders>,
    /// The command that goes on with the run.
    pub resume: String,
    /// The seed of the run, for what the device draws (dropout).
    pub seed: u64,
    /// How long.
    pub config: TrainingConfig,
    /// The learning rate of every step.
    pub schedule: Schedule,
    /// Where to.
    pub run: Arc<RunDir>,
    /// What every checkpoint states, but for metrics and training state.
    pub manifest: Manifest,
    /// The validation images, if there are any.
    pub held_out: Option<LabelledImages>,
    /// Burn's checkpointers.
    pub checkpoints: CheckpointSet,
    /// Whether to stop.
    pub interrupt: Interrupt,
    /// Whether Burn's dashboard has the terminal.
    pub dashboard: bool,
    /// Lines per epoch go above this bar, unless the run is quiet.
    pub report: Option<ProgressBar>,
    /// State and record of the run so far.
    pub progress: Mutex<Outcome>,
}

impl SupervisedLearningStrategy<Trainee> for Loop {
    fn fit(
        &self,
        components: TrainingComponents<Trainee>,
        mut learner: Learner<Trainee>,
        train: TrainLoader<Trainee>,
        // The loop shows the images to a classifier, as whoever uses the result does.
        _: ValidLoader<Trainee>,
        first: usize,
    ) -> (Trainee, SupervisedTrainingEventProcessor<Trainee>) {
        let mut outcome = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let mut run = Run {
            plan: self,
            components,
            train: train.to_device(match &self.devices[..] {
                [device] => device,
                // It is divided here.
                _ => &self.judge,
            }),
            average: None,
            began: Instant::now(),
        };
        learner.fork(&self.devices[0]);
        let mut epochs = || run.epochs(&mut learner, &mut outcome, first);
        let result = match &self.lenders {
            None => epochs(),
            Some(lenders) => lenders.guard(&self.resume, epochs),
        };
        outcome.watchers.end(result.as_ref().copied());
        match result {
            Ok(stop) => outcome.stop = stop,
            Err(error) => outcome.error = Some(error),
        }
        (learner.model(), run.components.event_processor)
    }
}

impl Loop {
    /// What follows waits for a lender, if there is one.
    pub(crate) fn wait(&self) {
        if let Some(lenders) = &self.lenders {
            lenders.wait();
        }
    }

    /// What follows waits for none.
    pub(crate) fn rest(&self) {
        if let Some(lenders) = &self.lenders {
            lenders.rest();
        }
    }

    /// The average of the weights as it is where training begins or goes on.
    fn average(&self, live: &Trainee) -> Result<Option<Average>, TrainingError> {
        let Some(decay) = self.config.ema_decay else {
            return Ok(None);
        };
        let average = Average::new(live, decay);
        Ok(Some(match self.checkpoints.average()? {
            Some(record) => average
                .restored(record)
                .map_err(|error| TrainingError::Burn(error.to_string()))?,
            None => average,
        }))
    }
}

pub(crate) struct Run<'a> {
    pub(crate) plan: &'a Loop,
    pub(crate) components: TrainingComponents<Trainee>,
    train: TrainLoader<Trainee>,
    /// If the recipe asks for it.
    pub(crate) average: Option<Average>,
    began: Instant,
}

impl Run<'_> {
    fn epochs(
        &mut self,
        learner: &mut Learner<Trainee>,
        outcome: &mut Outcome,
        first: usize,
    ) -> Result<Stop, TrainingError> {
        self.average = self.plan.average(&learner.model())?;
        if first <= self.plan.config.epochs && self.should_stop(outcome).is_none() {
            outcome.watchers.begin(outcome.state.step);
        }
        let held_out = self.plan.held_out.as_ref();
        if let (1, Some(images)) = (first, held_out) {
            let Some(validated) = self.validate(learner, images, 0)? else {
                return Ok(Stop::Interrupted);
            };
            let (before, answers) = (validated.result, validated.answers);
            self.log(format!(
                "before training: {:.2} % of the validation images right, loss {:.4}",
                100.0 * before.accuracy(),
                before.mean_loss(),
            ));
            outcome
                .journal
                .epoch(0, "validation", "accuracy", before.accuracy(), 0.0);
            outcome
                .journal
                .epoch(0, "validation", "loss", before.mean_loss(), 0.0);
            let network = self.judged(learner).0;
            outcome.watchers.before(&network, &before, answers);
        }
        for epoch in first..=self.plan.config.epochs {
            if let Some(stop) = self.should_stop(outcome) {
                return Ok(stop);
            }
            let Some(trained) = self.train_epoch(learner, outcome, epoch)? else {
                return Ok(Stop::Interrupted);
            };
            // Also brings the running statistics of the batch normalization up to date, which the
            // checkpoint saves.
            let validated = match held_out {
                None => {
                    self.judged(learner);
                    Validated {
                        result: trained,
                        ..Validated::default()
                    }
                }
                Some(images) => match self.validate(learner, images, epoch)? {
                    Some(validated) => validated,
                    None => return Ok(Stop::Interrupted),
                },
            };
            self.finish_epoch(learner, outcome, epoch, trained, validated)?;
        }
        Ok(match self.should_stop(outcome) {
            Some(Stop::Interrupted) | None => Stop::Finished,
            Some(stop) => stop,
        })
    }

    /// One pass over the training images, or `None` if it was interrupted.
    fn train_epoch(
        &mut self,
        learner: &mut Learner<Trainee>,
        outcome: &mut Outcome,
        epoch: usize,
    ) -> Result<Option<BatchResult>, TrainingError> {
        match self.plan.backend {
            // This machine's threads have little to do.
            Backend::Wgpu => self.steps(learner, outcome, epoch),
            _ => kernels::awake(|| self.steps(learner, outcome, epoch)),
        }
    }

    fn steps(
        &mut self,
        learner: &mut Learner<Trainee>,
        outcome: &mut Outcome,
        epoch: usize,
    ) -> Result<Option<BatchResult>, TrainingError> {
        // What the device draws in an epoch (dropout) depends on seed and epoch alone, so that a
        // resumed run draws the same.
        let seed = Random::keyed(&[DEVICE, self.plan.seed, epoch as u64]).next_u64();
        for (device, number) in self.plan.devices.iter().zip(0..) {
            device.seed(seed.wrapping_add(number));
        }
        self.send(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items: self.train.num_items(),
        })?;
        let started = Instant::now();
        let train = Arc::clone(&self.train);
        let mut batches = train.iter();
        let mut total = BatchResult::default();
        let mut pending = Pending::new(self.plan.backend, self.plan.lenders.is_some());
        let mut iteration = 0;
        while let Some(batch) = batches.next() {
            let batch = batch.map_err(|error| TrainingError::Burn(error.to_string()))?;
            self.plan.wait();
            let (gradients, result) = step(learner, batch, &self.plan.devices)?;
            learner.lr_step();
            learner.optimizer_step(gradients);
            outcome.state.step += 1;
            let number = outcome.state.step;
            self.average = self
                .average
                .take()
                .map(|average| average.updated(&learner.model(), number));
            iteration += 1;
            let (progress, rate) = (batches.progress(), learner.lr_current());
            pending.push(Step {
                number,
                rate: rate.base(),
                seconds: self.seconds(),
                item: TrainingItem::new(result, progress, Some(iteration), Some(rate)),
            });
            let interrupted = self.interrupted();
            if pending.due() || interrupted {
                total += self.read(&mut pending, outcome, epoch)?;
            }
            if interrupted {
                return Ok(None);
            }
        }
        total += self.read(&mut pending, outcome, epoch)?;
        let rate = total.count as f64 / started.elapsed().as_secs_f64().max(1e-9);
        outcome
            .journal
            .epoch(epoch, "train", "images_per_second", rate, self.seconds());
        outcome.watchers.trained(rate);
        self.send(LearnerEvent::EndSplit(epoch))?;
        Ok(Some(total))
    }

    /// Whether to begin no further epoch.
    fn should_stop(&self, outcome: &Outcome) -> Option<Stop> {
        let TrainingConfig {
            patience,
            min_gain,
            time_budget,
            ..
        } = self.plan.config;
        let state = &outcome.state;
        if self.interrupted() {
            return Some(Stop::Interrupted);
        }
        if patience.is_some_and(|patience| state.epochs_without_gain(min_gain) >= patience) {
            return Some(Stop::Plateau);
        }
        let epochs = state
            .epoch
            .saturating_sub(self.components.checkpoint.unwrap_or(0));
        let next = self.seconds() * (epochs as f64 + 1.0) / epochs.max(1) as f64;
        (epochs > 0 && time_budget.is_some_and(|budget| next > budget)).then_some(Stop::TimeBudget)
    }

    fn interrupted(&self) -> bool {
        interrupted(&self.plan.interrupt, &self.components.interrupter)
    }

    pub(crate) fn send(&mut self, event: LearnerEvent<StepResult>) -> Result<(), TrainingError> {
        self.components
            .event_processor
            .process_train(event)
            .map_err(|error| TrainingError::Burn(error.to_string()))
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

/// Whether a signal or the dashboard asked to stop.
pub(crate) fn interrupted(signals: &Interrupt, dashboard: &Interrupter) -> bool {
    signals.exit_code().is_some() || dashboard.should_stop()
}

/// Keeps the device's stream apart from the other uses of the seed.
const DEVICE: u64 = u64::from_be_bytes(*b"dropout\0");
