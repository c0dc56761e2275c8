//! A run that is ready to begin: recipe, device, data, run folder, and where it left off.

use std::{path::Path, sync::Arc};

use data::{Augmentation, LabelledImages, Normalization, Source, Spec, Split, SplitDigest, mnist};
use model::{
    Backend, Device, Manifest, PictureInput, Provenance, Summary,
    checkpoint::{DataDigests, FORMAT_VERSION, Versions},
};

use crate::{
    Args, Config, Failure, agreement,
    config::CalibrateOn,
    failure::usage,
    inputs::{self, Reading},
    lenders::Lenders,
    member::Member,
    more::More,
    precision,
    progress::say,
    run_dir::RunDir,
    start::Start,
};

/// Where runs go.
const ARTIFACTS: &str = "artifacts";

/// A run that is ready to begin.
pub(crate) struct Plan {
    pub(crate) config: Config,
    /// What validates, calibrates and tests, and trains unless devices are lent.
    pub(crate) device: Device,
    pub(crate) backend: Backend,
    /// The devices that steps are computed on instead.
    pub(crate) lenders: Option<Lenders>,
    /// What training computes products in.
    pub(crate) products: kernels::Precision,
    pub(crate) run: Arc<RunDir>,
    pub(crate) source: Source,
    /// Shape and classes of the images.
    pub(crate) spec: Spec,
    /// Of the images that are trained on and held out, and their labels.
    pub(crate) digest: SplitDigest,
    /// Whether they are the ten digits in MNIST's frame.
    shows_digits: bool,
    /// Read before training, so that what is wrong with them is said then; looked at when it is done.
    pub(crate) test: LabelledImages,
    /// The further images of `data.also`.
    pub(crate) more: More,
    /// What those members begin with that don't go on, where the recipe names a checkpoint.
    pub(crate) start: Option<Start>,
    pub(crate) normalization: Normalization,
    pub(crate) split: Split,
    /// The validation images, if there are any.
    pub(crate) held_out: Option<LabelledImages>,
    pub(crate) picture: PictureInput,
    /// The networks that are trained, at least one.
    pub(crate) members: Vec<Member>,
    pub(crate) quiet: bool,
}

impl Plan {
    /// The plan, and the images that training takes: nothing after it does, and they are most of what a run holds.
    pub(crate) fn new(args: &Args, mut config: Config) -> Result<(Self, LabelledImages), Failure> {
        // What TOML can't hold is refused before anything is read.
        config.to_toml()?;
        let backend: Backend = config
            .backend
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(usage)?;
        let precision = config.training.precision;
        let products = precision::products(precision, backend, precision.products())?;
        let device = backend.device()?;
        let source = inputs::source(args, &config);
        if !args.quiet {
            // Before anything that takes a moment: who starts it sees at once that it runs.
            announce(&source, &config)?;
        }
        if backend == Backend::Wgpu {
            agreement::check(&device, &agreement::name(&device))?;
        }
        let lenders = lenders(args, precision)?;
        let read_train = || source.train(&Reading::new("training", args.quiet));
        let read_test = |spec: &Spec| source.test(spec, &Reading::new("test", args.quiet));
        let (images, test) = match &source {
            Source::Bundled => {
                // What they have to be like is known before the others are read.
                let spec = mnist::spec()?;
                let (images, test) = rayon::join(read_train, || read_test(&spec));
                (images, Some(test))
            }
            _ => (read_train(), None),
        };
        let images = images.map_err(inputs::unreadable)?;
        let spec = images.spec();
        let shapes = inputs::shapes(&config, &spec)?;
        if !args.quiet && source != Source::Bundled {
            say(Summary::new(&config.network, &shapes));
        }
        // What is wrong with them is said now and not when the training is done.
        let test = test.unwrap_or_else(|| read_test(&spec));
        let test = test.map_err(inputs::unreadable)?;
        let split = inputs::split(&config, &images)?;
        inputs::check_single(&config, &shapes, &split)?;
        let held_out = images.chosen(&split.validation);
        let (more, all_images) = More::read(args, &mut config, &images, &split)?;
        let recipe = config.to_toml()?;
        let mut start = match args.resume {
            None => Start::open(&config, &spec, &device)?,
            Some(_) => None,
        };
        if let Some(start) = &start {
            start.check_unseen(&images, &split)?;
        }
        let run = Arc::new(open_run(args)?);
        let quiet = args.quiet;
        let picture = inputs::picture(&config, &images);
        let write = || run.write(&run.config(), recipe.as_bytes());
        if args.resume.is_none() {
            // Without it the folder is no run that could be gone on with.
            write()?;
        }
        let members = Member::open(&run, &config, &images, &device)?;
        if members.iter().any(|member| member.restored.is_none()) && start.is_none() {
            start = Start::open(&config, &spec, &device)?;
        }
        let restored = members.iter().find_map(|member| member.restored.as_ref());
        let normalization = match (restored, &start) {
            (Some(restored), _) => restored.checkpoint.manifest().normalization.clone(),
            (None, Some(start)) => start.normalization(),
            (None, None) => Normalization::of(&images),
        };
        write()?;
        run.point_latest(Path::new(ARTIFACTS));
        let plan = Plan {
            more,
            start,
            normalization,
            config,
            device,
            backend,
            lenders,
            products,
            run,
            source,
            shows_digits: inputs::shows_digits(&images, picture),
            digest: images.digest().clone(),
            spec,
            test,
            split,
            held_out,
            picture,
            members,
            quiet,
        };
        Ok((plan, all_images))
    }

    /// What is about to happen.
    pub(crate) fn announce(&self) {
        let lost = |member: &&Member| member.restored.is_none() && self.run.model().exists();
        for member in self.members.iter().filter(lost) {
            say(format_args!(
                "warning: {}: there is no checkpoint to go on from, the whole training begins again",
                member.run.checkpoints().display()
            ));
        }
        if self.quiet {
            return;
        }
        say(format_args!(
            "{} training images, {} for validation, from {}; backend {}{}; seed {}",
            self.split.train.len(),
            self.split.validation.len(),
            self.source.name(),
            self.backend,
            self.lenders.as_ref().map_or(String::new(), |lenders| {
                let addresses: Vec<String> = lenders.addresses().collect();
                format!(", steps on {}", addresses.join(" and "))
            }),
            self.config.seed,
        ));
        if !self.config.data.also.is_empty() {
            say(format_args!(
                "and {} further training images, shown by their weights; {} more judge{}",
                self.more.len(),
                self.more.judge.as_ref().map_or(0, LabelledImages::len),
                match self.config.data.calibrate_on {
                    CalibrateOn::Also => ", and calibrate",
                    CalibrateOn::Validation => "",
                }
            ));
        }
        if self.source != Source::Bundled {
            let Spec { shape, classes } = &self.spec;
            say(format_args!(
                "images of {shape}, {} classes: {}",
                classes.len(),
                inputs::listed(classes.names())
            ));
        }
        let data = &self.config.data;
        let asked = |kinds: Option<Augmentation>| kinds.is_some_and(|kinds| kinds.styles > 0.0);
        let digits_only =
            data.negatives > 0.0 || asked(data.augmentation) || asked(data.validation_augmentation);
        if !self.shows_digits && digits_only {
            say(
                "note: these are not the ten digits in MNIST's frame: what belongs to digits alone, \
                 styles in an augmentation and data.negatives, is off; configs/pictures.toml is a recipe for \
                 other images",
            );
        }
        say(format_args!("run folder: {}", self.run.path().display()));
    }

    /// Which member comes next, if there are several, and where it goes on.
    pub(crate) fn announce_member(
        &self,
        member: &Member,
        name: Option<&str>,
    ) -> Result<(), Failure> {
        if self.quiet {
            return Ok(());
        }
        if let Some(name) = name {
            say(format_args!("{name}: seed {}", member.config.seed));
        }
        if let Some(restored) = &member.restored {
            let epoch = restored.state.epoch;
            say(format_args!("going on after epoch {epoch}"));
        } else if let Some(start) = &self.start {
            say(start.told(&member.config, &self.spec)?);
        }
        Ok(())
    }

    /// Images that an epoch of training shows.
    pub(crate) fn shown(&self) -> usize {
        self.split.train.len() + self.more.shown()
    }

    /// An augmentation as far as it suits the images.
    pub(crate) fn pens(&self, kinds: Option<Augmentation>) -> Augmentation {
        inputs::pens(kinds, self.shows_digits)
    }

    /// Images of no digit for each digit; none where there are others.
    pub(crate) fn negatives(&self) -> f64 {
        match self.shows_digits {
            true => self.config.data.negatives,
            false => 0.0,
        }
    }

    /// What the checkpoints of a member state.
    pub(crate) fn manifest(&self, member: &Member) -> serde_json::Result<Manifest> {
        let Spec { shape, classes } = &self.spec;
        Ok(Manifest {
            version: FORMAT_VERSION,
            architecture: self.config.network.clone(),
            members: 1,
            views: self.config.inference.views,
            input: *shape,
            picture: self.picture,
            normalization: self.normalization.clone(),
            classes: classes.names().to_vec(),
            labels: (!classes.are_indices()).then(|| classes.labels().to_vec()),
            calibration: None,
            calibrated_on: None,
            metrics: Default::default(),
            provenance: Provenance {
                seed: member.config.seed,
                config: serde_json::to_value(&member.config)?,
                data: DataDigests {
                    source: self.source.name(),
                    train: self.digest.clone(),
                },
                backend: self.backend.name().to_owned(),
                precision: self.config.training.precision,
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

/// The layers, where the shape of the images is known before they are read, or what is about to be read.
fn announce(source: &Source, config: &Config) -> Result<(), Failure> {
    match source {
        Source::Bundled => {
            let shapes = inputs::shapes(config, &mnist::spec()?)?;
            say(Summary::new(&config.network, &shapes));
        }
        Source::Folder(folder, _) => say(format_args!("reading {}", folder.display())),
        Source::Download { cache, .. } => say(format_args!(
            "fetching into {} what it lacks of MNIST",
            cache.display()
        )),
    }
    Ok(())
}

/// Reaches the devices that the command line names.
#[cfg(feature = "remote")]
fn lenders(args: &Args, precision: model::Precision) -> Result<Option<Lenders>, Failure> {
    use std::time::Duration;

    use crate::lenders::LenderError;

    let Some(token) = args
        .token_file
        .as_deref()
        .filter(|_| !args.devices.is_empty())
    else {
        return Ok(None);
    };
    if !precision.is_f32() {
        return Err(usage(anyhow::anyhow!(
            "training.precision = {precision} computes on the processor of this machine; leave it out with --device"
        )));
    }
    let patience = Duration::from_secs(args.patience);
    match Lenders::connect(&args.devices, token, patience) {
        Ok(lenders) => Ok(Some(lenders)),
        Err(error @ (LenderError::Address(_) | LenderError::Twice(_))) => Err(usage(error)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(feature = "remote"))]
fn lenders(_: &Args, _: model::Precision) -> Result<Option<Lenders>, Failure> {
    Ok(None)
}
