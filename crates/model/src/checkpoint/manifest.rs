//! `checkpoint.json`.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
};

use data::{Classes, ImageShape, Normalization, Spec, SplitDigest};
use evaluation::{Calibration, DistanceLimit};
use serde::{Deserialize, Serialize};

use crate::config::NetworkConfig;
use crate::precision::Precision;
use crate::shapes::Shapes;
use crate::summary::Summary;
use crate::views::Views;

/// The version of the format that this program writes, and the newest that it reads.
pub const FORMAT_VERSION: u64 = 3;

/// The most networks that a checkpoint holds.
pub const MAX_MEMBERS: usize = 64;

/// Everything about a checkpoint but its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format that it was read in; it is written in the newest.
    pub version: u64,
    /// The network that the weights belong to.
    pub architecture: NetworkConfig,
    /// How many such networks there are; their probabilities are averaged. Versions 1 and 2 had one.
    #[serde(default = "one")]
    pub members: usize,
    /// The views of an image on which probabilities are averaged. Versions 1 and 2 had one.
    #[serde(default)]
    pub views: Views,
    /// The shape of the images that it takes.
    pub input: ImageShape,
    /// How a picture of any size becomes such an image.
    pub picture: PictureInput,
    /// How raw bytes become the network's input.
    pub normalization: Normalization,
    /// The names of the classes, in the order of the logits.
    pub classes: Vec<String>,
    /// What the files of the data set call the classes, where that isn't 0, 1, 2, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<u16>>,
    /// How logits become probabilities and decisions, fitted on images that were held out from training;
    /// training checkpoints have none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Which images the calibration was fitted on, where that was done after training; without it, on those that
    /// the recipe says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated_on: Option<CalibratedOn>,
    /// What was measured on which split, such as `validation.accuracy`, as fractions.
    pub metrics: BTreeMap<String, f64>,
    /// Where the weights come from.
    pub provenance: Provenance,
    /// The state of the training run, if training can go on from this checkpoint. Its shape is the
    /// trainer's business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<serde_json::Value>,
}

fn one() -> usize {
    1
}

/// How a picture of any size becomes an input: decided when the network was trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureInput {
    /// The one symbol in it is found and brought into MNIST's frame.
    Framed,
    /// All of it is scaled to the size of the input, keeping its proportions.
    Whole,
}

impl PictureInput {
    /// Whether images of these classes are of the ten digits, as far as can be told: the classes are called 0 to
    /// 9, which other sets have as well, and pictures are framed as MNIST's were.
    pub fn shows_digits(self, classes: &Classes) -> bool {
        classes.are_digits() && self == PictureInput::Framed
    }
}

/// Where weights come from: enough to train them again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The seed of all randomness.
    pub seed: u64,
    /// The resolved configuration of the run.
    pub config: serde_json::Value,
    /// The files that the run was trained on.
    pub data: DataDigests,
    /// The backend that computed.
    pub backend: String,
    /// What it computed the products of training in: `f32` where it isn't named.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// The versions of the software.
    pub versions: Versions,
}

impl Provenance {
    /// What computed, for people.
    pub fn computed_on(&self) -> String {
        let Self {
            backend, precision, ..
        } = self;
        match precision {
            Precision::F32 => backend.clone(),
            Precision::Bf16 => format!("{backend}, products in {precision}"),
        }
    }
}

/// The data of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataDigests {
    /// Where the files came from, in words.
    pub source: String,
    /// SHA-256 of the uncompressed training files.
    pub train: SplitDigest,
}

/// The images that a calibration was fitted on after training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibratedOn {
    /// Where the files came from, in words.
    pub source: String,
    /// Which part of them, such as `test`.
    pub part: String,
    /// SHA-256 of the uncompressed files of that part.
    pub data: SplitDigest,
    /// How many of its images calibrated.
    pub images: u64,
    /// How many didn't, because the networks had learned from them.
    pub left_out: u64,
    /// The backend that computed.
    pub backend: String,
    /// The versions of the software.
    pub versions: Versions,
}

impl Display for CalibratedOn {
    /// As a part of a sentence for people.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            part,
            images,
            left_out,
            ..
        } = self;
        write!(f, "{images} images of {source} ({part}")?;
        match left_out {
            0 => write!(f, ")"),
            _ => write!(f, "; {left_out} that were learned from are left out)"),
        }
    }
}

/// The versions of the software that wrote a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// This project.
    pub digits: String,
    /// Burn.
    pub burn: String,
}

impl Versions {
    /// The versions of this build.
    pub fn current() -> Self {
        Versions {
            digits: env!("CARGO_PKG_VERSION").to_owned(),
            burn: "0.22.1".to_owned(),
        }
    }
}

impl Manifest {
    /// The manifest as it is written: JSON for people, with a newline at the end.
    ///
    /// # Errors
    /// None that its types allow.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let newest = Manifest {
            version: FORMAT_VERSION,
            ..self.clone()
        };
        let mut json = serde_json::to_vec_pretty(&newest)?;
        json.push(b'\n');
        Ok(json)
    }

    /// What images the network is for.
    ///
    /// # Errors
    /// If the classes can't be: a manifest that was read has been checked.
    pub fn spec(&self) -> Result<Spec, data::DataError> {
        let classes = match &self.labels {
            Some(labels) => Classes::new(self.classes.clone(), labels.clone()),
            None => Classes::named(self.classes.clone()),
        };
        Ok(Spec {
            shape: self.input,
            classes: classes?,
        })
    }

    /// The shapes between the layers of the network.
    ///
    /// # Errors
    /// If they don't fit: a manifest that was read has been checked.
    pub fn shapes(&self) -> Result<Shapes, crate::ConfigError> {
        self.architecture.shapes(self.input, self.classes.len())
    }

    /// The layer table of one network; empty where the shapes don't fit.
    pub fn summary(&self) -> Summary {
        match self.shapes() {
            Ok(shapes) => Summary::new(&self.architecture, &shapes),
            Err(_) => Summary { layers: Vec::new() },
        }
    }

    /// The number of learned parameters, of all networks together.
    pub fn parameters(&self) -> usize {
        self.members * self.summary().parameters()
    }

    /// Multiply-adds for one image, of all networks on all views.
    pub fn multiply_adds(&self) -> usize {
        self.members * self.views.count() * self.summary().multiply_adds()
    }

    /// Whether the networks of another checkpoint can look at the same images and answer with the same
    /// classes as this one's.
    pub(crate) fn is_akin_to(&self, other: &Self) -> bool {
        let of = |manifest: &Self| {
            let Manifest {
                architecture,
                input,
                normalization,
                classes,
                labels,
                views,
                ..
            } = manifest.clone();
            (architecture, input, normalization, classes, labels, views)
        };
        of(self) == of(other)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.version == 0 {
            return Err("format version 0 does not exist".into());
        }
        if !(1..=MAX_MEMBERS).contains(&self.members) {
            return Err(format!("members must be 1 to {MAX_MEMBERS}"));
        }
        if self.training.is_some() && self.members != 1 {
            return Err("training goes on with one network, not with several members".into());
        }
        self.shapes().map_err(|error| error.to_string())?;
        self.spec().map_err(|error| error.to_string())?;
        let channels = self.normalization.mean.len();
        if channels != self.input.channels {
            return Err(format!(
                "a normalization of {channels} channels for images of {}",
                self.input
            ));
        }
        let classes = self.classes.len();
        let Some(calibration) = &self.calibration else {
            return match self.calibrated_on {
                Some(_) => Err("images of a calibration that isn't there".into()),
                None => Ok(()),
            };
        };
        if calibration.classes != classes {
            return Err(format!(
                "a calibration of {} classes for {classes}",
                calibration.classes
            ));
        }
        let blocks = self.architecture.blocks.last();
        let channels = blocks.map_or(self.input.channels, |block| block.channels);
        let features = self.members * channels;
        let distance = calibration.distance.as_ref();
        let fits = |limit: &DistanceLimit| {
            (limit.members, limit.whitening.len()) == (self.members, features)
        };
        if !distance.is_none_or(fits) {
            return Err(format!(
                "its distance is not for the {features} channels of its networks"
            ));
        }
        Ok(())
    }
}
