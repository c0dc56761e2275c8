//! Backward pass of one chunk of images.

use pulp::{Simd, WithSimd};

use super::{
    Geometry,
    border::{add_border, remove_border, spread},
    forward::Grid,
    input_grad::scatter,
    weight_grad::{Form, Winners, add_dense, add_sparse},
};
use crate::{
    bf16::{Bf16, Filters, pays, pooled_weight_grad, weight_grad},
    norm::{Tail, add_norm_rest, add_sums},
    pool::{Windows, unpool},
    scratch::{Buffer, Pairs, Scratch, grow},
    simd::padded,
};

/// Filters in the order that the input gradient needs.
pub(crate) enum InputFilters {
    /// No input gradient is wanted.
    None,
    /// Every position has a gradient.
    Dense(Filters),
    /// One position of each pool window has a gradient.
    Sparse(Buffer),
}

/// One chunk of images and where its results go.
pub(crate) struct BackwardChunk<'a> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) form: Form,
    /// For products in bf16.
    pub(crate) bf16: Option<Bf16>,
    pub(crate) filters: &'a InputFilters,
    pub(crate) input: &'a [f32],
    pub(crate) output_grad: &'a [f32],
    /// Winning window positions, empty without a pool.
    pub(crate) chosen: &'a [u8],
    pub(crate) tail: Tail<'a>,
    /// The values that a normalization before the pool describes, else empty.
    pub(crate) before_pool: &'a [f32],
    /// Empty if no input gradient is wanted.
    pub(crate) input_grad: &'a mut [f32],
    pub(crate) weight_sum: &'a mut [f32],
    /// Sums of the gradient before the shift, padded to whole vectors.
    pub(crate) shift_sum: &'a mut [f32],
    pub(crate) scratch: &'a mut Scratch,
}

impl WithSimd for BackwardChunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let geometry = self.geometry;
        let lanes = S::F32_LANES;
        let channels = geometry.out_channels;
        let stride = padded(channels, lanes);
        let bordered_len = geometry.bordered_size()[0] * geometry.row_len();
        let Scratch {
            input: bordered,
            conv,
            pooled,
            spread,
            input_grad: input_grad_scratch,
            chosen: positions,
            lists,
            pairs,
        } = self.scratch;

        let images = self.input.chunks_exact(geometry.input_len());
        let output_grads = self.output_grad.chunks_exact(geometry.output_len());
        for (i, (input, output_grad)) in images.zip(output_grads).enumerate() {
            let tail = self.tail.part(i * output_grad.len(), output_grad.len());
            let before_pool = match self.before_pool.is_empty() {
                true => None,
                false => Some(&self.before_pool[i * geometry.conv_len()..][..geometry.conv_len()]),
            };
            let chosen = if geometry.pool {
                &self.chosen[i * geometry.output_len()..][..geometry.output_len()]
            } else {
                &[]
            };

            let pooled = pooled.slice(geometry.output_len() / channels * stride);
            let complete = before_pool.is_none();
            tail.grad(
                simd,
                complete,
                output_grad,
                channels,
                (&mut *pooled, stride),
            );
            if matches!(tail, Tail::Shift | Tail::Relu { .. }) {
                add_sums(simd, pooled, stride, self.shift_sum);
            }
            let winners = Winners {
                grads: pooled,
                stride,
                chosen,
            };
            // Only the weight gradient reads them, so they are made into pairs as they are put back.
            let only_winners = self.form == Form::Dense
                && geometry.pool
                && before_pool.is_none()
                && matches!(self.filters, InputFilters::None);
            if let (Some(bf16), true) = (self.bf16, only_winners) {
                let positions = grow(positions, winners.grads.len());
                widen(chosen, channels, positions, stride);
                let bordered = bordered.slice(bordered_len);
                add_border(geometry, input, bordered);
                pooled_weight_grad(
                    bf16,
                    geometry.grid(stride),
                    [geometry.kernel, geometry.tap_len()],
                    bordered,
                    (winners.grads, positions),
                    pairs,
                    self.weight_sum,
                );
                continue;
            }
            let needs_dense =
                self.form == Form::Dense || matches!(self.filters, InputFilters::Dense(_));
            let conv: &[f32] = match (geometry.pool, needs_dense) {
                (false, _) => pooled,
                (true, true) => {
                    let conv = conv.slice(geometry.conv_len() / channels * stride);
                    conv_grad(simd, geometry, winners, positions, conv);
                    if let (Tail::Norm { norm, .. }, Some(values)) = (tail, before_pool) {
                        add_norm_rest(simd, norm, values, channels, (&mut *conv, stride));
                    }
                    conv
                }
                (true, false) => &[],
            };

            let bordered = bordered.slice(bordered_len + lanes);
            add_border(geometry, input, &mut bordered[..bordered_len]);
            match self.form {
                Form::Dense => {
                    let sizes = [geometry.kernel, geometry.tap_len()];
                    let (grid, sum) = (geometry.grid(stride), &mut *self.weight_sum);
                    let input = &bordered[..bordered_len];
                    match self.bf16.filter(|_| pays(geometry.in_channels)) {
                        Some(bf16) => weight_grad(bf16, grid, sizes, input, conv, pairs, sum),
                        None => add_dense(simd, grid, sizes, input, conv, sum),
                    }
                }
                Form::Sparse => add_sparse(simd, geometry, bordered, winners, self.weight_sum),
            }

            match self.filters {
                InputFilters::None => {}
                InputFilters::Dense(filters) => {
                    let to = &mut self.input_grad[i * input.len()..][..input.len()];
                    dense_input_grad(
                        simd,
                        geometry,
                        filters,
                        (conv, stride),
                        (&mut *spread, &mut *pairs),
                        input_grad_scratch,
                        to,
                    );
                }
                InputFilters::Sparse(filters) => {
                    let to = &mut self.input_grad[i * input.len()..][..input.len()];
                    let bordered = input_grad_scratch.slice(bordered_len + lanes);
                    bordered.fill(0.0);
                    scatter(simd, geometry, filters.values(), winners, lists, bordered);
                    remove_border(geometry, &bordered[..bordered_len], to);
                }
            }
        }
    }
}

/// Gradient of one image by the pool at every position before it, `[conv_height, conv_width, stride]`.
#[inline(always)]
fn conv_grad<S: Simd>(
    simd: S,
    geometry: &Geometry,
    winners: Winners<'_>,
    positions: &mut Vec<u32>,
    to: &mut [f32],
) {
    let Winners {
        grads,
        stride,
        chosen,
    } = winners;
    let [height, width] = geometry.conv_size();
    let channels = geometry.out_channels;
    let positions = grow(positions, grads.len());
    widen(chosen, channels, positions, stride);
    let windows = Windows {
        height,
        width,
        stride,
    };
    unpool(simd, windows, grads, positions, to);
}

/// Input gradient of one image as a convolution of the output gradient with the flipped kernel.
#[inline(always)]
fn dense_input_grad<S: Simd>(
    simd: S,
    geometry: &Geometry,
    filters: &Filters,
    (conv, stride): (&[f32], usize),
    (spread_scratch, pairs): (&mut Buffer, &mut Pairs),
    output_scratch: &mut Buffer,
    to: &mut [f32],
) {
    let (rows, columns, channels) = (geometry.height, geometry.width, geometry.in_channels);
    let row_len = (columns + geometry.kernel - 1) * geometry.out_channels;
    let spread_grad = spread_scratch.slice((rows + geometry.kernel - 1) * row_len);
    spread(geometry, conv, stride, spread_grad);
    let grid = Grid {
        rows,
        columns,
        row_len,
        column_len: geometry.out_channels,
        stride: padded(channels, S::F32_LANES),
    };
    let output = output_scratch.slice(rows * columns * grid.stride);
    filters.convolve(simd, grid, spread_grad, pairs, output);
    for (to, from) in to
        .chunks_exact_mut(channels)
        .zip(output.chunks_exact(grid.stride))
    {
        to.copy_from_slice(&from[..channels]);
    }
}

/// The inverse of storing window positions as bytes without the padding of the channels.
#[inline(always)]
fn widen(from: &[u8], channels: usize, to: &mut [u32], stride: usize) {
    if stride == channels {
        to.iter_mut()
            .zip(from)
            .for_each(|(to, from)| *to = u32::from(*from));
        return;
    }
    for (to, from) in to.chunks_exact_mut(stride).zip(from.chunks_exact(channels)) {
        to.iter_mut()
            .zip(from)
            .for_each(|(to, from)| *to = u32::from(*from));
    }
}
