//! A calibration as `train` would have fitted it, on other images.

use anyhow::anyhow;
use data::{Augmentation, LabelledImages};
use evaluation::{Calibration, CalibrationConfig};
use model::{Beside, Classifier, Manifest, Seen};
use report::Unseen;
use serde_json::Value;

/// What the classifier makes of the images.
pub fn seen(classifier: &Classifier, unseen: &Unseen) -> anyhow::Result<Seen> {
    let images = unseen.images.chosen(&unseen.indices);
    let images = images.ok_or_else(|| anyhow!("{}: no images", unseen.source))?;
    Ok(Seen::new(classifier, images)?)
}

/// The values of the recipe that a checkpoint was calibrated by, or the usual ones.
pub fn recorded(manifest: &Manifest) -> CalibrationConfig {
    let stated = manifest.provenance.config.get("calibration");
    let config = stated.and_then(|stated| serde_json::from_value(stated.clone()).ok());
    config.unwrap_or_default()
}

/// Fits as `train` does: with copies in other hands where the recipe has them. And what is to be known of where the
/// limit on the distance comes from.
pub fn fit(
    classifier: &Classifier,
    unseen: &Unseen,
    seen: &Seen,
    config: &CalibrationConfig,
) -> anyhow::Result<(Calibration, Option<String>)> {
    let manifest = classifier.manifest();
    let recipe = &manifest.provenance.config;
    let stated = recipe.pointer("/data/validation_augmentation").cloned();
    let kinds: Option<Augmentation> = stated.and_then(|kinds| serde_json::from_value(kinds).ok());
    let digits = manifest.picture.shows_digits(unseen.images.classes());
    let kinds = kinds.unwrap_or_default().suiting(digits);
    let seed = recipe.get("seed").and_then(Value::as_u64);
    let seed = seed.unwrap_or(manifest.provenance.seed);
    let copies: Option<LabelledImages> = match kinds.is_identity() {
        true => None,
        false => unseen.images.augmented(&kinds, &unseen.indices, seed),
    };
    let copies = copies
        .map(|images| Seen::new(classifier, images))
        .transpose()?;
    let beside = copies.as_ref().map_or(Beside::Nothing, Beside::Augmented);
    let calibration = seen.calibrate(beside, config, None)?;
    if calibration.distance.is_some() {
        return Ok((calibration, None));
    }
    let known = manifest.calibration.as_ref();
    let known = known.and_then(|calibration| calibration.distance.as_ref());
    let calibration = seen.calibrate(beside, config, known)?;
    let few = "so few images can't tell the covariance of the networks' features: ";
    let note = match calibration.distance {
        Some(_) => "means and covariance of the distance are those that the checkpoint had",
        None => "there is no limit on the distance",
    };
    Ok((calibration, Some(format!("{few}{note}"))))
}
