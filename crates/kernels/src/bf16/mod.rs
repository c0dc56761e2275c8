//! Products in bf16, which a processor with AVX-512 BF16 adds to `f32` sums two at a time.
//!
//! Weights, activations and gradients stay `f32` in memory. What goes into a product is rounded to bf16 just
//! before, an image at a time: an image is read by many tiles.

mod filters;
#[cfg(target_arch = "x86_64")]
pub(crate) mod pairs;
#[cfg(target_arch = "x86_64")]
pub(crate) mod product;
#[cfg(target_arch = "x86_64")]
pub(crate) mod weight_grad;

/// Floats in one vector, and pairs in one.
const LANES: usize = 16;

pub(crate) use filters::{PairFilters, pays, pooled_weight_grad, weight_grad};

#[cfg(target_arch = "x86_64")]
pub(crate) use crate::isa_entry::Bf16;
#[cfg(not(target_arch = "x86_64"))]
pub(crate) use absent::Bf16;

/// What stands in for the instructions where no processor has them.
#[cfg(not(target_arch = "x86_64"))]
mod absent {
    use std::ops::Range;

    use crate::conv::tiles::Grid;

    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Bf16 {}

    impl Bf16 {
        pub(crate) fn detect() -> Option<Self> {
            None
        }

        pub(crate) fn zip(self, _: &[f32], _: &[f32], _: &mut [u32]) {
            match self {}
        }

        pub(crate) fn zip_columns(self, _: &[f32], _: [usize; 3], _: usize, _: &mut [u32]) {
            match self {}
        }

        pub(crate) fn neighbours(self, _: &[f32], _: usize, _: &mut [u32]) {
            match self {}
        }

        pub(crate) fn unpool(self, _: &[f32], _: &[u32], _: usize, _: usize, _: &mut [u32]) {
            match self {}
        }

        pub(crate) fn convolve(
            self,
            _: Grid,
            _: Range<usize>,
            _: &[u32],
            _: &[u32],
            _: [usize; 2],
            _: &mut [f32],
        ) {
            match self {}
        }

        pub(crate) fn add_dense(self, _: Grid, _: [usize; 2], _: &[u32], _: &[u32], _: &mut [f32]) {
            match self {}
        }
    }
}
