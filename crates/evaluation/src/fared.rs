//! How other images than those of the certificate fare under a calibration.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};

/// How augmented validation images fared under a calibration whose limits they were among the images for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fared {
    /// Images.
    pub n: u64,
    /// Those whose likeliest class is their label.
    pub right: u64,
    /// Those that were accepted, before any limits on pixels.
    pub accepted: u64,
    /// Those of the accepted that are wrong.
    pub errors: u64,
}

impl Fared {
    /// Counts one more image.
    pub(crate) fn count(&mut self, accepted: bool, right: bool) {
        self.n += 1;
        self.right += u64::from(right);
        self.accepted += u64::from(accepted);
        self.errors += u64::from(accepted && !right);
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        let Self {
            n,
            right,
            accepted,
            errors,
        } = *self;
        let counts = errors <= accepted && accepted <= n && right <= n;
        let expected = "at least `errors` and at most `n`";
        Error::check(counts, "augmented.accepted", accepted as f64, expected)
    }
}

impl Display for Fared {
    /// As a part of a sentence for people.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            n,
            accepted,
            errors,
            ..
        } = self;
        write!(
            f,
            "{accepted} of {n} augmented held-out images accepted, {errors} of them wrong"
        )
    }
}
