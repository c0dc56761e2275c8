//! `checkpoint.json`.

use std::{collections::BTreeMap, path::Path};

use data::{CLASSES, InkLimits, Normalization, SplitDigest};
use evaluation::Calibration;
use serde::{Deserialize, Serialize};

use super::CheckpointError;
use crate::network::NetworkConfig;

/// The version of the format that this program writes, and the newest that it reads.
pub const FORMAT_VERSION: u64 = 1;

/// Everything about a checkpoint but its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format.
    pub version: u64,
    /// The network that the weights belong to.
    pub architecture: NetworkConfig,
    /// How raw bytes become the network's input.
    pub normalization: Normalization,
    /// The names of the ten classes, in the order of the logits.
    pub classes: Vec<String>,
    /// How logits become probabilities and decisions, fitted on the validation images; training
    /// checkpoints have none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Between which limits the ink of the validation images lies; an image beyond them is unlike a
    /// digit and goes to a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ink: Option<InkLimits>,
    /// What was measured on which split, such as `validation.accuracy`, as fractions.
    pub metrics: BTreeMap<String, f64>,
    /// Where the weights come from.
    pub provenance: Provenance,
    /// The state of the training run, if training can go on from this checkpoint. Its shape is the
    /// trainer's business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<serde_json::Value>,
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
    /// The versions of the software.
    pub versions: Versions,
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
    /// Reads a manifest; `path` is named in errors.
    ///
    /// # Errors
    /// [`CheckpointError::Newer`] for a version that this program doesn't know, and
    /// [`CheckpointError::Invalid`] for anything that doesn't describe a network.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, CheckpointError> {
        let invalid = |problem: String| CheckpointError::Invalid {
            path: path.to_owned(),
            // It may quote what it found; the message stays one line.
            problem: problem.replace(char::is_control, " "),
        };
        // The version comes first: a newer format may differ in everything else.
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let Version { version } = serde_json::from_slice(bytes)
            .map_err(|error| invalid(format!("no format version: {error}")))?;
        if version > FORMAT_VERSION {
            return Err(CheckpointError::Newer {
                path: path.to_owned(),
                found: version,
            });
        }
        let manifest: Manifest =
            serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
        manifest.check().map_err(invalid)?;
        Ok(manifest)
    }

    /// The manifest as it is written: JSON for people, with a newline at the end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    fn check(&self) -> Result<(), String> {
        if self.version == 0 {
            return Err("format version 0 does not exist".into());
        }
        self.architecture
            .validate()
            .map_err(|error| error.to_string())?;
        if self.classes.len() != CLASSES {
            return Err(format!(
                "{} class names for {CLASSES} classes",
                self.classes.len()
            ));
        }
        match &self.calibration {
            Some(calibration) if calibration.classes != CLASSES => Err(format!(
                "a calibration of {} classes for {CLASSES}",
                calibration.classes
            )),
            _ => Ok(()),
        }
    }
}
