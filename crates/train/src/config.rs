//! The recipe of a run: a strict TOML file, changes from the command line, and the resolved copy in
//! the run folder.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use data::{Augmentation, ImageShape};
use evaluation::CalibrationConfig;
use model::{NetworkConfig, PictureInput};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::{Table, Value};

use crate::keys::{KEYS, meant};

/// The recipe that is used when none is named: `configs/default.toml`, compiled in so that the
/// program works from any folder.
pub const DEFAULT_RECIPE: &str = include_str!("../../../configs/default.toml");

/// Everything that decides the outcome of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The seed of all randomness: weights, split, order, augmentation, dropout.
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
}

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
    /// Train on this many images only, for a quick look: drawn by the seed, each label in the
    /// proportion that it has among the training images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
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
    /// The last epochs see the images as they are, without augmentation.
    #[serde(default)]
    pub plain_epochs: usize,
    /// Stop after this many epochs in a row without a gain in validation accuracy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// A rise in validation accuracy counts as a gain if it is more than this fraction.
    #[serde(default)]
    pub min_gain: f64,
    /// Start no further epoch that would probably end after this many seconds of training, counted anew
    /// when a run is resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_budget: Option<f64>,
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

/// No recipe is larger than this many bytes.
const LIMIT: u64 = 1 << 20;
/// No data set has more images.
const MOST_IMAGES: usize = data::idx::MAX_ITEMS as usize;

impl Config {
    /// Reads a recipe, or takes the default one, and applies `key=value` changes.
    ///
    /// # Errors
    /// Names the file and the key; for an unknown key, the nearest known one.
    pub fn load(path: Option<&Path>, changes: &[String]) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Self::parse(DEFAULT_RECIPE, "configs/default.toml", changes);
        };
        let read = |path: &Path| {
            let mut bytes = Vec::new();
            File::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
            match bytes.len() as u64 {
                0..=LIMIT => utf8(bytes).map_err(io::Error::other),
                _ => Err(io::Error::other("larger than a megabyte")),
            }
        };
        let text = read(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, &path.display().to_string(), changes)
    }

    /// Parses the text of a recipe and applies `key=value` changes; `origin` is named in errors.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn parse(text: &str, origin: &str, changes: &[String]) -> Result<Self, ConfigError> {
        // The text is checked as it stands first, so that an error can point to its line.
        let config: Config = toml::from_str(text).map_err(|error| ConfigError::Parse {
            origin: origin.to_owned(),
            problem: explain(&error, text),
        })?;
        let mut table = Table::try_from(&config).map_err(|error| ConfigError::Parse {
            origin: origin.to_owned(),
            problem: error.to_string(),
        })?;
        let mut config = config;
        for change in changes {
            let failed = |problem: String| ConfigError::Parse {
                origin: format!("--set {change}"),
                problem,
            };
            let (key, value) = change
                .split_once('=')
                .ok_or_else(|| failed("expected key=value, such as training.epochs=3".into()))?;
            let key = key.trim();
            set(&mut table, key, value.trim()).map_err(failed)?;
            config = table
                .clone()
                .try_into()
                .map_err(|error: toml::de::Error| failed(refused(key, &error)))?;
        }
        config.validate()?;
        Ok(config)
    }

    /// The recipe as TOML text.
    ///
    /// # Errors
    /// If TOML can't hold a value: a path that is not UTF-8.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string(self).map_err(|error| ConfigError::Unwritable(error.to_string()))
    }

    fn validate(&self) -> Result<(), ConfigError> {
        self.network.validate()?;
        if let Some(augmentation) = self.data.augmentation {
            augmentation
                .validate()
                .map_err(|error| ConfigError::Value {
                    key: "data.augmentation",
                    problem: error.to_string(),
                })?;
        }
        let TrainingConfig {
            epochs,
            batch_size,
            min_gain,
            time_budget,
            patience,
            ..
        } = self.training;
        let OptimizerConfig {
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            weight_decay,
        } = self.optimizer;
        let CalibrationConfig {
            target_risk,
            confidence_level,
            ref conformal_levels,
            in_distribution_share,
        } = self.calibration;
        let between = |value: f64| value > 0.0 && value < 1.0;
        // Weights are computed with 32 bits, in which the next number below 1 is 1 - 6e-8.
        let decay = |beta: f64| (0.0..1.0).contains(&(beta as f32));
        let positive = |value: f64| value as f32 > 0.0 && (value as f32).is_finite();
        let warmup = match self.schedule {
            ScheduleConfig::OneCycle { warmup } => warmup,
            ScheduleConfig::Constant {} => 0.0,
        };
        for (right, key, problem) in [
            (
                (1..=100_000).contains(&epochs),
                "training.epochs",
                "must be 1 to 100000",
            ),
            (
                (1..=65_536).contains(&batch_size),
                "training.batch_size",
                "must be 1 to 65536",
            ),
            (
                min_gain.is_finite() && min_gain >= 0.0,
                "training.min_gain",
                "must be 0 or more",
            ),
            (
                patience != Some(0),
                "training.patience",
                "must be 1 or more; leave it out to never stop early",
            ),
            (
                time_budget.is_none_or(positive),
                "training.time_budget",
                "must be more than 0 seconds",
            ),
            (
                self.data
                    .channels
                    .is_none_or(|channels| [1, 3].contains(&channels)),
                "data.channels",
                "must be 1 (grey) or 3 (colour)",
            ),
            (
                self.data.size.is_none_or(|size| {
                    size.iter()
                        .all(|side| (1..=ImageShape::MAX_SIDE).contains(side))
                }),
                "data.size",
                "must be height and width, 1 to 256 pixels each",
            ),
            (
                self.data.limit != Some(0),
                "data.limit",
                "must be 1 or more; leave it out for all images",
            ),
            (
                positive(learning_rate),
                "optimizer.learning_rate",
                "must be more than 0, and finite in 32 bits",
            ),
            (
                decay(beta_1),
                "optimizer.beta_1",
                "must be at least 0 and below 1",
            ),
            (
                decay(beta_2),
                "optimizer.beta_2",
                "must be at least 0 and below 1",
            ),
            (
                positive(epsilon),
                "optimizer.epsilon",
                "must be more than 0, also in 32 bits",
            ),
            (
                weight_decay.is_finite() && weight_decay >= 0.0,
                "optimizer.weight_decay",
                "must be 0 or more",
            ),
            // Found now rather than when the training is done.
            (
                between(target_risk),
                "calibration.target_risk",
                "must be between 0 and 1",
            ),
            (
                between(confidence_level),
                "calibration.confidence_level",
                "must be between 0 and 1",
            ),
            (
                conformal_levels.iter().all(|&level| between(level)),
                "calibration.conformal_levels",
                "must be between 0 and 1",
            ),
            (
                between(in_distribution_share) || in_distribution_share == 1.0,
                "calibration.in_distribution_share",
                "must be above 0 and at most 1",
            ),
            (
                (0.0..=1.0).contains(&warmup),
                "schedule.warmup",
                "must be 0 to 1",
            ),
        ] {
            if !right {
                return Err(ConfigError::Value {
                    key,
                    problem: problem.into(),
                });
            }
        }
        // A promise takes so many images, all of them right.
        let least = |images: usize| {
            let images = images.clamp(2, MOST_IMAGES) - 1;
            -((1.0 - confidence_level).ln() / images as f64).exp_m1()
        };
        if target_risk < least(MOST_IMAGES) {
            let validation = self.data.validation;
            return Err(ConfigError::Value {
                key: "calibration.target_risk",
                problem: format!(
                    "{target_risk:e} is less than any data set could promise, {:.1e} is the least; with \
                     the {validation} images of data.validation it is {:.1e}",
                    least(MOST_IMAGES),
                    least(validation),
                ),
            });
        }
        Ok(())
    }
}

/// The text of a recipe; an error says in words what else it is.
fn utf8(bytes: Vec<u8>) -> Result<String, &'static str> {
    const UTF_16: &str = "it is text in UTF-16, save it as UTF-8";
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(UTF_16);
    }
    match String::from_utf8(bytes) {
        // Latin letters in two bytes each.
        Ok(text) if text.contains('\0') => Err(UTF_16),
        Ok(text) => Ok(text),
        Err(_) => Err("it is not text in UTF-8, save it as UTF-8"),
    }
}

/// Sets a dotted key to a TOML value; what is no TOML value is taken as a string.
fn set(table: &mut Table, key: &str, value: &str) -> Result<(), String> {
    let parsed: Option<Table> = toml::from_str(&format!("value = {value}")).ok();
    let value = parsed
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.to_owned()));
    let mut parts: Vec<_> = key.split('.').collect();
    let last = parts
        .pop()
        .filter(|last| !last.is_empty())
        .ok_or("the key is empty")?;
    if !value.is_table() && sections().any(|section| section == key) {
        let keys: Vec<_> = KEYS
            .into_iter()
            .filter(|known| known.strip_prefix(key).is_some_and(|k| k.starts_with('.')))
            .collect();
        return Err(format!(
            "`{key}` is a section; its keys are {}",
            keys.join(", ")
        ));
    }
    let mut table = table;
    for part in parts {
        let entry = table
            .entry(part)
            .or_insert_with(|| Value::Table(Table::new()));
        table = entry
            .as_table_mut()
            .ok_or_else(|| format!("`{part}` is a value, not a section"))?;
    }
    if key == "schedule.kind" && table.get(last) != Some(&value) {
        // What belongs to one kind is nothing to another, which has defaults.
        table.clear();
    }
    table.insert(last.to_owned(), value);
    Ok(())
}

/// The names of the tables: `data`, `data.augmentation`, …
fn sections() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter()
        .filter_map(|key| Some(key.rsplit_once('.')?.0))
}

/// Says why a key can't be set: it doesn't exist, and which was meant, or what is wrong with its value.
fn refused(key: &str, error: &toml::de::Error) -> String {
    let is_section = |name: &str| sections().any(|section| section == name);
    if !error.message().starts_with("unknown field") || is_section(key) {
        return explain(error, "");
    }
    if KEYS.contains(&key) {
        return format!("there is no `{key}` with this schedule.kind; set the kind first");
    }
    // Where the name of the section is what is wrong, the nearest is a section.
    let section = key.rsplit_once('.').map(|(section, _)| section);
    if section.is_some_and(|name| !is_section(name))
        && nearest(error.message()).is_some_and(is_section)
    {
        return explain(error, "");
    }
    match meant(key) {
        Some(known) => format!("there is no key `{key}`; did you mean `{known}`?"),
        None => explain(error, ""),
    }
}

/// One line: where, what, and for an unknown key the nearest of the known ones.
fn explain(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().trim().replace(char::is_control, " ");
    let line = error
        .span()
        .filter(|_| !text.is_empty())
        .map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    let place = line.map_or(String::new(), |line| format!("line {line}: "));
    let hint =
        nearest(&message).map_or(String::new(), |known| format!("; did you mean `{known}`?"));
    format!("{place}{message}{hint}")
}

/// The name that was probably meant where serde says "unknown field `x`, expected one of `a`, `b`": a
/// similar one of those, or else a key of another section.
fn nearest(message: &str) -> Option<&str> {
    if !message.starts_with("unknown") || message.ends_with("there are no fields") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    let similar = quoted
        .map(|known| (strsim::jaro_winkler(unknown, known), known))
        .filter(|(similarity, _)| *similarity > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match similar {
        Some((similarity, known)) if similarity > 0.85 => Some(known),
        _ if message.starts_with("unknown field") => {
            meant(unknown).or(similar.map(|(_, known)| known))
        }
        _ => similar.map(|(_, known)| known),
    }
}
