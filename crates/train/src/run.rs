//! One run from command line to result.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::{Context, bail};
use burn::{
    optim::ModuleOptimizer,
    train::{Learner, SupervisedTraining, TrainingStrategy},
};
use data::{Augmentation, InkLimits, LabelledImages, Loader, Normalization, Source, Split};
use evaluation::{Calibration, Logits};
use kernels::AdamW;
use model::{
    Backend, Classifier, Device, Manifest, Provenance,
    checkpoint::{self, Checkpoint, DataDigests, FORMAT_VERSION, MANIFEST, MODEL, Versions},
};
use report::{Examination, History, Page};

use crate::{
    Args, Config,
    checkpointer::{self, CheckpointSet},
    config::{OptimizerConfig, ScheduleConfig},
    interrupt::Interrupt,
    journal::{Journal, TrainingState},
    learner::Trainee,
    live,
    progress::{Progress, human},
    run_dir::RunDir,
    schedule::Schedule,
    strategy::{Loop, Outcome, Stop},
    summary::{Summary, TrainResult, ValidationResult},
};

/// Where runs and downloads go.
const ARTIFACTS: &str = "artifacts";

/// Images per batch where nothing is learned: more than a training step, for speed.
const EVALUATION_BATCH: usize = 500;

/// A run that didn't succeed.
#[derive(Debug)]
pub struct Failure {
    /// What happened and what to do.
    pub error: anyhow::Error,
    /// Whether the command line or the recipe is at fault.
    pub usage: bool,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure {
            error: error.into(),
            usage: false,
        }
    }
}

fn usage(error: impl Into<anyhow::Error>) -> Failure {
    Failure {
        error: error.into(),
        usage: true,
    }
}

/// Does what the command line says and returns the exit code.
///
/// # Errors
/// A [`Failure`] with one line for people. What was on disk before is whole.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let began = Instant::now();
    let config = resolve(args)?;
    if args.print_config {
        print!("{}", config.to_toml());
        return Ok(0);
    }
    let interrupt = Interrupt::listen().context("can't listen to signals")?;
    let plan = Plan::new(args, config)?;
    plan.announce();
    let outcome = plan.train(args, &interrupt)?;
    if outcome.stop == Stop::Interrupted {
        let run = plan.run.path().display();
        eprintln!(
            "stopped after epoch {} of {}; go on with: train --resume {run}",
            outcome.state.epoch, plan.config.training.epochs,
        );
        return Ok(interrupt.exit_code().unwrap_or(130));
    }
    plan.finish(args, &outcome, began)?;
    Ok(0)
}

/// The recipe with everything that the command line adds.
fn resolve(args: &Args) -> Result<Config, Failure> {
    if let Some(run) = &args.resume {
        let file = run.join("config.toml");
        if !file.is_file() {
            return Err(crate::run_dir::RunDirError::NoRun(run.clone()).into());
        }
        let stored = Config::load(Some(&file), &[])?;
        let config = Config::load(Some(&file), &args.changes).map_err(usage)?;
        return extended(&stored, config).map_err(usage);
    }
    let mut config = Config::load(args.config.as_deref(), &args.changes).map_err(usage)?;
    if let Some(seed) = args.seed {
        config.seed = seed;
    }
    let dir = args.data_dir.clone().or(config.data.dir.take());
    config.data.dir = dir
        .map(|dir| {
            fs::canonicalize(&dir)
                .with_context(|| format!("{}: no such folder of data", dir.display()))
        })
        .transpose()
        .map_err(usage)?;
    let backend = match args.backend.as_ref().or(config.backend.as_ref()) {
        Some(name) => name.parse().map_err(usage)?,
        None => Backend::default(),
    };
    config.backend = Some(backend.name().to_owned());
    Ok(config)
}

/// A stored recipe may be given more time, where that doesn't change what was done so far.
fn extended(stored: &Config, config: Config) -> anyhow::Result<Config> {
    let mut same = config.clone();
    same.training.epochs = stored.training.epochs;
    same.training.patience = stored.training.patience;
    same.training.time_budget = stored.training.time_budget;
    if same != *stored {
        bail!(
            "a resumed run keeps its recipe; only training.epochs, training.patience and \
             training.time_budget may be changed by --set (start a new run for anything else)"
        );
    }
    if config.training.epochs != stored.training.epochs {
        if matches!(config.schedule, ScheduleConfig::OneCycle { .. }) {
            bail!(
                "training.epochs can't be changed: the one-cycle schedule spreads its learning \
                 rates over {} epochs, another number would change the epochs that are done; \
                 start a new run with --set training.epochs={}",
                stored.training.epochs,
                config.training.epochs,
            );
        }
        if config.training.plain_epochs > 0 {
            bail!(
                "training.epochs can't be changed: the last {} epochs were to be without \
                 augmentation; start a new run",
                config.training.plain_epochs,
            );
        }
    }
    Ok(config)
}

/// A run that is ready to begin.
struct Plan {
    config: Config,
    device: Device,
    backend: Backend,
    run: Arc<RunDir>,
    source: Source,
    images: LabelledImages,
    normalization: Normalization,
    split: Split,
    restored: Option<(usize, Checkpoint, TrainingState)>,
    quiet: bool,
}

impl Plan {
    fn new(args: &Args, config: Config) -> Result<Self, Failure> {
        let backend: Backend = config
            .backend
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(usage)?;
        let device = backend.device()?;
        let source = match &config.data.dir {
            Some(dir) => Source::Folder(dir.clone()),
            None if cfg!(feature = "bundled") => Source::Bundled,
            None => Source::Download {
                cache: Path::new(ARTIFACTS).join("mnist"),
            },
        };
        let images = source.train()?;
        let mut split = data::split(images.labels(), config.data.validation, config.seed)?;
        if let Some(limit) = config.data.limit {
            split.train.truncate(limit);
        }
        let run = Arc::new(open_run(args)?);
        let quiet = args.quiet;
        let restored = restore(&run, &images, quiet)?;
        run.write(&run.config(), config.to_toml().as_bytes())?;
        run.point_latest(Path::new(ARTIFACTS));
        Ok(Plan {
            normalization: Normalization::of(&images),
            config,
            device,
            backend,
            run,
            source,
            images,
            split,
            restored,
            quiet,
        })
    }

    /// What is about to happen.
    fn announce(&self) {
        if self.quiet {
            return;
        }
        eprintln!("{}", self.config.network.summary());
        eprintln!(
            "{} training images, {} for validation, from {}; backend {}; seed {}",
            self.split.train.len(),
            self.split.validation.len(),
            self.source.name(),
            self.backend,
            self.config.seed,
        );
        eprintln!("run folder: {}", self.run.path().display());
        if let Some((epoch, ..)) = &self.restored {
            eprintln!("going on after epoch {epoch}");
        }
    }

    /// Trains until the recipe, a plateau, the budget or a signal ends it.
    fn train(&self, args: &Args, interrupt: &Interrupt) -> Result<Outcome, Failure> {
        let (done, state, checkpoint) = match &self.restored {
            Some((epoch, checkpoint, state)) => (*epoch, state.clone(), Some(checkpoint.clone())),
            None => (0, TrainingState::default(), None),
        };
        let device = self.device.clone().autodiff();
        let (train, valid) = self.loaders(&device, done + 1);
        let steps = train.num_batches() * self.config.training.epochs;
        let schedule = Schedule::new(
            self.config.schedule.clone(),
            self.config.optimizer.learning_rate,
            steps,
        );
        let network = self.config.network.init(self.config.seed, &device)?;
        let progress = Progress::new(self.quiet);
        let metrics = self.run.metrics();
        let journal =
            Journal::open(&metrics, done).with_context(|| metrics.display().to_string())?;
        let plan = Arc::new(Loop {
            device,
            seed: self.config.seed,
            config: self.config.training.clone(),
            run: Arc::clone(&self.run),
            manifest: self.manifest(),
            checkpoints: CheckpointSet::new(checkpoint),
            interrupt: interrupt.clone(),
            report: (!self.quiet && !shows_dashboard(args)).then(|| progress.bar()),
            progress: Mutex::new(Outcome {
                state,
                journal,
                stop: Stop::Finished,
                error: None,
                train_seconds: 0.0,
                train_images: 0,
            }),
        });
        let mut training =
            SupervisedTraining::new(self.run.path(), Arc::new(train), Arc::new(valid))
                .num_epochs(self.config.training.epochs)
                .with_training_strategy(TrainingStrategy::Custom(plan.clone()));
        training = plan.checkpoints.register(live::register(training));
        if done > 0 {
            training = training.checkpoint(done);
        }
        if !shows_dashboard(args) {
            training = training.renderer(Box::new(progress));
        }
        let optimizer = optimizer(&self.config.optimizer);
        let result = training.launch(Learner::new(Trainee(network), optimizer, schedule));
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
        Ok(Outcome {
            state: std::mem::take(&mut outcome.state),
            journal: Journal::open(&metrics, usize::MAX)
                .with_context(|| metrics.display().to_string())?,
            stop: outcome.stop,
            error: None,
            train_seconds: outcome.train_seconds,
            train_images: outcome.train_images,
        })
    }

    fn loaders(&self, device: &Device, first: usize) -> (Loader, Loader) {
        let loader = |indices: &[u32], batch: usize, device: &Device| {
            Loader::new(
                self.images.clone(),
                indices.into(),
                self.normalization,
                batch,
                device,
            )
        };
        let training = &self.config.training;
        let plain_from = training.epochs - training.plain_epochs.min(training.epochs) + 1;
        let augmentation = self
            .config
            .data
            .augmentation
            .unwrap_or(Augmentation::default());
        let train = loader(&self.split.train, training.batch_size, device)
            .shuffled(self.config.seed)
            .augmented(augmentation, self.config.seed, Some(plain_from))
            .starting_at(first);
        (
            train,
            loader(&self.split.validation, EVALUATION_BATCH, &self.device),
        )
    }

    fn manifest(&self) -> Manifest {
        Manifest {
            version: FORMAT_VERSION,
            architecture: self.config.network.clone(),
            normalization: self.normalization,
            classes: (0..data::CLASSES).map(|class| class.to_string()).collect(),
            calibration: None,
            ink: None,
            metrics: Default::default(),
            provenance: Provenance {
                seed: self.config.seed,
                config: serde_json::to_value(&self.config).unwrap_or_default(),
                data: DataDigests {
                    source: self.source.name(),
                    train: self.images.digest().clone(),
                },
                backend: self.backend.name().to_owned(),
                versions: Versions::current(),
            },
            training: None,
        }
    }

    /// Publishes the best epoch, examines it on the test images and says so.
    fn finish(&self, args: &Args, outcome: &Outcome, began: Instant) -> Result<(), Failure> {
        let epoch = outcome.state.best().unwrap_or(outcome.state.epoch);
        let checkpoint = Checkpoint::open(self.run.checkpoint(epoch))?;
        let mut manifest = checkpoint.manifest().clone();
        manifest.training = None;
        manifest.calibration = self.calibrate(&checkpoint)?;
        manifest.ink = InkLimits::of(self.split.validation.iter().map(|&index| self.images.image(index as usize)));
        let weights = checkpoint.file(MODEL).unwrap_or_default();
        let published = [(MANIFEST, &manifest.to_json()[..]), (MODEL, weights)];
        checkpoint::write(&self.run.model(), &published)?;
        // The examination goes the way that every other crate goes: it loads what was published.
        let classifier = Classifier::load(self.run.model(), &self.device)?;
        let images = self.source.test()?;
        let test = Examination::new(&classifier, &images)?;
        let record = outcome.state.history[epoch - 1];
        let summary = Summary {
            test,
            validation: ValidationResult {
                accuracy: record.validation_accuracy,
                loss: record.validation_loss,
                epoch,
            },
            train: TrainResult {
                images_per_second: outcome.train_images as f64 / outcome.train_seconds.max(1e-9),
                seconds: outcome.train_seconds,
            },
            seconds: began.elapsed().as_secs_f64(),
            epochs: outcome.state.epoch,
            stopped: match outcome.stop {
                Stop::Plateau => "plateau",
                Stop::TimeBudget => "time budget",
                Stop::Finished | Stop::Interrupted => "finished",
            },
            seed: self.config.seed,
            backend: self.backend.name().to_owned(),
            parameters: self.config.network.summary().parameters(),
        };
        let mut json = serde_json::to_vec_pretty(&summary)?;
        json.push(b'\n');
        self.run.write(&self.run.summary(), &json)?;
        let metrics = fs::read_to_string(self.run.metrics()).unwrap_or_default();
        let page = Page {
            classifier: &classifier,
            images: &images,
            examination: &summary.test,
            history: Some(&History::parse(&metrics)),
            stress: None,
        };
        self.run
            .write(&self.run.report(), page.html()?.as_bytes())?;
        if args.json {
            print!("{}", String::from_utf8_lossy(&json));
        } else {
            self.print(&summary);
        }
        Ok(())
    }

    /// Fits the calibration on the validation images; without any there is none.
    fn calibrate(&self, checkpoint: &Checkpoint) -> Result<Option<Calibration>, Failure> {
        let (pixels, labels): (Vec<&[u8]>, Vec<u8>) = self
            .split
            .validation
            .iter()
            .map(|&index| {
                (
                    self.images.image(index as usize),
                    self.images.label(index as usize),
                )
            })
            .unzip();
        if labels.is_empty() {
            return Ok(None);
        }
        let classifier = Classifier::from_checkpoint(checkpoint, &self.device)?;
        let logits = classifier.logits(&pixels.concat()).into_flattened();
        let logits = Logits::new(data::CLASSES, logits, labels)?;
        Ok(Some(Calibration::fit(&logits, &self.config.calibration)?))
    }

    fn print(&self, summary: &Summary) {
        let run = self.run.path().display();
        println!("\n{}", summary.test);
        println!(
            "{} after {} epochs in {} ({:.0} images/s); best epoch {} with {:.2} % of the validation images right",
            summary.stopped,
            summary.epochs,
            human(std::time::Duration::from_secs_f64(summary.seconds)),
            summary.train.images_per_second,
            summary.validation.epoch,
            100.0 * summary.validation.accuracy,
        );
        println!("model:   {run}/model");
        println!("summary: {run}/summary.json");
        println!("metrics: {run}/metrics.jsonl");
        println!("report:  {run}/report.html");
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

fn lock(plan: &Loop) -> std::sync::MutexGuard<'_, Outcome> {
    plan.progress.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shows_dashboard(args: &Args) -> bool {
    #[cfg(feature = "tui")]
    return args.tui;
    #[cfg(not(feature = "tui"))]
    {
        let _ = args;
        false
    }
}

fn open_run(args: &Args) -> Result<RunDir, Failure> {
    let run = match (&args.resume, &args.run_dir) {
        (Some(run), _) => RunDir::open(run)?,
        (None, Some(dir)) => RunDir::create(dir)?,
        (None, None) => {
            let recipe = args.config.as_deref().and_then(Path::file_stem);
            let name = recipe.map_or("default".into(), |name| name.to_string_lossy());
            RunDir::create_next(Path::new(ARTIFACTS), &name)?
        }
    };
    Ok(run)
}

/// The newest whole checkpoint of a run with its state, if it has one. Damaged newer ones are named
/// and removed: the epochs that they held are trained again.
fn restore(
    run: &RunDir,
    images: &LabelledImages,
    quiet: bool,
) -> Result<Option<(usize, Checkpoint, TrainingState)>, Failure> {
    let (newest, damaged) = run.newest_checkpoint();
    for error in &damaged {
        if !quiet {
            eprintln!("warning: {error}");
        }
    }
    let Some((epoch, checkpoint)) = newest else {
        run.keep_only(&[])?;
        return Ok(None);
    };
    let manifest = checkpoint.manifest();
    if manifest.provenance.data.train != *images.digest() {
        return Err(anyhow::anyhow!(
            "the training images are not those that this run began with; put the same files back, or start a new run"
        )
        .into());
    }
    let state = manifest
        .training
        .clone()
        .and_then(|state| serde_json::from_value::<TrainingState>(state).ok())
        .filter(|state| state.epoch == epoch && state.history.len() == epoch)
        .with_context(|| format!("{}: its training state makes no sense; remove this checkpoint to go on from the one before", checkpoint.path().display()))?;
    checkpointer::check_records(&checkpoint)?;
    checkpoint.network(&Device::default())?;
    let kept: Vec<_> = run.epochs().into_iter().filter(|&e| e <= epoch).collect();
    run.keep_only(&kept)?;
    Ok(Some((epoch, checkpoint, state)))
}
