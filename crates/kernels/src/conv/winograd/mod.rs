//! Convolutions of 3x3 with fewer multiplications: Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray,
//! 2015, arXiv 1509.09308, section 4.1).
//!
//! Two neighbouring outputs of a filter of three taps share two of their four inputs, and four products give
//! both where the definition takes six: `y = At [(G w) * (Bt d)]`, the product taken value by value. Over rows
//! and columns a tile of 4x4 inputs gives 2x2 outputs with 16 products instead of 36. For each of these 16
//! places the products over all tiles and channels are a matrix product,
//! `[tiles, in_channels] x [in_channels, out_channels]`, which the register tiles of the convolution compute.
//!
//! The gradient by the filter follows from the same formula: `G (A dy * Bt d)`, transposed where it must be.
//! That by the input is a convolution itself. `Bt`, `A` and their like only add and subtract, so sums are as
//! exact as those of the definition within a few units in the last place. A value that is not finite spoils all
//! four outputs of its tiles, not only those that see it.

mod filters;
mod transforms;

pub(crate) use filters::{transform_filters, untransform_gradient};

use pulp::Simd;

use super::{
    forward::{Grid, multiply},
    weight_grad::add_dense,
};
use crate::scratch::Buffer;
use transforms::{GradsTransform, InputTransform, OutputTransform};

/// Places of a transformed tile.
pub(crate) const PLACES: usize = 16;

/// Tiles of 2x2 outputs that cover `size` rows or columns.
pub(crate) fn tiles(size: usize) -> usize {
    size.div_ceil(2)
}

/// Rows or columns of input under the tiles of `size` rows or columns of outputs.
pub(crate) fn under_tiles(size: usize) -> usize {
    2 * tiles(size) + 2
}

/// Convolves an image into `output`, `[rows, columns, stride]`. The rows of the image reach over all tiles, see
/// [`under_tiles`]; `filters` come from [`transform_filters`].
#[inline(always)]
pub(crate) fn convolve_tiles<S: Simd>(
    simd: S,
    grid: Grid,
    input: &[f32],
    filters: &Buffer,
    [transformed, products]: [&mut Buffer; 2],
    output: &mut [f32],
) {
    let (channels, stride) = (grid.column_len, grid.stride);
    let count = tiles(grid.rows) * tiles(grid.columns);
    let transformed = transformed.slice(PLACES * count * channels);
    let products = products.slice(PLACES * count * stride);
    simd.vectorize(InputTransform {
        grid,
        input,
        to: transformed,
    });
    let product = Grid {
        rows: 1,
        columns: count,
        row_len: 0,
        column_len: channels,
        stride,
    };
    for place in 0..PLACES {
        multiply(
            simd,
            product,
            &transformed[place * count * channels..][..count * channels],
            &filters.values()[place * channels * stride..][..channels * stride],
            &mut products[place * count * stride..][..count * stride],
        );
    }
    simd.vectorize(OutputTransform {
        grid,
        products,
        to: output,
    });
}

/// Adds the gradient by the transformed filters, `[place][in_channel][out_channel]`. `grads` has rows of
/// `row_len` values.
#[inline(always)]
pub(crate) fn add_filter_gradient<S: Simd>(
    simd: S,
    grid: Grid,
    input: &[f32],
    (grads, row_len): (&[f32], usize),
    [transformed, transformed_grads]: [&mut Buffer; 2],
    sum: &mut [f32],
) {
    let (channels, stride) = (grid.column_len, grid.stride);
    let count = tiles(grid.rows) * tiles(grid.columns);
    let transformed = transformed.slice(PLACES * count * channels);
    let transformed_grads = transformed_grads.slice(PLACES * count * stride);
    simd.vectorize(InputTransform {
        grid,
        input,
        to: transformed,
    });
    simd.vectorize(GradsTransform {
        grid,
        grads,
        row_len,
        to: transformed_grads,
    });
    let product = Grid {
        rows: 1,
        columns: count,
        row_len: 0,
        column_len: channels,
        stride,
    };
    for place in 0..PLACES {
        add_dense(
            simd,
            product,
            [1, channels],
            &transformed[place * count * channels..][..count * channels],
            &transformed_grads[place * count * stride..][..count * stride],
            &mut sum[place * channels * stride..][..channels * stride],
        );
    }
}
