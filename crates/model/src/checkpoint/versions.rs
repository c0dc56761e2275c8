//! Reading manifests: every version of the format that there ever was.

use std::{collections::BTreeMap, path::Path};

use data::{Normalization, mnist};
use evaluation::{Calibration, PixelLimits};
use serde::{Deserialize, de::IgnoredAny};

use super::CheckpointError;
use super::manifest::{FORMAT_VERSION, Manifest, PictureInput, Provenance};
use crate::config::NetworkConfig;
use crate::views::Views;

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
            members: Option<IgnoredAny>,
            views: Option<IgnoredAny>,
        }
        let Version {
            version,
            members,
            views,
        } = serde_json::from_slice(bytes)
            .map_err(|error| invalid(format!("no format version: {error}")))?;
        if version > FORMAT_VERSION {
            return Err(CheckpointError::Newer {
                path: path.to_owned(),
                found: version,
            });
        }
        for (key, stated) in [("members", members), ("views", views)] {
            if stated.is_some() != (version > 2) {
                return Err(invalid(match version {
                    1 | 2 => format!("version {version} has no key `{key}`"),
                    _ => format!("missing field `{key}`"),
                }));
            }
        }
        let read = match version {
            1 => serde_json::from_slice(bytes).map(Version1::today),
            _ => serde_json::from_slice(bytes),
        };
        let manifest: Manifest = read.map_err(|error| invalid(error.to_string()))?;
        if version == 1 && !manifest.classes.iter().eq(&DIGITS) {
            return Err(invalid(
                "version 1 has the classes 0 to 9 and no others".into(),
            ));
        }
        manifest.check().map_err(invalid)?;
        Ok(manifest)
    }
}

/// The classes of the first version.
const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// The first version: ten digits of 28×28 and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Version1 {
    version: u64,
    architecture: NetworkConfig,
    normalization: Normalization,
    classes: Vec<String>,
    #[serde(default)]
    calibration: Option<Calibration>,
    /// Limits on the pixels, outside of the calibration.
    #[serde(default)]
    ink: Option<PixelLimits>,
    metrics: BTreeMap<String, f64>,
    provenance: Provenance,
    #[serde(default)]
    training: Option<serde_json::Value>,
}

impl Version1 {
    /// What it means today.
    fn today(self) -> Manifest {
        let Version1 {
            version,
            architecture,
            normalization,
            classes,
            calibration,
            ink,
            metrics,
            provenance,
            training,
        } = self;
        Manifest {
            version,
            architecture,
            members: 1,
            views: Views::One,
            input: mnist::SHAPE,
            picture: PictureInput::Framed,
            normalization,
            classes,
            labels: None,
            calibration: calibration.map(|calibration| Calibration {
                pixels: ink,
                ..calibration
            }),
            calibrated_on: None,
            metrics,
            provenance,
            training,
        }
    }
}
