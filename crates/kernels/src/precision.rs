//! What products are computed in.

use std::fmt::{self, Display, Formatter};

use crate::{bf16::Bf16, error::Error, simd::Isa};

/// What the products of a layer are computed in. Sums, weights and all else are `f32`.
///
/// In bf16, products are twice as fast at best, and what goes into them keeps 8 bits of its 24: that is
/// forward and backward passes of layers, where every output has a gradient. What stays in `f32`: the
/// gradients after a max-pool, where only the winners have one; the products with an image of an odd number of
/// channels, if they are fewer than 16; whatever runs on Burn's own operations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Precision(Option<Bf16>);

impl Precision {
    /// Products in `f32`, on any processor.
    pub const F32: Self = Self(None);

    /// Products in bf16, summed in `f32`.
    ///
    /// # Errors
    ///
    /// [`Error::Bf16`] if the processor has no AVX-512 BF16.
    pub fn bf16() -> Result<Self, Error> {
        match Bf16::detect().filter(|_| Isa::best().lanes() == 16) {
            Some(bf16) => Ok(Self(Some(bf16))),
            None => Err(Error::Bf16),
        }
    }

    pub(crate) fn instructions(self) -> Option<Bf16> {
        self.0
    }
}

impl Display for Precision {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "bf16" } else { "f32" })
    }
}
