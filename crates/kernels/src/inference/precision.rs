//! What a network computes with, by name.

use std::{fmt, str::FromStr};

use crate::Error;

/// What a network computes with when it learns no more. On a command line it is its name: `f32` or `int8`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floating point numbers, as in training: any processor.
    #[default]
    F32,
    /// Weights and activations of a byte: several times as fast and a little less accurate. Needs a processor with
    /// AVX-512 VNNI.
    Int8,
}

impl Precision {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let known = [Self::F32, Self::Int8];
        let named = known.into_iter().find(|precision| precision.name() == name);
        named.ok_or_else(|| Error::Precision(name.to_owned()))
    }
}
