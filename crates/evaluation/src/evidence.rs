//! What is known of an image, and whether that is like what is known of the calibration's images.

use crate::scores::argmax;
use crate::{DistanceLimit, EnergyLimit, PixelLimits, Pixels};

/// What is known of an image: all that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The scores of the classes, shape `[classes]`.
    pub logits: &'a [f64],
    /// What the network saw on the way to them, shape `[features]`. Where the calibration has a
    /// distance, an image without its features is not accepted.
    pub features: &'a [f32],
    /// The image itself. Where the calibration has limits on pixels, an image without them is not
    /// accepted.
    pub pixels: Option<Pixels<'a>>,
}

impl<'a> From<&'a [f64]> for Evidence<'a> {
    /// Logits and nothing else.
    fn from(logits: &'a [f64]) -> Self {
        Self {
            logits,
            features: &[],
            pixels: None,
        }
    }
}

impl<'a, const N: usize> From<&'a [f64; N]> for Evidence<'a> {
    fn from(logits: &'a [f64; N]) -> Self {
        Self::from(&logits[..])
    }
}

/// What an image must keep to in order to count as one like those of the calibration. Without a limit
/// on the distance the features don't matter, without limits on the pixels the pixels don't.
#[derive(Clone, Copy)]
pub(crate) struct Limits<'a> {
    pub(crate) energy: &'a EnergyLimit,
    pub(crate) distance: Option<&'a DistanceLimit>,
    pub(crate) pixels: Option<&'a PixelLimits>,
}

impl Limits<'_> {
    /// Whether an image is within all of them.
    pub(crate) fn hold(self, evidence: &Evidence<'_>) -> bool {
        let near = |limit: &DistanceLimit| limit.holds(argmax(evidence.logits), evidence.features);
        let within =
            |limits: &PixelLimits| evidence.pixels.is_some_and(|pixels| limits.hold(pixels));
        self.energy.holds(evidence.logits)
            && self.distance.is_none_or(near)
            && self.pixels.is_none_or(within)
    }
}
