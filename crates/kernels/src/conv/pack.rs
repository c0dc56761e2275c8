//! Weights in the order in which the kernels read them.

use std::ops::Range;

use pulp::Simd;

use super::{
    Geometry,
    forward::{Grid, convolve_within},
    winograd::{convolve_tiles, transform_filters},
};
use crate::{
    bf16::{PairFilters, pays},
    scratch::Buffer,
    simd::{Isa, padded},
};

/// Vectors of output channels that one pass over the input computes.
pub(crate) const BLOCK: usize = 2;

/// Weights of a convolution, ready for [`convolve`](super::forward::convolve):
/// `[block][kernel_row][tap][channel of the block]`, channels padded with zeros to whole vectors.
pub(crate) struct Packed {
    pub(crate) weights: Buffer,
    pub(crate) taps: usize,
    pub(crate) kernel: usize,
}

/// Weights in the order of the way that a convolution goes.
pub(crate) enum Filters {
    /// By its definition.
    Direct(Packed),
    /// By transformed tiles, see [`winograd`](super::winograd).
    Tiles(Buffer),
    /// By its definition, with products in bf16.
    Bf16(PairFilters),
}

impl Filters {
    /// `[out, in, k, k]` for the forward pass.
    pub(crate) fn forward(geometry: &Geometry, weight: &[f32], isa: Isa) -> Self {
        let (cin, cout) = (geometry.in_channels, geometry.out_channels);
        if !geometry.has_tiles() {
            return Self::direct(
                pack_forward(geometry, weight, isa.lanes()),
                isa,
                [cin, cout],
            );
        }
        Self::Tiles(transform_filters([cin, cout], |row, column, from, to| {
            weight[((to * cin + from) * 3 + row) * 3 + column]
        }))
    }

    /// `[out, in, k, k]` for the input gradient, see [`pack_input_grad`].
    pub(crate) fn input_grad(geometry: &Geometry, weight: &[f32], isa: Isa) -> Self {
        let (cin, cout) = (geometry.in_channels, geometry.out_channels);
        if !geometry.has_tiles() {
            return Self::direct(
                pack_input_grad(geometry, weight, isa.lanes()),
                isa,
                [cout, cin],
            );
        }
        Self::Tiles(transform_filters([cout, cin], |row, column, from, to| {
            weight[((from * cin + to) * 3 + 2 - row) * 3 + 2 - column]
        }))
    }

    fn direct(packed: Packed, isa: Isa, [inputs, outputs]: [usize; 2]) -> Self {
        match isa.bf16() {
            Some(bf16) if pays(inputs) => {
                let stride = padded(outputs, isa.lanes());
                Self::Bf16(PairFilters::new(bf16, &packed, inputs, stride))
            }
            _ => Self::Direct(packed),
        }
    }

    /// Convolves one bordered image that is zero outside of the rows `inside` into `output`,
    /// `[rows, columns, stride]`.
    #[inline(always)]
    pub(crate) fn convolve<S: Simd>(
        &self,
        simd: S,
        grid: Grid,
        inside: Range<usize>,
        input: &[f32],
        tiles: &mut [Buffer; 2],
        output: &mut [f32],
    ) {
        match self {
            Self::Direct(packed) => convolve_within(simd, grid, inside, input, packed, output),
            Self::Bf16(filters) => {
                let [pairs, _] = tiles;
                filters.convolve(grid, inside, input, pairs, output);
            }
            Self::Tiles(filters) => {
                convolve_tiles(simd, grid, input, filters, tiles.each_mut(), output);
            }
        }
    }
}

/// Packs `[out, in, k, k]` for the forward pass.
pub(crate) fn pack_forward(geometry: &Geometry, weight: &[f32], lanes: usize) -> Packed {
    let (cin, k) = (geometry.in_channels, geometry.kernel);
    pack(
        geometry.out_channels,
        cin,
        k,
        lanes,
        |row, column, channel| Column {
            values: &weight[(channel * k + row) * k + column..],
            step: cin * k * k,
        },
    )
}

/// Packs `[out, in, k, k]` for the input gradient, which is a convolution of the output gradient with
/// the kernel flipped and the channels swapped.
pub(crate) fn pack_input_grad(geometry: &Geometry, weight: &[f32], lanes: usize) -> Packed {
    let (cin, cout, k) = (geometry.in_channels, geometry.out_channels, geometry.kernel);
    pack(cin, cout, k, lanes, |row, column, out| Column {
        values: &weight[(out * cin * k + (k - 1 - row)) * k + (k - 1 - column)..],
        step: k * k,
    })
}

/// Packs a matrix `[inputs, outputs]`: filters of one column, in rows of `taps` inputs.
pub(crate) fn pack_matrix(matrix: &[f32], outputs: usize, taps: usize, lanes: usize) -> Packed {
    let inputs = matrix.len() / outputs;
    let packed = pack(outputs, inputs, 1, lanes, |_, _, input| Column {
        values: &matrix[input * outputs..],
        step: 1,
    });
    Packed {
        taps,
        kernel: inputs / taps,
        ..packed
    }
}

/// One weight of each filter: every `step`th of `values`.
struct Column<'a> {
    values: &'a [f32],
    step: usize,
}

fn pack<'a>(
    outputs: usize,
    inputs: usize,
    kernel: usize,
    lanes: usize,
    weights_of: impl Fn(usize, usize, usize) -> Column<'a>,
) -> Packed {
    let taps = kernel * inputs;
    let length = padded(outputs, lanes) * kernel * taps;
    let mut weights = Buffer::zeroed(length);
    let blocks = weights
        .slice(length)
        .chunks_mut(BLOCK * lanes * kernel * taps);
    for (block, first) in blocks.zip((0..).step_by(BLOCK * lanes)) {
        let width = block.len() / (kernel * taps);
        let count = width.min(outputs - first);
        let mut places = block.chunks_exact_mut(width);
        for row in 0..kernel {
            for column in 0..kernel {
                for (channel, place) in (0..inputs).zip(&mut places) {
                    let Column { values, step } = weights_of(row, column, channel);
                    let filters = values[first * step..].iter().step_by(step);
                    for (value, weight) in place[..count].iter_mut().zip(filters) {
                        *value = *weight;
                    }
                }
            }
        }
    }
    Packed {
        weights,
        taps,
        kernel,
    }
}

/// Weights as `[out][kernel_row][tap]`, each row padded with zeros to `row_len` values: the order of
/// the scattered input gradient, where input channels are the vector.
pub(crate) fn pack_rows(geometry: &Geometry, weight: &[f32], row_len: usize) -> Buffer {
    let (cin, k) = (geometry.in_channels, geometry.kernel);
    let mut rows = Buffer::zeroed(geometry.out_channels * k * row_len);
    let values = rows.slice(geometry.out_channels * k * row_len);
    let filters = weight.chunks_exact(cin * k * k);
    for (filter, to) in filters.zip(values.chunks_exact_mut(k * row_len)) {
        for (row, to) in to.chunks_exact_mut(row_len).enumerate() {
            for (tap, to) in to[..k * cin].iter_mut().enumerate() {
                let (column, channel) = (tap / cin, tap % cin);
                *to = filter[(channel * k + row) * k + column];
            }
        }
    }
    rows
}
