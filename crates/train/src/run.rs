//! One run from command line to result.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use anyhow::Context;
use burn::{
    optim::ModuleOptimizer,
    train::{Learner, SupervisedTraining, TrainingStrategy},
};
use data::{LabelledImages, Loader, Spec};
use kernels::AdamW;
use model::{Device, PictureInput};
use report::Live;
use runs::History;

use crate::{
    Args, Config, Failure,
    args::Command,
    checkpointer::CheckpointSet,
    config::OptimizerConfig,
    epoch::EVALUATION_BATCH,
    interrupt::Interrupt,
    journal::Journal,
    learner::Trainee,
    live,
    live_page::LivePage,
    member::Member,
    outcome::{Outcome, Stop},
    paths::{behind_links, shell_word},
    plan::Plan,
    progress::{Progress, say},
    resolve::{check_features, recipe},
    restore::Restored,
    schedule::Schedule,
    state::TrainingState,
    strategy::Loop,
    sweep,
    watchers::Watchers,
};

/// Does what the command line says and returns the exit code.
///
/// # Errors
/// A [`Failure`] with one line for people. What was on disk before is whole.
pub fn run(args: &Args) -> Result<u8, Failure> {
    if let Some(Command::Sweep(sweep)) = &args.command {
        return sweep::run(sweep);
    }
    let began = Instant::now();
    let args = &Args {
        resume: args.resume.as_deref().map(behind_links),
        run_dir: args.run_dir.as_deref().map(behind_links),
        ..args.clone()
    };
    let config = recipe(args)?;
    if args.print_config {
        let recipe = config.to_toml()?;
        write!(io::stdout(), "{recipe}").context("can't write to standard output")?;
        return Ok(0);
    }
    if let Some(file) = &args.sheet {
        return crate::sheet::draw(args, &config, file);
    }
    let interrupt = Interrupt::listen().context("can't listen to signals")?;
    if args.stop_at_end_of_input {
        interrupt.heed_end_of_input();
    }
    let loading = interrupt.leave_at_once("stopped before training began".into());
    let (plan, images) = Plan::new(args, config)?;
    drop(loading);
    plan.announce();
    let resume = plan.resume();
    if let Some(lenders) = &plan.lenders {
        lenders.watch(&resume);
    }
    let mut outcomes = Vec::with_capacity(plan.members.len());
    for (number, member) in (1..).zip(&plan.members) {
        let name = match plan.members.len() {
            1 => None,
            members => Some(format!("member {number} of {members}")),
        };
        plan.announce_member(member, name.as_deref())?;
        let outcome = plan.train(&images, (number, member), args, &interrupt);
        let outcome = outcome.map_err(|failure| match &name {
            None => failure,
            Some(name) => Failure {
                error: failure.error.context(name.clone()),
                usage: failure.usage,
            },
        })?;
        if outcome.stop == Stop::Interrupted {
            say(format_args!(
                "stopped {}after epoch {} of {}; go on with: {resume}",
                name.map_or(String::new(), |name| format!("in {name} ")),
                outcome.state.epoch,
                plan.config.training.epochs,
            ));
            return Ok(interrupt.exit_code().unwrap_or(130));
        }
        outcomes.push(outcome);
    }
    let examining = interrupt.leave_at_once(format!(
        "stopped after training, in the examination; go on with: {resume}"
    ));
    let augmented = plan.augmented(&images);
    drop(images);
    plan.finish(args, &mut outcomes, augmented, began)?;
    drop(examining);
    Ok(0)
}

impl Plan {
    /// Trains a member on images until the recipe, a plateau, the budget or a signal ends it.
    fn train(
        &self,
        images: &LabelledImages,
        (number, member): (usize, &Member),
        args: &Args,
        interrupt: &Interrupt,
    ) -> Result<Outcome, Failure> {
        let Member { config, run, .. } = member;
        let (done, state, checkpoint) = match &member.restored {
            Some(Restored { checkpoint, state }) => {
                (state.epoch, state.clone(), Some(checkpoint.clone()))
            }
            None => (0, TrainingState::default(), None),
        };
        let devices: Vec<Device> = match &self.lenders {
            None => vec![self.device.clone().autodiff()],
            Some(lenders) => lenders.devices().map(Device::autodiff).collect(),
        };
        let device = devices[0].clone();
        let (train, valid) = self.loaders(images, config, &device, done + 1);
        let steps = train.num_batches() * config.training.epochs;
        let schedule = Schedule::new(
            config.schedule.clone(),
            config.optimizer.learning_rate,
            steps,
        );
        let network = match (&self.start, checkpoint.is_none()) {
            (Some(start), true) => start.network(config, &self.spec, &device)?.network,
            _ => {
                let Spec { shape, classes } = &self.spec;
                config
                    .network
                    .init(config.seed, *shape, classes.len(), &device)?
            }
        };
        let progress = Progress::new(self.quiet);
        let journal = Journal::open(run, done, member.passed_over > 0)?;
        let watchers = self.watchers((number, member), done, train.num_batches());
        let plan = Arc::new(Loop {
            devices,
            judge: self.device.clone(),
            backend: self.backend,
            lenders: self.lenders.clone(),
            resume: self.resume(),
            seed: config.seed,
            config: config.training.clone(),
            schedule: schedule.clone(),
            run: Arc::clone(run),
            manifest: self.manifest(member)?,
            held_out: self.held_out.clone(),
            checkpoints: CheckpointSet::new(checkpoint, config.training.ema_decay.is_some()),
            interrupt: interrupt.clone(),
            dashboard: args.tui,
            report: (!self.quiet && !args.tui).then(|| progress.bar()),
            progress: Mutex::new(Outcome {
                state,
                journal,
                watchers,
                ..Outcome::default()
            }),
        });
        let mut training = SupervisedTraining::new(run.path(), Arc::new(train), Arc::new(valid))
            .num_epochs(config.training.epochs)
            .with_training_strategy(TrainingStrategy::Custom(plan.clone()));
        training = plan.checkpoints.register(live::register(training));
        if done > 0 {
            training = training.checkpoint(done);
        }
        if !args.tui {
            training = training.renderer(Box::new(progress));
        }
        let optimizer = optimizer(&config.optimizer);
        let result = training.launch(Learner::new(
            Trainee(network.with_precision(self.products)),
            optimizer,
            schedule,
        ));
        drop(result.renderer);
        if let Some(error) = result.error {
            // The loop's own error says more than what followed from it.
            if let Some(first) = lock(&plan).error.take() {
                return Err(first.into());
            }
            return Err(anyhow::anyhow!("training failed: {error}").into());
        }
        let mut outcome = lock(&plan);
        if let Some(error) = outcome.error.take() {
            return Err(error.into());
        }
        Ok(std::mem::take(&mut outcome))
    }

    /// Those who follow a member that has done so many epochs, of so many steps each.
    fn watchers(&self, (number, member): (usize, &Member), done: usize, steps: usize) -> Watchers {
        let folder = self.run.path().file_name().unwrap_or_default();
        let mut name = folder.to_string_lossy().into_owned();
        let members = self.members.len();
        if members > 1 {
            name = format!("{name}, member {number} of {members}");
        }
        let history = match done {
            0 => None,
            _ => History::of(&member.run).ok(),
        };
        let is_ink = self.picture == PictureInput::Framed && self.spec.shape.channels == 1;
        let held_out = (self.held_out.clone(), self.split.validation.to_vec());
        let classes = self.spec.classes.clone();
        let epochs = member.config.training.epochs;
        let live = Live::new(
            name,
            classes,
            held_out,
            is_ink,
            (epochs, steps),
            self.resume(),
        );
        let runs = (Arc::clone(&self.run), Arc::clone(&member.run));
        let page = LivePage::new(runs, live, history.unwrap_or_default(), number < members);
        Watchers::new(Arc::clone(&member.run), member.config.clone(), page)
    }

    /// The command that goes on with the run.
    fn resume(&self) -> String {
        format!("train --resume {}", shell_word(self.run.path()))
    }

    fn loaders(
        &self,
        images: &LabelledImages,
        config: &Config,
        device: &Device,
        first: usize,
    ) -> (Loader, Loader) {
        let loader = |indices: &[u32], batch: usize, device: &Device| {
            let normalization = &self.normalization;
            Loader::new(images.clone(), indices.into(), normalization, batch, device)
        };
        let training = &config.training;
        let augmentation = self.pens(config.data.augmentation);
        let train = loader(&self.split.train, training.batch_size, device);
        let train = self
            .more
            .join(train, config.seed)
            .shuffled(config.seed)
            .with_negatives(self.negatives(), config.seed)
            .augmented(augmentation, config.seed, Some(training.plain_from()))
            .starting_at(first);
        (
            train,
            loader(&self.split.validation, EVALUATION_BATCH, &self.device),
        )
    }
}

fn optimizer(config: &OptimizerConfig) -> ModuleOptimizer {
    let OptimizerConfig {
        beta_1,
        beta_2,
        epsilon,
        weight_decay,
        ..
    } = *config;
    ModuleOptimizer::from(AdamW {
        beta_1: beta_1 as f32,
        beta_2: beta_2 as f32,
        epsilon: epsilon as f32,
        weight_decay: weight_decay as f32,
    })
}

fn lock(plan: &Loop) -> MutexGuard<'_, Outcome> {
    plan.progress.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lends a device of this machine until a signal ends it, as the command line says.
///
/// # Errors
/// A [`Failure`] with one line for people.
pub fn serve(args: &Args) -> Result<(), Failure> {
    check_features(args)?;
    #[cfg(feature = "remote-server")]
    if let (Some(name), Some(token)) = (&args.serve_device, &args.token_file) {
        crate::lend::lend(name, token, args)?;
    }
    Ok(())
}
