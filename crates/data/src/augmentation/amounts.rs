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
    pub fn amounts(&self) -> [(&'static str, f64, f64); 15] {
        [
            ("rotation", self.rotation, limits::ROTATION),
            ("shift", self.shift, limits::SHIFT),
            ("zoom", self.zoom, limits::ZOOM),
            ("stretch", self.stretch, limits::ZOOM),
            ("shear", self.shear, limits::SHEAR),
            ("elastic", self.elastic, limits::ELASTIC),
            ("stroke", self.stroke, limits::STROKE),
            ("resolution", self.resolution, limits::RESOLUTION),
            ("blur", self.blur, limits::BLUR),
            ("binarize", self.binarize, limits::SHARE),
            ("contrast", self.contrast, limits::BRIGHTNESS),
            ("shade", self.shade, limits::BRIGHTNESS),
            ("noise", self.noise, limits::HALF),
            ("crop", self.crop, limits::HALF),
            ("styles", self.styles, limits::SHARE),
        ]
    }

    /// One kind by itself, by the name of its field; nothing for another name.
    pub fn only(&self, name: &str) -> Self {
        let Self {
            rotation,
            shift,
            zoom,
            stretch,
            shear,
            elastic,
            stroke,
            resolution,
            blur,
            binarize,
            contrast,
            shade,
            noise,
            crop,
            styles,
        } = *self;
        let none = Self::NONE;
        match name {
            "rotation" => Self { rotation, ..none },
            "shift" => Self { shift, ..none },
            "zoom" => Self { zoom, ..none },
            "stretch" => Self { stretch, ..none },
            "shear" => Self { shear, ..none },
            "elastic" => Self { elastic, ..none },
            "stroke" => Self { stroke, ..none },
            "resolution" => Self { resolution, ..none },
            "blur" => Self { blur, ..none },
            "binarize" => Self { binarize, ..none },
            "contrast" => Self { contrast, ..none },
            "shade" => Self { shade, ..none },
            "noise" => Self { noise, ..none },
            "crop" => Self { crop, ..none },
            "styles" => Self { styles, ..none },
            _ => none,
        }
    }
}
