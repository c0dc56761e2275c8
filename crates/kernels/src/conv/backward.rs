//! Backward pass of one chunk of images.

use pulp::{Simd, WithSimd};

use super::{
    Geometry,
    band::{Band, Outputs},
    border::{place, remove_border, spread as copy_spread},
    forward::Grid,
    input_grad::scatter,
    pack::Filters,
    weight_grad::{Form, Winners, add_dense_rows, add_sparse},
    winograd::add_filter_gradient,
};
use crate::{
    bf16::{self, Bf16, pays},
    norm::{Tail, add_sums},
    scratch::{Buffer, Scratch},
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
    pub(crate) before_pool: Outputs<'a>,
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
        let input_size = match self.form {
            Form::Sparse => geometry.bordered_size(),
            _ => geometry.input_under(geometry.conv_size()),
        };
        let input_row = input_size[1] * geometry.in_channels;
        let bordered_len = input_size[0] * input_row;
        let as_it_is = self.form != Form::Sparse && input_size == [geometry.height, geometry.width];
        let [height, width] = geometry.conv_size();
        // Where the input gradient wants them, the gradients are computed in the middle of the zeros that the
        // flipped kernel runs over; elsewhere they are copied there.
        let wants_spread = matches!(self.filters, InputFilters::Dense(_));
        let fits = stride == channels && geometry.padding < geometry.kernel;
        let [spread_rows, spread_columns] = geometry.spread_size();
        let spread_len = spread_rows * spread_columns * channels;
        let spread_row = (wants_spread && fits).then_some(spread_columns * channels);
        let spread_offset = (geometry.kernel - 1).saturating_sub(geometry.padding);
        let Scratch {
            input: bordered,
            conv,
            pooled,
            again,
            spread,
            input_grad: input_grad_scratch,
            chosen: positions,
            tiles,
            lists,
        } = self.scratch;
        if spread_row.is_some() {
            spread.slice(spread_len).fill(0.0);
        }
        if !as_it_is {
            bordered.slice(bordered_len + lanes).fill(0.0);
        }

        let images = self.input.chunks_exact(geometry.input_len());
        let output_grads = self.output_grad.chunks_exact(geometry.output_len());
        for (i, (input, output_grad)) in images.zip(output_grads).enumerate() {
            let tail = self.tail.part(i * output_grad.len(), output_grad.len());
            let before_pool = self
                .before_pool
                .part(i * geometry.conv_len(), geometry.conv_len());
            let chosen = if geometry.pool {
                &self.chosen[i * geometry.output_len()..][..geometry.output_len()]
            } else {
                &[]
            };

            let bordered: &[f32] = if as_it_is {
                input
            } else {
                let bordered = bordered.slice(bordered_len + lanes);
                place(geometry, input, bordered, input_size);
                bordered
            };
            if self.form == Form::Sparse {
                let grads = pooled.slice(geometry.output_len() / channels * stride);
                tail.grad(simd, true, output_grad, channels, (&mut *grads, stride));
                if matches!(tail, Tail::Shift | Tail::Relu { .. }) {
                    add_sums(simd, grads, stride, self.shift_sum);
                }
                let winners = Winners {
                    grads,
                    stride,
                    chosen,
                };
                add_sparse(simd, geometry, bordered, winners, self.weight_sum);
                if let InputFilters::Sparse(filters) = self.filters {
                    let to = &mut self.input_grad[i * input.len()..][..input.len()];
                    let bordered = input_grad_scratch.slice(bordered_len + lanes);
                    bordered.fill(0.0);
                    scatter(simd, geometry, filters.values(), winners, lists, bordered);
                    remove_border(geometry, &bordered[..bordered_len], to);
                }
                continue;
            }

            // Of a first layer whose normalization, if any, comes after the pool, only the winners are looked at.
            let only_winners = geometry.pool
                && matches!(before_pool, Outputs::Unneeded)
                && matches!(self.filters, InputFilters::None);
            // Band by band, so that the weight gradient finds the gradients that were just computed.
            for (first, rows) in geometry.bands(height, width, stride) {
                let (grads, row_len) = match spread_row {
                    Some(row_len) => {
                        let first = (spread_offset + first) * row_len + spread_offset * channels;
                        (&mut spread.slice(spread_len)[first..], row_len)
                    }
                    None => {
                        let grads = conv.slice(height * width * stride);
                        (&mut grads[first * width * stride..], width * stride)
                    }
                };
                let band = Band {
                    geometry,
                    first,
                    rows,
                    stride,
                    tail,
                    before_pool,
                    input: bordered,
                    output_grad,
                    chosen,
                };
                let grid = Grid {
                    rows,
                    row_len: input_row,
                    ..geometry.grid(stride)
                };
                let input = &bordered[first * input_row..];
                let sizes = [geometry.kernel, geometry.tap_len()];
                if let (Some(bf16), true) = (self.bf16, only_winners) {
                    let winners = band.winners(simd, pooled, positions, self.shift_sum);
                    let sum = &mut *self.weight_sum;
                    bf16::pooled_weight_grad(bf16, grid, sizes, input, winners, tiles, sum);
                    continue;
                }
                let grads_len = (rows - 1) * row_len + width * stride;
                let grads = &mut grads[..grads_len];
                band.grads(
                    simd,
                    [pooled, again],
                    positions,
                    self.shift_sum,
                    (&mut *grads, row_len),
                );
                let (grads, sum) = ((&*grads, row_len), &mut *self.weight_sum);
                match self.bf16.filter(|_| pays(geometry.in_channels)) {
                    Some(bf16) => bf16::weight_grad(bf16, grid, sizes, input, grads, tiles, sum),
                    None if self.form == Form::Tiles => {
                        add_filter_gradient(simd, grid, input, grads, tiles.each_mut(), sum);
                    }
                    None => add_dense_rows(simd, grid, sizes, input, grads, sum),
                }
            }

            if let InputFilters::Dense(filters) = self.filters {
                let to = &mut self.input_grad[i * input.len()..][..input.len()];
                let spread_grad = spread.slice(spread_len);
                if spread_row.is_none() {
                    let conv = conv.slice(height * width * stride);
                    copy_spread(geometry, conv, stride, spread_grad);
                }
                let scratch = (&mut *tiles, &mut *input_grad_scratch);
                input_grad(simd, geometry, filters, spread_grad, scratch, to);
            }
        }
    }
}

/// Input gradient of one image as a convolution of the output gradient with the flipped kernel.
#[inline(always)]
fn input_grad<S: Simd>(
    simd: S,
    geometry: &Geometry,
    filters: &Filters,
    spread_grad: &[f32],
    (tiles, scratch): (&mut [Buffer; 2], &mut Buffer),
    to: &mut [f32],
) {
    let (width, channels) = (geometry.width, geometry.in_channels);
    let stride = padded(channels, S::F32_LANES);
    let row_len = geometry.spread_size()[1] * geometry.out_channels;
    let offset = (geometry.kernel - 1).saturating_sub(geometry.padding);
    let inside = offset..offset + geometry.conv_size()[0];
    // Tiles of so many rows at a time as stay in the cache; all rows without tiles.
    let bands = geometry.input_bands(stride);
    for (first, rows) in bands {
        let grid = Grid {
            rows,
            columns: width,
            row_len,
            column_len: geometry.out_channels,
            stride,
        };
        let inside = inside.start.saturating_sub(first)..inside.end.saturating_sub(first);
        let from = &spread_grad[first * row_len..];
        let to = &mut to[first * width * channels..][..rows * width * channels];
        if stride == channels {
            filters.convolve(simd, grid, inside, from, tiles, to);
            continue;
        }
        let output = scratch.slice(rows * width * stride);
        filters.convolve(simd, grid, inside, from, tiles, output);
        for (to, from) in to
            .chunks_exact_mut(channels)
            .zip(output.chunks_exact(stride))
        {
            to.copy_from_slice(&from[..channels]);
        }
    }
}
