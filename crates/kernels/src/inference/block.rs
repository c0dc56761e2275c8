//! One block of a network: its filters packed for the algorithm that suits them.

use pulp::Simd;

use super::{direct::Direct, tail::Place, winograd::Winograd};
use crate::{conv::Geometry, norm::Affine, scratch::Buffer};

/// Convolution, max-pool and map, ready to run.
pub(super) struct Block {
    pub(super) geometry: Geometry,
    filters: Filters,
    /// Padded to whole vectors.
    map: Affine,
}

enum Filters {
    Direct(Direct),
    Winograd(Winograd),
}

/// What a thread keeps between two passes over an image.
#[derive(Default)]
pub(super) struct Workspace {
    /// Tiles of the input, transformed.
    pub(super) tiles: Buffer,
    /// Their products with the filters.
    pub(super) products: Buffer,
}

impl Block {
    /// Packs `[out_channels, in_channels, kernel, kernel]`.
    pub(super) fn new(geometry: Geometry, weight: &[f32], map: &Affine, lanes: usize) -> Self {
        let filters = match Winograd::suits(&geometry) {
            true => Filters::Winograd(Winograd::new(&geometry, weight, lanes)),
            false => Filters::Direct(Direct::new(&geometry, weight, lanes)),
        };
        Self {
            geometry,
            filters,
            map: map.padded(lanes),
        }
    }

    /// Where its input goes: a buffer, zero where the border is, and the place within.
    pub(super) fn input<'a>(&self, buffer: &'a mut Buffer) -> (&'a mut [f32], Place) {
        let Geometry {
            width,
            in_channels,
            padding,
            ..
        } = self.geometry;
        let values = buffer.slice(self.bordered_len());
        if padding > 0 {
            values.fill(0.0);
        }
        (values, Place::bordered(width, in_channels, padding))
    }

    /// Values of an input with its border.
    pub(super) fn bordered_len(&self) -> usize {
        self.geometry.bordered_size()[0] * self.geometry.row_len()
    }

    /// Computes one image, `[height, width, in_channels]` with its border, into its place.
    #[inline(always)]
    pub(super) fn run<S: Simd>(
        &self,
        simd: S,
        input: &[f32],
        (output, place): (&mut [f32], Place),
        workspace: &mut Workspace,
    ) {
        let Self { geometry, map, .. } = self;
        match &self.filters {
            Filters::Direct(direct) => direct.run(simd, geometry, map, input, (output, place)),
            Filters::Winograd(winograd) => {
                winograd.run(simd, geometry, map, input, (output, place), workspace);
            }
        }
    }
}
