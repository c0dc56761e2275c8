//! What one thread does of a normalization over a batch.

use pulp::{Simd, WithSimd};

use super::{
    Affine, GradSums, NormGrad,
    vector::{add_grad_sums, apply},
};

/// Applies a map, padded to whole vectors, to values `[positions, channels]`.
pub(crate) struct MapChunk<'a> {
    pub(crate) map: &'a Affine,
    pub(crate) channels: usize,
    pub(crate) from: &'a [f32],
    pub(crate) to: &'a mut [f32],
}

impl WithSimd for MapChunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (from, to) = ((self.from, self.channels), (self.to, self.channels));
        apply(simd, self.map, from, to);
    }
}

/// Sums for the gradient of a normalization, added up image by image.
pub(crate) struct SumsChunk<'a> {
    pub(crate) norm: &'a NormGrad,
    pub(crate) channels: usize,
    /// Values of one image.
    pub(crate) image: usize,
    pub(crate) values: &'a [f32],
    pub(crate) grads: &'a [f32],
}

impl WithSimd for SumsChunk<'_> {
    type Output = GradSums;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> GradSums {
        let mut sums = GradSums::zeros(self.channels);
        let images = self.values.chunks_exact(self.image);
        for (values, grads) in images.zip(self.grads.chunks_exact(self.image)) {
            add_grad_sums(simd, self.norm, values, grads, self.channels, &mut sums);
        }
        sums
    }
}
