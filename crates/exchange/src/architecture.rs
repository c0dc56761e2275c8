//! What a file of weights doesn't say of a network, as a file: `config.json` of an export, or a TOML file
//! that somebody wrote.

use std::{collections::BTreeMap, path::Path};

use data::{Classes, ImageShape, Normalization};
use model::{Manifest, NetworkConfig, PictureInput, Views, checkpoint::FORMAT_VERSION};
use serde::{Deserialize, Serialize};

use crate::ExchangeError;

/// The file's usual name in an export.
pub const CONFIG_JSON: &str = "config.json";

/// What `model_type` says in a `config.json`.
const MODEL_TYPE: &str = "digits";

/// Everything about a network but its weights and its calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// `digits`, where it is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model_type: Option<String>,
    /// The layers: the table `[network]` of a recipe.
    pub network: NetworkConfig,
    /// The shape of the images that it takes.
    pub input: ImageShape,
    /// How raw bytes become the network's input.
    pub normalization: Normalization,
    /// The names of the classes in the order of the logits, or how many there are: 0, 1, 2, …
    pub classes: ClassNames,
    /// What the files of the data set call the classes, where that isn't 0, 1, 2, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<u16>>,
    /// How a picture of any size becomes such an image.
    pub picture: PictureInput,
    /// How many such networks there are.
    #[serde(default = "one")]
    pub members: usize,
    /// The views of an image on which probabilities are averaged.
    #[serde(default)]
    pub views: Views,
    /// What the file of weights calls layers or tensors, by the names that they have here: `"output" = "fc2"`
    /// or `"output.weight" = "fc2.weight"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
}

/// The classes of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassNames {
    /// So many, called 0, 1, 2, …
    Count(usize),
    /// By name.
    Names(Vec<String>),
}

fn one() -> usize {
    1
}

impl Architecture {
    /// That of a checkpoint.
    pub fn of(manifest: &Manifest) -> Self {
        Architecture {
            model_type: Some(MODEL_TYPE.to_owned()),
            network: manifest.architecture.clone(),
            input: manifest.input,
            normalization: manifest.normalization.clone(),
            classes: ClassNames::Names(manifest.classes.clone()),
            labels: manifest.labels.clone(),
            picture: manifest.picture,
            members: manifest.members,
            views: manifest.views,
            names: BTreeMap::new(),
        }
    }

    /// Reads one: JSON if the path says so, TOML otherwise.
    ///
    /// # Errors
    /// [`ExchangeError::Invalid`] with the key that is wrong or missing.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ExchangeError> {
        let invalid = |problem: String| ExchangeError::Invalid {
            path: path.to_owned(),
            problem: format!(
                "{}; docs/exchange.md has one to begin with",
                problem.trim().replace(char::is_control, " ")
            ),
        };
        let json = path
            .extension()
            .is_some_and(|extension| extension == "json");
        let read: Self = match json {
            true => serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?,
            false => toml::from_str(text).map_err(|error: toml::de::Error| {
                let key = error.span().and_then(|span| {
                    let line = text.get(..span.start)?.lines().count().max(1);
                    Some(format!("line {line}: "))
                });
                invalid(format!("{}{}", key.unwrap_or_default(), error.message()))
            })?,
        };
        match &read.model_type {
            Some(other) if other != MODEL_TYPE => {
                let other = other.escape_debug();
                Err(invalid(format!("it is of a network of type \"{other}\"")))
            }
            _ => Ok(read),
        }
    }

    /// As `config.json`.
    ///
    /// # Errors
    /// None that its types allow.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// The manifest of an uncalibrated checkpoint of such a network; `path` is named in errors.
    ///
    /// # Errors
    /// [`ExchangeError::Invalid`] if there is no such network.
    pub(crate) fn manifest(
        &self,
        provenance: model::Provenance,
        path: &Path,
    ) -> Result<Manifest, ExchangeError> {
        let invalid = |problem: String| ExchangeError::Invalid {
            path: path.to_owned(),
            problem: problem.replace(char::is_control, " "),
        };
        let classes = match &self.classes {
            ClassNames::Names(names) => names.clone(),
            ClassNames::Count(count) if (2..=Classes::MAX).contains(count) => {
                (0..*count).map(|class| class.to_string()).collect()
            }
            ClassNames::Count(count) => {
                let most = Classes::MAX;
                return Err(invalid(format!(
                    "classes: 2 to {most} there may be, not {count}"
                )));
            }
        };
        let manifest = Manifest {
            version: FORMAT_VERSION,
            architecture: self.network.clone(),
            members: self.members,
            views: self.views,
            input: self.input,
            picture: self.picture,
            normalization: self.normalization.clone(),
            classes,
            labels: self.labels.clone(),
            calibration: None,
            calibrated_on: None,
            metrics: BTreeMap::new(),
            provenance,
            training: None,
        };
        // Reading it checks it.
        let json = manifest
            .to_json()
            .map_err(|error| invalid(error.to_string()))?;
        Manifest::parse(&json, path).map_err(|error| match error {
            model::CheckpointError::Invalid { problem, .. } => invalid(problem),
            error => error.into(),
        })
    }
}
