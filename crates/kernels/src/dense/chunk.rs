//! What one thread does of a dense layer.

use std::borrow::Cow;

use pulp::{Simd, WithSimd};

use crate::{
    bf16::PairFilters,
    chunks::run,
    conv::tiles::{BLOCK, Filters, Grid, Packed, add_dense, multiply},
    norm::{Affine, Moments, Tail, add_moments, add_sums, apply},
    scratch::{Buffer, Scratch},
    simd::{Isa, padded},
};

/// Rows of the batch that are added to the weight gradient at a time: few enough that their memory pages
/// and cache lines stay at hand while the tiles go over them again and again.
pub(super) const PANEL: usize = 64;

/// The weight, ready for the forward pass.
pub(super) enum Matrix<'a> {
    /// `[inputs, stride]`, for products in `f32`.
    F32(Cow<'a, [f32]>),
    /// For products in bf16.
    Bf16(PairFilters),
}

impl<'a> Matrix<'a> {
    pub(super) fn new(isa: Isa, weight: &'a [f32], outputs: usize) -> Self {
        let stride = padded(outputs, isa.lanes());
        let matrix = pack_matrix(weight, outputs, isa.lanes());
        match isa.bf16() {
            Some(bf16) => Self::Bf16(PairFilters::of_matrix(bf16, &matrix, stride)),
            None => Self::F32(matrix),
        }
    }
}

/// The weight with rows padded to whole vectors.
fn pack_matrix(weight: &[f32], outputs: usize, lanes: usize) -> Cow<'_, [f32]> {
    let stride = padded(outputs, lanes);
    if stride == outputs {
        return Cow::Borrowed(weight);
    }
    let mut matrix = vec![0.0; weight.len() / outputs * stride];
    let rows = matrix.chunks_exact_mut(stride);
    for (to, from) in rows.zip(weight.chunks_exact(outputs)) {
        to[..outputs].copy_from_slice(from);
    }
    Cow::Owned(matrix)
}

/// The transposed weight for the input gradient: inputs become the vector.
pub(super) fn pack_transposed(isa: Isa, weight: &[f32], [inputs, outputs]: [usize; 2]) -> Filters {
    let lanes = isa.lanes();
    let width = padded(inputs, lanes);
    if let Some(bf16) = isa.bf16() {
        return Filters::Bf16(PairFilters::of_transposed(bf16, weight, outputs, width));
    }
    let mut weights = Buffer::zeroed(width * outputs);
    let blocks = weights.slice(width * outputs);
    let jobs = blocks
        .chunks_mut(BLOCK * lanes * outputs)
        .zip(weight.chunks(BLOCK * lanes * outputs))
        .collect();
    run(jobs, |(to, from): (&mut [f32], &[f32])| {
        let width = to.len() / outputs;
        for (i, row) in from.chunks_exact(outputs).enumerate() {
            for (to, from) in to[i..].iter_mut().step_by(width).zip(row) {
                *to = *from;
            }
        }
    });
    Filters::Direct(Packed {
        weights,
        taps: outputs,
        kernel: 1,
    })
}

/// Matrix product of some rows.
pub(super) struct ProductChunk<'a> {
    pub(super) sizes: [usize; 2],
    pub(super) input: &'a [f32],
    pub(super) matrix: &'a Matrix<'a>,
    pub(super) map: Option<&'a Affine>,
    pub(super) output: &'a mut [f32],
    pub(super) scratch: &'a mut Scratch,
}

impl WithSimd for ProductChunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [inputs, outputs] = self.sizes;
        let grid = rows(
            self.input.len() / inputs,
            inputs,
            padded(outputs, S::F32_LANES),
        );
        let Scratch {
            conv,
            tiles: [pairs, _],
            ..
        } = self.scratch;
        let product = conv.slice(grid.columns * grid.stride);
        match self.matrix {
            Matrix::F32(matrix) => multiply(simd, grid, self.input, matrix, product),
            Matrix::Bf16(filters) => filters.convolve(grid, 0..1, self.input, pairs, product),
        }
        match self.map {
            Some(map) => apply(simd, map, (product, grid.stride), (self.output, outputs)),
            None => {
                let to = self.output.chunks_exact_mut(outputs);
                for (to, from) in to.zip(product.chunks_exact(grid.stride)) {
                    to.copy_from_slice(&from[..outputs]);
                }
            }
        }
    }
}

/// A matrix as an image of one row.
pub(super) fn rows(columns: usize, column_len: usize, stride: usize) -> Grid {
    Grid {
        rows: 1,
        columns,
        row_len: 0,
        column_len,
        stride,
    }
}

/// Statistics of some rows.
pub(super) struct MomentsChunk<'a> {
    pub(super) values: &'a [f32],
    pub(super) channels: usize,
}

impl WithSimd for MomentsChunk<'_> {
    type Output = Moments;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Moments {
        let mut moments = Moments::default();
        let values = (self.values, self.channels);
        add_moments(simd, values, self.channels, &mut moments);
        moments
    }
}

/// Gradient by the matrix product for some rows, `[rows, stride]`, and its sum.
pub(super) struct GradChunk<'a> {
    pub(super) channels: usize,
    pub(super) tail: Tail<'a>,
    pub(super) output_grad: &'a [f32],
    pub(super) grads: &'a mut [f32],
    pub(super) shift_sum: &'a mut [f32],
}

impl WithSimd for GradChunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.channels;
        let stride = self.shift_sum.len();
        let to = (&mut *self.grads, stride);
        self.tail.grad(simd, true, self.output_grad, channels, to);
        add_sums(simd, self.grads, stride, self.shift_sum);
    }
}

/// Weight gradient for some inputs over the whole batch.
pub(super) struct WeightGradChunk<'a> {
    pub(super) inputs: usize,
    /// The first input.
    pub(super) first: usize,
    pub(super) input: &'a [f32],
    pub(super) grads: &'a [f32],
    pub(super) stride: usize,
    /// Overwritten, `[some inputs, stride]`.
    pub(super) sum: &'a mut [f32],
}

impl WithSimd for WeightGradChunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let taps = self.sum.len() / self.stride;
        self.sum.fill(0.0);
        let grads = self.grads.chunks(PANEL * self.stride);
        for (grads, input) in grads.zip(self.input.chunks(PANEL * self.inputs)) {
            let grid = rows(grads.len() / self.stride, self.inputs, self.stride);
            add_dense(simd, grid, [1, taps], &input[self.first..], grads, self.sum);
        }
    }
}

/// Input gradient of some rows.
pub(super) struct InputGradChunk<'a> {
    pub(super) inputs: usize,
    pub(super) stride: usize,
    pub(super) filters: &'a Filters,
    pub(super) grads: &'a [f32],
    pub(super) input_grad: &'a mut [f32],
    pub(super) scratch: &'a mut Scratch,
}

impl WithSimd for InputGradChunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = padded(self.inputs, S::F32_LANES);
        let grid = rows(self.grads.len() / self.stride, self.stride, width);
        let Scratch { conv, tiles, .. } = self.scratch;
        if width == self.inputs {
            let to = self.input_grad;
            self.filters
                .convolve(simd, grid, 0..1, self.grads, tiles, to);
            return;
        }
        let product = conv.slice(grid.columns * width);
        let filters = self.filters;
        filters.convolve(simd, grid, 0..1, self.grads, tiles, product);
        let to = self.input_grad.chunks_exact_mut(self.inputs);
        for (to, from) in to.zip(product.chunks_exact(width)) {
            to.copy_from_slice(&from[..self.inputs]);
        }
    }
}
