//! What one thread does of a dense layer.

use std::borrow::Cow;

use pulp::{Simd, WithSimd};

use crate::{
    chunks::run,
    conv::tiles::{BLOCK, Grid, Packed, add_dense, convolve, multiply},
    norm::{Affine, Moments, Tail, add_moments, add_sums, apply},
    scratch::{Buffer, Scratch},
    simd::{Isa, padded},
};

/// Rows of the batch that are added to the weight gradient at a time: few enough that their memory pages
/// and cache lines stay at hand while the tiles go over them again and again.
const PANEL: usize = 64;

/// The weight with rows padded to whole vectors.
pub(super) fn pack_matrix(weight: &[f32], outputs: usize, lanes: usize) -> Cow<'_, [f32]> {
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
pub(super) fn pack_transposed(isa: Isa, weight: &[f32], [inputs, outputs]: [usize; 2]) -> Packed {
    let lanes = isa.lanes();
    let width = padded(inputs, lanes);
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
    Packed {
        weights,
        taps: outputs,
        kernel: 1,
    }
}

/// Matrix product of some rows.
pub(super) struct ProductChunk<'a> {
    pub(super) sizes: [usize; 2],
    pub(super) input: &'a [f32],
    pub(super) matrix: &'a [f32],
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
        let product = self.scratch.conv.slice(grid.columns * grid.stride);
        multiply(simd, grid, self.input, self.matrix, product);
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
fn rows(columns: usize, column_len: usize, stride: usize) -> Grid {
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
    pub(super) packed: &'a Packed,
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
        if width == self.inputs {
            convolve(simd, grid, self.grads, self.packed, self.input_grad);
            return;
        }
        let product = self.scratch.conv.slice(grid.columns * width);
        convolve(simd, grid, self.grads, self.packed, product);
        let to = self.input_grad.chunks_exact_mut(self.inputs);
        for (to, from) in to.zip(product.chunks_exact(width)) {
            to.copy_from_slice(&from[..self.inputs]);
        }
    }
}
