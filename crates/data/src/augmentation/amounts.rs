//! The kinds by name, and how much of each there may be.

use super::Augmentation;
use crate::DataError;

/// The greatest amount of each kind.
pub(super) mod limits {
    pub(crate) const ROTATION: f64 = 180.0;
    pub(crate) const SHIFT: f64 = 1.0;
    pub(crate) const ZOOM: f64 = 0.9;
    pub(crate) const SHEAR: f64 = 60.0;
    pub(crate) const ELASTIC: f64 = 0.2;
    pub(crate) const STROKE: f64 = 3.0;
    pub(crate) const RESOLUTION: f64 = 0.9;
    pub(crate) const BLUR: f64 = 4.0;
    pub(crate) const SHARE: f64 = 1.0;
    pub(crate) const BRIGHTNESS: f64 = 0.9;
    pub(crate) const HALF: f64 = 0.5;
}

impl Augmentation {
    /// Checks each amount against its range.
    ///
    /// # Errors
    ///
    /// [`DataError::Augmentation`] names the first that lies outside, or is not a number.
    pub fn validate(&self) -> Result<(), DataError> {
        for (name, value, limit) in self.amounts() {
            if !(0.0..=limit).contains(&value) {
                return Err(DataError::Augmentation { name, value, limit });
            }
        }
        Ok(())
    }

    /// The name, the amount and the greatest amount of each kind, in the order of the fields.
    pub fn amounts(&self) -> [(&'static str, f64, f64); 16] {
        let mut copy = *self;
        copy.fields()
            .map(|(name, value, most)| (name, *value, most))
    }

    /// One kind by itself, by the name of its field; nothing for another name.
    pub fn only(&self, name: &str) -> Self {
        let mut only = *self;
        for (field, value, _) in only.fields() {
            if field != name {
                *value = 0.0;
            }
        }
        only
    }

    fn fields(&mut self) -> [(&'static str, &mut f64, f64); 16] {
        [
            ("rotation", &mut self.rotation, limits::ROTATION),
            ("shift", &mut self.shift, limits::SHIFT),
            ("zoom", &mut self.zoom, limits::ZOOM),
            ("stretch", &mut self.stretch, limits::ZOOM),
            ("shear", &mut self.shear, limits::SHEAR),
            ("elastic", &mut self.elastic, limits::ELASTIC),
            ("stroke", &mut self.stroke, limits::STROKE),
            ("outline", &mut self.outline, limits::SHARE),
            ("resolution", &mut self.resolution, limits::RESOLUTION),
            ("blur", &mut self.blur, limits::BLUR),
            ("binarize", &mut self.binarize, limits::SHARE),
            ("contrast", &mut self.contrast, limits::BRIGHTNESS),
            ("shade", &mut self.shade, limits::BRIGHTNESS),
            ("noise", &mut self.noise, limits::HALF),
            ("crop", &mut self.crop, limits::HALF),
            ("styles", &mut self.styles, limits::SHARE),
        ]
    }
}
