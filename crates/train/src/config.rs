//! The recipe of a run: a strict TOML file, changes from the command line, and the resolved copy in
//! the run folder.

use std::path::PathBuf;

use data::{Augmentation, Random};
use evaluation::CalibrationConfig;
use model::{NetworkConfig, PictureInput, Precision, Views};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use crate::also::{AlsoConfig, CalibrateOn};

/// The recipe that is used when none is named: `configs/default.toml`, compiled in so that the
/// program works from any folder.
pub const DEFAULT_RECIPE: &str = include_str!("../../../configs/default.toml");

/// Everything that decides the outcome of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The seed of all randomness: weights, split, order, augmentation, dropout, the members' seeds.
    pub seed: u64,
    /// The backend's name; chosen when the run starts if the recipe leaves it open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Which images are trained on.
    pub data: DataConfig,
    /// The network.
    pub network: NetworkConfig,
    /// How long and in which portions.
    pub training: TrainingConfig,
    /// The steps.
    pub optimizer: OptimizerConfig,
    /// The learning rate over time.
    pub schedule: ScheduleConfig,
    /// How doubtful images are told apart, after training; the defaults are those of
    /// [`CalibrationConfig`].
    #[serde(default)]
    pub calibration: CalibrationConfig,
    /// How the trained network looks at an image.
    #[serde(default)]
    pub inference: InferenceConfig,
}

impl Config {
    /// The seed that draws which images validate, are trained on at all, or are held out for testing.
    pub fn split_seed(&self) -> u64 {
        self.data.split_seed.unwrap_or(self.seed)
    }

    /// The same recipe where its files lie elsewhere, as `other` has it: digests tell whether they are the same.
    pub(crate) fn where_files_are(mut self, other: &Self) -> Self {
        self.data.dir.clone_from(&other.data.dir);
        self.training
            .start_from
            .clone_from(&other.training.start_from);
        for (set, other) in self.data.also.iter_mut().zip(&other.data.also) {
            set.dir.clone_from(&other.dir);
        }
        self
    }

    /// The recipe of a member, counted from 0: that of one network with a seed of its own and the same
    /// split. The first one has the seed of the recipe itself.
    pub fn member(&self, member: usize) -> Self {
        if self.training.members == 1 {
            return self.clone();
        }
        let mut config = self.clone();
        config.training.members = 1;
        let weights = self.training.start_weights.get(member);
        config.training.start_weights = weights.cloned().into_iter().collect();
        config.data.split_seed = Some(self.split_seed());
        if member > 0 {
            let drawn = Random::keyed(&[MEMBER, self.seed, member as u64]).next_u64();
            // Short enough to be typed, and for the numbers of any reader of JSON.
            config.seed = drawn >> 32;
        }
        config
    }
}

/// Keeps the seeds of the members apart from the other uses of the seed.
const MEMBER: u64 = u64::from_be_bytes(*b"member\0\0");

/// `[data]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The folder with IDX files or pictures by class; without it, MNIST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// Images held out from the training images to choose on. Where that were half of them or more, a
    /// fifth is.
    pub validation: usize,
    /// Draws the split in place of the seed, which draws everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
    /// Whether IDX files hold rows and columns exchanged; by default as their names tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transpose: Option<bool>,
    /// Height and width that pictures by class are brought to; 32×32 by default. IDX files state it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// Channels that pictures by class are brought to, 1 or 3; by default 1 where all are grey. IDX
    /// files state it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// How `digits predict` makes an image of a picture: by default `framed`, as MNIST was made, where
    /// the training images are in MNIST's frame, else `whole`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<PictureInput>,
    /// How copies of the validation images are changed that the limits on energy, distance and ink are
    /// fitted on as well, so that what is as legible in another hand isn't called unlikely; without it, there
    /// are none. The certificate is that of the images as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_augmentation: Option<Augmentation>,
    /// More labelled images to train on, of the same shape and classes. Their test images are never trained
    /// on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<AlsoConfig>,
    /// Which images the confidence is calibrated on.
    #[serde(default)]
    pub calibrate_on: CalibrateOn,
    /// Train on this many images only, for a quick look: drawn by the seed, each label in the
    /// proportion that it has among the training images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Images of no digit that are shown in training for each digit, 0 to 1: turned, mirrored, cut and joined
    /// digits and scribbles, of which the network learns to be unsure. Without effect where the classes are
    /// not the ten digits.
    #[serde(default)]
    pub negatives: f64,
    /// How training images are bent; without it, not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub augmentation: Option<Augmentation>,
}

/// `[training]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step.
    pub batch_size: usize,
    /// Networks that are trained, each with random numbers of its own; their probabilities are averaged.
    #[serde(default = "one")]
    pub members: usize,
    /// The checkpoint that training begins with in place of random weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_from: Option<PathBuf>,
    /// The SHA-256 of the weights that each member begins with, filled in when the run begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub start_weights: Vec<String>,
    /// The last epochs see the images as they are, without augmentation.
    #[serde(default)]
    pub plain_epochs: usize,
    /// Stop after this many epochs in a row without a gain in validation accuracy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// A rise in validation accuracy counts as a gain if it is more than this fraction.
    #[serde(default)]
    pub min_gain: f64,
    /// The decay, per step, of an exponential moving average of the weights, which is what is validated and
    /// published; without it, that is the weights themselves.
    /// A run of fewer than 9 / (1 − decay) steps ends before it is reached, see
    /// [`effective_decay`](crate::average::effective_decay).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema_decay: Option<f64>,
    /// What products are computed in while the network learns; weights and sums are f32. What is validated,
    /// calibrated and examined is computed in f32.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// Start no further epoch that would probably end after this many seconds of training, counted anew
    /// when a run is resumed; each member has as many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_budget: Option<f64>,
    /// Write event files for TensorBoard into the run folder; with members, each into its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tensorboard: bool,
}

fn one() -> usize {
    1
}

impl TrainingConfig {
    /// The first epoch (from 1) without augmentation; one after the last if there is none.
    pub fn plain_from(&self) -> usize {
        self.epochs - self.plain_epochs.min(self.epochs) + 1
    }
}

/// `[optimizer]`: AdamW (Loshchilov and Hutter 2019).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The learning rate; with a schedule, its peak.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta_1: f64,
    /// Decay of the second moment.
    pub beta_2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay, per unit of learning rate.
    pub weight_decay: f64,
}

/// `[schedule]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// The same rate at every step.
    Constant {},
    /// Up to the peak in a straight line, then down to zero along a cosine (after Smith and Topin
    /// 2017, "Super-Convergence").
    OneCycle {
        /// The share of all steps that lead up to the peak; 0.3 where it isn't named.
        #[serde(default = "warmup")]
        warmup: f64,
    },
}

fn warmup() -> f64 {
    0.3
}

/// `[inference]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InferenceConfig {
    /// The views of an image on which probabilities are averaged: 1, the image itself, 5 with its shifts
    /// by one pixel, or 9 with the diagonals.
    #[serde(default)]
    pub views: Views,
}

/// A recipe that can't be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{path}: can't read the recipe: {source}", path = .path.display())]
    Read {
        /// The recipe.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The text isn't a recipe.
    #[error("{origin}: {problem}")]
    Parse {
        /// The file, or the argument.
        origin: String,
        /// Where and what, and the nearest right thing.
        problem: String,
    },
    /// A value is out of its range.
    #[error("{key}: {problem}")]
    Value {
        /// The dotted key.
        key: &'static str,
        /// What would be right.
        problem: String,
    },
    /// TOML can't hold a value.
    #[error("the recipe can't be kept in config.toml: {0} (is the name of the data folder UTF-8?)")]
    Unwritable(String),
    /// The architecture can't be built.
    #[error(transparent)]
    Network(#[from] model::ConfigError),
}
