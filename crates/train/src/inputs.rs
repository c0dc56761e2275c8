//! Which images a run learns from, and what is made of them.

use std::io::{IsTerminal, stderr};

use data::{
    Augmentation, DataError, FolderOptions, LabelledImages, Observer, Source, Spec, Split, mnist,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::{PictureInput, Shapes};

use crate::{Args, Config, Failure, failure::usage, progress::say};

/// So many images tell whether a set is in MNIST's frame.
const FRAMES: usize = 1000;

/// Where the images come from.
pub(crate) fn source(args: &Args, config: &Config) -> Source {
    let options = FolderOptions {
        transpose: config.data.transpose,
        size: config.data.size,
        channels: config.data.channels,
        seed: config.split_seed(),
    };
    match &config.data.dir {
        Some(dir) if args.download => Source::Download {
            cache: dir.clone(),
            mirrors: args.mirrors.clone(),
        },
        Some(dir) => Source::Folder(dir.clone(), options),
        None => Source::Bundled,
    }
}

/// What is wrong with the images, and which option names others.
pub(crate) fn unreadable(error: DataError) -> anyhow::Error {
    match error {
        DataError::NoFolder { .. } | DataError::Missing { .. } | DataError::Download { .. } => {
            anyhow::anyhow!("{error} (--data-dir says which)")
        }
        DataError::FeatureMissing { feature } => {
            anyhow::anyhow!("{error}: cargo build -p train --release --features {feature}")
        }
        other => other.into(),
    }
}

/// Divides the images that may be learned from.
pub(crate) fn split(config: &Config, images: &LabelledImages) -> Result<Split, Failure> {
    let (labels, asked) = (images.labels(), config.data.validation);
    let validation = Split::held_out(asked, labels.len(), config.data.dir.is_none());
    if validation != asked {
        say(format_args!(
            "note: data.validation is {asked}, of {} images: {validation} are held out instead",
            labels.len()
        ));
    }
    let mut split = data::split(labels, validation, config.split_seed())?;
    if let Some(limit) = config.data.limit {
        split.limit_training(labels, limit, config.split_seed());
    }
    let mut left = vec![false; images.classes().len()];
    for &index in &split.train {
        left[usize::from(images.label(index as usize))] = true;
    }
    match left.iter().position(|left| !left) {
        Some(class) if config.data.limit.is_none() => Err(anyhow::anyhow!(
            "class `{}` has no image to train on: add images of it, or hold out fewer by data.validation",
            images.classes().name(class)
        )
        .into()),
        _ => Ok(split),
    }
}

/// Checks the network against the images that it is for.
pub(crate) fn shapes(config: &Config, spec: &Spec) -> Result<Shapes, Failure> {
    let network = &config.network;
    let shapes = network
        .shapes(spec.shape, spec.classes.len())
        .map_err(usage)?;
    if config.training.batch_size == 1 && network.normalizes_single_values(&shapes) {
        return Err(usage(anyhow::anyhow!(
            "training.batch_size: must be 2 or more where network.norm normalizes a single value of each \
             feature: of one image it makes zeros, and nothing is learned"
        )));
    }
    Ok(shapes)
}

/// Refuses a single image from which nothing is learned.
pub(crate) fn check_single(config: &Config, shapes: &Shapes, split: &Split) -> Result<(), Failure> {
    if split.train.len() == 1 && config.network.normalizes_single_values(shapes) {
        return Err(usage(anyhow::anyhow!(
            "there is a single image to train on, of which network.norm makes zeros, so that nothing is \
             learned; train on more, or with --set network.norm=false"
        )));
    }
    Ok(())
}

/// How pictures become images: where the recipe leaves it open, framed as MNIST's were where the training
/// images are.
pub(crate) fn picture(config: &Config, images: &LabelledImages) -> PictureInput {
    if let Some(picture) = config.data.picture {
        return picture;
    }
    let tried = images.len().min(FRAMES);
    let framed = |index: &usize| mnist::is_framed(images.image(*index));
    let framed = (0..tried).filter(framed).count();
    match images.shape() == mnist::SHAPE && 10 * framed >= 9 * tried {
        true => PictureInput::Framed,
        false => PictureInput::Whole,
    }
}

/// Whether the images are of the ten digits, as far as can be told.
pub(crate) fn shows_digits(images: &LabelledImages, picture: PictureInput) -> bool {
    picture.shows_digits(images.classes())
}

/// An augmentation without what belongs to digits alone, where there are others.
pub(crate) fn pens(kinds: Option<Augmentation>, digits: bool) -> Augmentation {
    kinds.unwrap_or_default().suiting(digits)
}

/// The first of many names.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let more = names.len().saturating_sub(SHOWN);
    let first = names[..names.len() - more].join(", ");
    match more {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Shows on standard error how the reading of pictures goes on.
pub(crate) struct Reading {
    bar: ProgressBar,
    quiet: bool,
}

impl Reading {
    pub(crate) fn new(part: &str, quiet: bool) -> Self {
        let target = match quiet || !stderr().is_terminal() {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(10),
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template = format!("[{{bar:24}}] {{pos}}/{{len}} {part} pictures  {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Reading { bar, quiet }
    }
}

impl Observer for Reading {
    fn progress(&self, done: usize, total: usize) {
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
        if done == total {
            self.bar.finish_and_clear();
        }
    }

    fn note(&self, sentence: String) {
        // What is left out matters to the quiet, too.
        if !self.quiet || sentence.starts_with("left out") {
            say(sentence);
        }
    }
}
