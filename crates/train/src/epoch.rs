//! The end of an epoch: what it achieved is measured, noted and saved.

use burn::{
    data::dataloader::Progress,
    module::Module,
    train::{EventProcessorTraining, Learner, LearnerEvent, TrainingItem},
};
use data::LabelledImages;
use model::{Classifier, Manifest, Output, Views};
use report::Answer;

use crate::{
    config::ScheduleConfig,
    learner::{BatchResult, Trainee},
    outcome::{Outcome, TrainingError},
    progress::say,
    state::EpochRecord,
    strategy::{Run, interrupted},
    terminal,
};

/// Images per batch where nothing is learned: more than a training step, for speed.
pub(crate) const EVALUATION_BATCH: usize = 500;

/// What a network makes of the validation images.
#[derive(Default)]
pub(crate) struct Validated {
    /// Loss and accuracy.
    pub(crate) result: BatchResult,
    /// The answer to each image.
    pub(crate) answers: Vec<Answer>,
    /// What the answers follow from.
    pub(crate) outputs: Vec<Output>,
}

impl Run<'_> {
    /// Prints a line about the run, unless it is quiet.
    pub(crate) fn log(&self, line: String) {
        if let Some(bar) = &self.plan.report {
            // Above the bar where there is one; a hidden bar swallows what it is given.
            match bar.is_hidden() {
                true => say(line),
                false => bar.println(line),
            }
        }
    }

    /// The network that is validated, saved and published: the average of the weights if the recipe asks
    /// for one.
    pub(crate) fn judged(&self, learner: &Learner<Trainee>) -> Trainee {
        let network = match &self.average {
            Some(average) => average.network(),
            None => learner.model().valid(),
        };
        if self.plan.lenders.is_none() {
            return network;
        }
        // It is small, and the images that it is shown are here.
        self.plan.wait();
        let network = network.to_device(&self.plan.judge);
        self.plan.rest();
        network
    }

    /// Shows the validation images to the network, each as it is, whatever views the recipe averages;
    /// `None` if it was interrupted.
    pub(crate) fn validate(
        &mut self,
        learner: &Learner<Trainee>,
        images: &LabelledImages,
        epoch: usize,
    ) -> Result<Option<Validated>, TrainingError> {
        let failed = |error: &dyn std::fmt::Display| TrainingError::Burn(error.to_string());
        let manifest = Manifest {
            views: Views::default(),
            ..self.plan.manifest.clone()
        };
        let classifier = Classifier::of(self.judged(learner).0, manifest);
        let total_items = images.len();
        let events = &mut self.components.event_processor;
        events
            .process_valid(LearnerEvent::StartSplit {
                epoch_number: epoch,
                total_items,
            })
            .map_err(|error| failed(&error))?;
        let mut validated = Validated::default();
        let batches = images
            .pixels()
            .chunks(EVALUATION_BATCH * images.shape().len());
        let labels = images.labels().chunks(EVALUATION_BATCH);
        for (iteration, (pixels, labels)) in (1..).zip(batches.zip(labels)) {
            if self.plan.dashboard {
                terminal::ctrl_c_is_a_signal();
            }
            if interrupted(&self.plan.interrupt, &self.components.interrupter) {
                return Ok(None);
            }
            let outputs = classifier.outputs(pixels).map_err(|error| failed(&error))?;
            let Validated {
                result: total,
                answers,
                outputs: all,
            } = &mut validated;
            let rows = outputs.iter().map(|output| &output.logits[..]);
            let result = BatchResult::of(rows, labels, |answer| answers.push(answer));
            *total += result;
            all.extend(outputs);
            let progress = Progress::new(all.len(), total_items, Some("items".into()));
            let item = TrainingItem::new(result, progress, Some(iteration), None);
            events
                .process_valid(LearnerEvent::ProcessedItem(item))
                .map_err(|error| failed(&error))?;
        }
        events
            .process_valid(LearnerEvent::EndSplit(epoch))
            .map_err(|error| failed(&error))?;
        Ok(Some(validated))
    }

    /// Notes what the epoch achieved and saves it.
    pub(crate) fn finish_epoch(
        &mut self,
        learner: &Learner<Trainee>,
        outcome: &mut Outcome,
        epoch: usize,
        trained: BatchResult,
        Validated {
            result,
            answers,
            outputs,
        }: Validated,
    ) -> Result<(), TrainingError> {
        let record = EpochRecord {
            train_loss: trained.mean_loss(),
            train_accuracy: trained.accuracy(),
            validation_loss: result.mean_loss(),
            validation_accuracy: result.accuracy(),
        };
        let step = outcome.state.step;
        if !record.validation_loss.is_finite() {
            let what = format!("the validation loss became {}", record.validation_loss);
            return Err(self.diverged(what, step, epoch, step));
        }
        // No loss has seen what the last step made of them if nothing is held out.
        let network = self.judged(learner).0;
        let Manifest {
            input,
            normalization,
            ..
        } = &self.plan.manifest;
        if !network.is_finite(*input, normalization) {
            let what = "weights became so large that they give infinity or NaN".to_owned();
            return Err(self.diverged(what, step, epoch, step));
        }
        outcome.state.history.push(record);
        outcome.state.epoch = epoch;
        let seconds = self.seconds();
        for (split, name, value) in [
            ("train", "loss", record.train_loss),
            ("train", "accuracy", record.train_accuracy),
            ("validation", "loss", record.validation_loss),
            ("validation", "accuracy", record.validation_accuracy),
        ] {
            outcome.journal.epoch(epoch, split, name, value, seconds);
        }
        self.plan.run.check()?;
        let journal = self.plan.run.metrics();
        outcome
            .journal
            .flush()
            .map_err(|source| TrainingError::Journal {
                path: journal,
                source,
            })?;
        outcome
            .watchers
            .epoch((epoch, step), &record, &network, answers);
        self.send(LearnerEvent::EndEpoch(epoch))?;

        let run = &self.plan.run;
        let mut manifest = self.plan.manifest.clone();
        manifest.metrics = metrics(&record);
        let state = serde_json::to_value(&outcome.state);
        manifest.training = Some(state.map_err(|error| TrainingError::Burn(error.to_string()))?);
        let average = self
            .average
            .as_ref()
            .map(|_| self.judged(learner).into_record());
        self.plan
            .checkpoints
            .prepare(run.checkpoint(epoch), &manifest, average)?;
        run.check()?;
        if let Some(checkpointer) = &mut self.components.checkpointer {
            // Reads what the devices have.
            self.plan.wait();
            checkpointer.checkpoint(learner, epoch, &self.components.event_store);
            let written = self.plan.checkpoints.wait();
            self.plan.rest();
            written?;
        }
        let best = outcome.state.best().unwrap_or(epoch);
        if best == epoch {
            outcome.held_out = Some((epoch, outputs));
        }
        run.keep_only(&[epoch, best])?;
        self.log(format!(
            "epoch {epoch:>3}/{}  train loss {:.4}, accuracy {:.2} %  validation loss {:.4}, accuracy {:.2} %{}",
            self.plan.config.epochs,
            record.train_loss,
            100.0 * record.train_accuracy,
            record.validation_loss,
            100.0 * record.validation_accuracy,
            if best == epoch { "  (best)" } else { "" },
        ));
        Ok(())
    }

    /// What was found at a step after `changes` steps had changed the weights.
    pub(crate) fn diverged(
        &self,
        what: String,
        step: usize,
        epoch: usize,
        changes: usize,
    ) -> TrainingError {
        TrainingError::Diverged {
            what,
            step,
            epoch,
            rate: self.plan.schedule.rate(changes.saturating_sub(1)),
            warmup: matches!(self.plan.schedule.config(), ScheduleConfig::OneCycle { .. }),
        }
    }
}

/// The metrics that a checkpoint states.
fn metrics(record: &EpochRecord) -> std::collections::BTreeMap<String, f64> {
    [
        ("train.loss", record.train_loss),
        ("train.accuracy", record.train_accuracy),
        ("validation.loss", record.validation_loss),
        ("validation.accuracy", record.validation_accuracy),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
