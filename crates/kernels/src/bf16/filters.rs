//! How the products in bf16 take the place of those in `f32`.

use std::ops::Range;

use pulp::bytemuck::cast_slice_mut;

use super::{Bf16, LANES};
use crate::{
    chunks::run,
    conv::tiles::{BLOCK, Grid, Packed},
    scratch::Buffer,
};

/// Whether products over `channels` of an image are quicker in bf16: not where so few have to be made into pairs
/// one column at a time, and much of the pairs would be empty.
pub(crate) fn pays(channels: usize) -> bool {
    channels.is_multiple_of(2) || channels >= 16
}

/// Filters as pairs of bf16 values: `[block][kernel_row][column][pair][output of the block]`.
pub(crate) struct PairFilters {
    bf16: Bf16,
    pairs: Buffer<u32>,
    len: usize,
    kernel: usize,
    /// Pairs in a row of the kernel.
    taps: usize,
}

impl PairFilters {
    /// Pairs of the taps of `packed`, whose columns are of `channels` values, for `stride` outputs.
    pub(crate) fn new(bf16: Bf16, packed: &Packed, channels: usize, stride: usize) -> Self {
        let (kernel, width) = (packed.kernel, BLOCK * LANES);
        let weights = &packed.weights.values()[..kernel * packed.taps * stride];
        let columns = kernel * packed.taps / channels;
        let column_pairs = channels.div_ceil(2);
        let taps = columns * column_pairs;
        let mut pairs = Buffer::zeroed(taps * stride);
        let jobs = pairs
            .slice(taps * stride)
            .chunks_mut(width * taps)
            .zip(weights.chunks(width * columns * channels))
            .collect();
        run(jobs, |(to, weights): (&mut [u32], &[f32])| {
            let width = to.len() / taps;
            let columns = weights.chunks_exact(channels * width);
            for (column, to) in columns.zip(to.chunks_exact_mut(column_pairs * width)) {
                let rows = column.chunks(2 * width);
                for (rows, to) in rows.zip(to.chunks_exact_mut(width)) {
                    let (first, second) = rows.split_at(width);
                    bf16.zip(first, second, to);
                }
            }
        });
        Self {
            bf16,
            pairs,
            len: taps * stride,
            kernel,
            taps: taps / kernel,
        }
    }

    /// The matrix `[inputs, stride]` for products over the inputs.
    pub(crate) fn of_matrix(bf16: Bf16, matrix: &[f32], stride: usize) -> Self {
        let (inputs, width) = (matrix.len() / stride, BLOCK * LANES);
        let taps = inputs.div_ceil(2);
        let mut pairs = Buffer::zeroed(taps * stride);
        let jobs = pairs
            .slice(taps * stride)
            .chunks_mut(width * taps)
            .enumerate()
            .collect();
        run(jobs, |(block, to): (usize, &mut [u32])| {
            let width_here = to.len() / taps;
            let rows = matrix.chunks(2 * stride);
            for (rows, to) in rows.zip(to.chunks_exact_mut(width_here)) {
                let (first, second) = rows.split_at(stride);
                let first = &first[block * width..][..width_here];
                let second = second.get(block * width..).unwrap_or_default();
                bf16.zip(first, second, to);
            }
        });
        Self {
            bf16,
            pairs,
            len: taps * stride,
            kernel: 1,
            taps,
        }
    }

    /// The matrix `[inputs, outputs]` for products over the outputs: inputs, padded to `stride`, become the
    /// vector.
    pub(crate) fn of_transposed(bf16: Bf16, matrix: &[f32], outputs: usize, stride: usize) -> Self {
        let width = BLOCK * LANES;
        let taps = outputs.div_ceil(2);
        let mut pairs = Buffer::zeroed(taps * stride);
        let jobs = pairs
            .slice(taps * stride)
            .chunks_mut(width * taps)
            .zip(matrix.chunks(width * outputs))
            .collect();
        run(jobs, |(to, from): (&mut [u32], &[f32])| {
            let width = to.len() / taps;
            let mut row_pairs = vec![0; taps];
            for (i, row) in from.chunks_exact(outputs).enumerate() {
                bf16.neighbours(row, outputs, &mut row_pairs);
                for (to, pair) in to[i..].iter_mut().step_by(width).zip(&row_pairs) {
                    *to = *pair;
                }
            }
        });
        Self {
            bf16,
            pairs,
            len: taps * stride,
            kernel: 1,
            taps,
        }
    }

    /// Convolves one bordered image that is zero outside of the rows `inside` into `output`, `[rows, columns,
    /// stride]`.
    pub(crate) fn convolve(
        &self,
        grid: Grid,
        inside: Range<usize>,
        input: &[f32],
        scratch: &mut Buffer,
        output: &mut [f32],
    ) {
        let column_len = grid.column_len.div_ceil(2);
        let in_pairs = |values: usize| values / grid.column_len * column_len;
        let input = rows_under(grid, self.kernel, input);
        let pairs = pairs(scratch, in_pairs(input.len()));
        self.bf16.neighbours(input, grid.column_len, pairs);
        let grid = Grid {
            row_len: in_pairs(grid.row_len),
            column_len,
            ..grid
        };
        let sizes = [self.kernel, self.taps];
        let weights = &self.pairs.values()[..self.len];
        self.bf16
            .convolve(grid, inside, pairs, weights, sizes, output);
    }
}

/// Room for so many pairs.
fn pairs(scratch: &mut Buffer, len: usize) -> &mut [u32] {
    cast_slice_mut(scratch.slice(len))
}

/// The rows of a bordered image that lie under the rows of `grid`.
fn rows_under(grid: Grid, kernel: usize, input: &[f32]) -> &[f32] {
    match grid.row_len {
        // A matrix is an image of one row.
        0 => &input[..grid.columns * grid.column_len],
        row_len => &input[..(grid.rows + kernel - 1) * row_len],
    }
}

/// Adds the weight gradient of one bordered image, given `grads` at every position of the grid in rows of
/// `row_len` values, to the sum `[kernel, taps, stride]`.
pub(crate) fn weight_grad(
    bf16: Bf16,
    grid: Grid,
    sizes: [usize; 2],
    input: &[f32],
    (grads, row_len): (&[f32], usize),
    [input_pairs, grad_pairs]: &mut [Buffer; 2],
    sum: &mut [f32],
) {
    let columns = grid.columns.div_ceil(2);
    let input = rows_under(grid, sizes[0], input);
    let input_pairs = pairs(input_pairs, input.len());
    bf16.zip(input, &input[grid.column_len..], input_pairs);
    let grad_pairs = pairs(grad_pairs, grid.rows * columns * grid.stride);
    let size = [grid.rows, grid.columns, grid.stride];
    bf16.zip_columns(grads, size, row_len, grad_pairs);
    let grid = Grid {
        columns,
        column_len: 2 * grid.column_len,
        ..grid
    };
    bf16.add_dense(grid, sizes, input_pairs, grad_pairs, sum);
}

/// As [`weight_grad`], of an image whose gradients are those of a max-pool's winners: `grads` and what was
/// `chosen`, `[rows, width, stride]` of the pool's outputs.
pub(crate) fn pooled_weight_grad(
    bf16: Bf16,
    grid: Grid,
    sizes: [usize; 2],
    input: &[f32],
    (grads, chosen): (&[f32], &[u32]),
    [input_pairs, grad_pairs]: &mut [Buffer; 2],
    sum: &mut [f32],
) {
    let grid = Grid {
        rows: grid.rows / 2 * 2,
        columns: grid.columns / 2,
        ..grid
    };
    if grads.is_empty() {
        return;
    }
    let input = rows_under(grid, sizes[0], input);
    let input_pairs = pairs(input_pairs, input.len());
    bf16.zip(input, &input[grid.column_len..], input_pairs);
    let grad_pairs = pairs(grad_pairs, 2 * grads.len());
    bf16.unpool(grads, chosen, grid.columns, grid.stride, grad_pairs);
    let grid = Grid {
        column_len: 2 * grid.column_len,
        ..grid
    };
    bf16.add_dense(grid, sizes, input_pairs, grad_pairs, sum);
}
