//! What a recipe says of further images.

use std::path::PathBuf;

use data::SplitDigest;
use serde::{Deserialize, Serialize};

/// A set of `data.also`: its folder alone, or a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "AlsoTyped")]
pub struct AlsoConfig {
    /// The folder, in any form that `data.dir` may have.
    pub dir: PathBuf,
    /// How often each of its training images is shown in an epoch, where one of the main set is shown once:
    /// as often as the whole part says, and of the fraction as large a part of them, drawn by seed and epoch.
    pub weight: f64,
    /// The digests of its training images, filled in when the run begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<SplitDigest>,
    /// Those of its test images, if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<SplitDigest>,
}

/// [`AlsoConfig`] as it may be typed.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "data.also holds folders: \"DIR\" or { dir = \"DIR\", weight = 1.0 }"
)]
enum AlsoTyped {
    Dir(PathBuf),
    Set(AlsoSet),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlsoSet {
    dir: PathBuf,
    #[serde(default = "once")]
    weight: f64,
    #[serde(default)]
    train: Option<SplitDigest>,
    #[serde(default)]
    judge: Option<SplitDigest>,
}

fn once() -> f64 {
    1.0
}

impl From<AlsoTyped> for AlsoConfig {
    fn from(typed: AlsoTyped) -> Self {
        match typed {
            AlsoTyped::Dir(dir) => Self {
                dir,
                weight: once(),
                train: None,
                judge: None,
            },
            AlsoTyped::Set(AlsoSet {
                dir,
                weight,
                train,
                judge,
            }) => Self {
                dir,
                weight,
                train,
                judge,
            },
        }
    }
}

/// `data.calibrate_on`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CalibrateOn {
    /// The validation images.
    #[default]
    Validation,
    /// The test images of `data.also`, with a target risk that as many can certify.
    Also,
}
