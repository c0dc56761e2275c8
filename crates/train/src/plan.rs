//! A run that is ready to begin: recipe, device, data, run folder, and where it left off.

use std::{path::Path, sync::Arc};

use data::{LabelledImages, Normalization, Source, Split};
use model::{
    Backend, Device, Manifest, Provenance,
    checkpoint::{DataDigests, FORMAT_VERSION, Versions},
};

use crate::{Args, Config, Failure, progress::say, restore::Restored, run::usage, run_dir::RunDir};

/// Where runs go.
const ARTIFACTS: &str = "artifacts";

/// A run that is ready to begin.
pub(crate) struct Plan {
    pub(crate) config: Config,
    pub(crate) device: Device,
    pub(crate) backend: Backend,
    pub(crate) run: Arc<RunDir>,
    pub(crate) source: Source,
    pub(crate) images: LabelledImages,
    pub(crate) normalization: Normalization,
    pub(crate) split: Split,
    pub(crate) restored: Option<Restored>,
    /// How many newer checkpoints were passed over.
    pub(crate) passed_over: usize,
    pub(crate) quiet: bool,
}

impl Plan {
    pub(crate) fn new(args: &Args, config: Config) -> Result<Self, Failure> {
        let recipe = config.to_toml()?;
        let backend: Backend = config
            .backend
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(usage)?;
        let device = backend.device()?;
        if !args.quiet {
            // Before anything that takes a moment: who starts it sees at once that it runs.
            say(config.network.summary());
        }
        let source = match &config.data.dir {
            Some(dir) if args.download => Source::Download {
                cache: dir.clone(),
                mirrors: args.mirrors.clone(),
            },
            Some(dir) => Source::Folder(dir.clone()),
            None => Source::Bundled,
        };
        if let Source::Download { cache, .. } = &source
            && !args.quiet
        {
            say(format_args!(
                "fetching into {} what it lacks of MNIST",
                cache.display()
            ));
        }
        let images = source.train()?;
        // What is wrong with them is said now and not when the training is done.
        source.test()?;
        let mut split = data::split(images.labels(), config.data.validation, config.seed)?;
        if let Some(limit) = config.data.limit {
            split.limit_training(images.labels(), limit, config.seed)?;
        }
        if split.train.len() == 1 && config.network.normalizes_single_values() {
            return Err(usage(anyhow::anyhow!(
                "there is a single image to train on, of which network.norm makes zeros, so that \
                 nothing is learned; train on more, or with --set network.norm=false"
            )));
        }
        let run = Arc::new(open_run(args)?);
        let quiet = args.quiet;
        let (restored, passed_over) = Restored::newest(&run, &config, &images, &device)?;
        run.write(&run.config(), recipe.as_bytes())?;
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
            passed_over,
            quiet,
        })
    }

    /// What is about to happen.
    pub(crate) fn announce(&self) {
        if self.restored.is_none() && self.run.model().exists() {
            say(format_args!(
                "warning: {}: there is no checkpoint to go on from, the whole training begins again",
                self.run.checkpoints().display()
            ));
        }
        if self.quiet {
            return;
        }
        say(format_args!(
            "{} training images, {} for validation, from {}; backend {}; seed {}",
            self.split.train.len(),
            self.split.validation.len(),
            self.source.name(),
            self.backend,
            self.config.seed,
        ));
        if self.images.is_turned() {
            say("EMNIST's files hold rows and columns exchanged: the images are turned");
        }
        say(format_args!("run folder: {}", self.run.path().display()));
        if let Some(restored) = &self.restored {
            say(format_args!(
                "going on after epoch {}",
                restored.state.epoch
            ));
        }
    }

    pub(crate) fn manifest(&self) -> serde_json::Result<Manifest> {
        Ok(Manifest {
            version: FORMAT_VERSION,
            architecture: self.config.network.clone(),
            normalization: self.normalization,
            classes: (0..data::CLASSES).map(|class| class.to_string()).collect(),
            calibration: None,
            ink: None,
            metrics: Default::default(),
            provenance: Provenance {
                seed: self.config.seed,
                config: serde_json::to_value(&self.config)?,
                data: DataDigests {
                    source: self.source.name(),
                    train: self.images.digest().clone(),
                },
                backend: self.backend.name().to_owned(),
                versions: Versions::current(),
            },
            training: None,
        })
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
