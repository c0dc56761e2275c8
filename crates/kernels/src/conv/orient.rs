//! The sign of filters under a max-pool that comes after a factor.

use std::{borrow::Cow, ops::Neg};

use crate::norm::Normalization;

/// Changes the sign of the filters of all channels with a negative factor.
pub(crate) fn flip_filters(factors: &[f32], weight: &mut [f32]) {
    let filter_len = weight.len() / factors.len();
    for (filter, factor) in weight.chunks_exact_mut(filter_len).zip(factors) {
        if *factor < 0.0 {
            filter.iter_mut().for_each(|value| *value = -*value);
        }
    }
}

/// A block whose pool may take the maximum although the normalization comes before it.
///
/// Where `gamma` is negative, the largest normalized value is the smallest of the convolution. There the
/// filter changes its sign, and the normalization then scales by the magnitude of `gamma`.
pub(super) struct Oriented<'a> {
    pub(super) weight: Cow<'a, [f32]>,
    gamma: Cow<'a, [f32]>,
    pub(super) flipped: bool,
}

impl<'a> Oriented<'a> {
    pub(super) fn new(weight: &'a [f32], norm: &Normalization<'a>, before_pool: bool) -> Self {
        let mut oriented = Self {
            weight: Cow::Borrowed(weight),
            gamma: Cow::Borrowed(norm.gamma),
            flipped: before_pool && norm.gamma.iter().any(|gamma| *gamma < 0.0),
        };
        if oriented.flipped {
            flip_filters(norm.gamma, oriented.weight.to_mut());
            oriented.gamma = norm.gamma.iter().map(|gamma| gamma.abs()).collect();
        }
        oriented
    }

    pub(super) fn norm<'b>(&'b self, norm: &Normalization<'b>) -> Normalization<'b> {
        Normalization {
            gamma: &self.gamma,
            ..*norm
        }
    }

    /// Translates values per channel between the oriented block and the given one, in either direction.
    pub(super) fn flip<T: Copy + Neg<Output = T>>(
        &self,
        norm: &Normalization<'_>,
        values: &mut [T],
    ) {
        if !self.flipped {
            return;
        }
        for (value, gamma) in values.iter_mut().zip(norm.gamma) {
            if *gamma < 0.0 {
                *value = -*value;
            }
        }
    }
}
