//! How the products in bf16 take the place of those in `f32`.

use pulp::Simd;

use super::Bf16;
use crate::{
    chunks::run,
    conv::tiles::{BLOCK, Grid, Packed, convolve},
    scratch::{Buffer, Pairs},
    simd::Isa,
};

/// Whether products over `channels` of an image are quicker in bf16: not where so few have to be made into pairs
/// one column at a time, and much of the pairs would be empty.
pub(crate) fn pays(channels: usize) -> bool {
    channels.is_multiple_of(2) || channels >= 16
}

/// Filters that were made ready for their products.
pub(crate) enum Filters {
    /// For products in `f32`.
    F32(Packed),
    /// For products in bf16.
    Bf16(PairFilters),
}

impl Filters {
    /// Filters over columns of `channels` values, for `stride` outputs; in bf16 if the instruction set has
    /// such products and enough of every pair is used.
    pub(crate) fn new(isa: Isa, packed: Packed, channels: usize, stride: usize) -> Self {
        match isa.bf16() {
            Some(bf16) if pays(channels) => {
                let weights = &packed.weights.values()[..packed.kernel * packed.taps * stride];
                let width = BLOCK * isa.lanes();
                let sizes = [packed.kernel * packed.taps / channels, channels];
                let kernel = packed.kernel;
                Self::Bf16(PairFilters::new(bf16, weights, width, sizes, kernel))
            }
            _ => Self::F32(packed),
        }
    }

    /// Convolves one bordered image into `output`, see [`convolve`].
    #[inline(always)]
    pub(crate) fn convolve<S: Simd>(
        &self,
        simd: S,
        grid: Grid,
        input: &[f32],
        pairs: &mut Pairs,
        output: &mut [f32],
    ) {
        match self {
            Self::F32(packed) => convolve(simd, grid, input, packed, output),
            Self::Bf16(filters) => filters.convolve(grid, input, pairs, output),
        }
    }
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
    /// Pairs of the rows of `weights`, `[block][columns][channels][output of the block]`, in blocks of up to
    /// `width` outputs.
    fn new(
        bf16: Bf16,
        weights: &[f32],
        width: usize,
        [columns, channels]: [usize; 2],
        kernel: usize,
    ) -> Self {
        let column_pairs = channels.div_ceil(2);
        let taps = columns * column_pairs;
        let len = weights.len() / channels * column_pairs;
        let mut pairs = Buffer::zeroed(len);
        let jobs = pairs
            .slice(len)
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
            len,
            kernel,
            taps: taps / kernel,
        }
    }

    /// The matrix `[inputs, stride]` for products over the inputs.
    pub(crate) fn of_matrix(isa: Isa, bf16: Bf16, matrix: &[f32], stride: usize) -> Self {
        let (inputs, width) = (matrix.len() / stride, BLOCK * isa.lanes());
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
    pub(crate) fn of_transposed(
        isa: Isa,
        bf16: Bf16,
        matrix: &[f32],
        outputs: usize,
        stride: usize,
    ) -> Self {
        let width = BLOCK * isa.lanes();
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

    /// Convolves one bordered image of the sizes of `grid` into `output`, `[rows, columns, stride]`.
    pub(crate) fn convolve(
        &self,
        grid: Grid,
        input: &[f32],
        scratch: &mut Pairs,
        output: &mut [f32],
    ) {
        let column_len = grid.column_len.div_ceil(2);
        let in_pairs = |values: usize| values / grid.column_len * column_len;
        let input = &input[..input.len() / grid.column_len * grid.column_len];
        let pairs = scratch.input.slice(in_pairs(input.len()));
        self.bf16.neighbours(input, grid.column_len, pairs);
        let grid = Grid {
            row_len: in_pairs(grid.row_len),
            column_len,
            ..grid
        };
        let sizes = [self.kernel, self.taps];
        let weights = &self.pairs.values()[..self.len];
        self.bf16.convolve(grid, pairs, weights, sizes, output);
    }
}

/// Adds the weight gradient of one bordered image, given `grads` at every position of the grid, to the sum
/// `[kernel, taps, stride]`.
pub(crate) fn weight_grad(
    bf16: Bf16,
    grid: Grid,
    sizes: [usize; 2],
    input: &[f32],
    grads: &[f32],
    scratch: &mut Pairs,
    sum: &mut [f32],
) {
    let columns = grid.columns.div_ceil(2);
    let input_pairs = scratch.input.slice(input.len());
    bf16.zip(input, &input[grid.column_len..], input_pairs);
    let grads = &grads[..grid.rows * grid.columns * grid.stride];
    let grad_pairs = scratch.grads.slice(grid.rows * columns * grid.stride);
    bf16.zip_columns(grads, grid.columns, grid.stride, grad_pairs);
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
    scratch: &mut Pairs,
    sum: &mut [f32],
) {
    let width = grid.columns / 2;
    let input_pairs = scratch.input.slice(input.len());
    bf16.zip(input, &input[grid.column_len..], input_pairs);
    let grad_pairs = scratch.grads.slice(2 * grads.len());
    bf16.unpool(grads, chosen, width, grid.stride, grad_pairs);
    let grid = Grid {
        rows: grid.rows / 2 * 2,
        columns: width,
        column_len: 2 * grid.column_len,
        ..grid
    };
    bf16.add_dense(grid, sizes, input_pairs, grad_pairs, sum);
}
