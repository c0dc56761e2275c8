//! What a network's products are computed in while it learns.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

/// What a network's products are computed in while it learns. Weights and sums are `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits, on any processor.
    #[default]
    F32,
    /// 16 bits with the exponents of 32 (bfloat16), on processors with AVX-512 BF16.
    Bf16,
}

impl Precision {
    /// What a manifest or a recipe needn't say.
    pub fn is_f32(&self) -> bool {
        *self == Precision::F32
    }

    /// What [`Network::with_precision`](crate::Network::with_precision) takes.
    ///
    /// # Errors
    /// If this processor has no such products.
    pub fn products(self) -> Result<kernels::Precision, kernels::Error> {
        match self {
            Precision::F32 => Ok(kernels::Precision::F32),
            Precision::Bf16 => kernels::Precision::bf16(),
        }
    }
}

impl Display for Precision {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        })
    }
}
