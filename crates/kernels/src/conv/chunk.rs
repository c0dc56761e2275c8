//! Forward pass of one chunk of images.

use pulp::{Simd, WithSimd};

use super::{Geometry, block::Statistics, border::place, forward::Grid, pack::Filters};
use crate::{
    norm::{Affine, Moments, add_moments, apply},
    pool::{Windows, max_pool},
    scratch::{Scratch, grow},
    simd::padded,
};

/// One chunk of images and where its results go.
pub(crate) struct ForwardChunk<'a> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) filters: &'a Filters,
    pub(crate) input: &'a [f32],
    /// Padded to whole vectors; applied to what goes into `output`; without it the raw values go there.
    pub(crate) map: Option<&'a Affine>,
    pub(crate) output: &'a mut [f32],
    /// Winning window positions; empty if nobody asks for them.
    pub(crate) chosen: &'a mut [u8],
    /// Values before the pool; empty if nobody asks for them.
    pub(crate) conv: &'a mut [f32],
    /// Values whose statistics are returned.
    pub(crate) statistics: Option<Statistics>,
    pub(crate) scratch: &'a mut Scratch,
}

impl WithSimd for ForwardChunk<'_> {
    type Output = Moments;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Moments {
        let geometry = self.geometry;
        let channels = geometry.out_channels;
        let stride = padded(channels, S::F32_LANES);
        let whole = self.statistics == Some(Statistics::Conv) || !self.conv.is_empty();
        let [height, width] = if whole {
            geometry.conv_size()
        } else {
            geometry.seen_size()
        };
        let out_row = geometry.output_size()[1] * channels;
        let window = if geometry.pool { 2 } else { 1 };
        let Scratch {
            input: bordered,
            conv,
            pooled,
            tiles,
            chosen: positions,
            ..
        } = self.scratch;
        let mut moments = Moments::default();

        let input_size = geometry.input_under([height, width]);
        let as_it_is = input_size == [geometry.height, geometry.width];
        let row_len = input_size[1] * geometry.in_channels;
        let input_len = input_size[0] * row_len;
        if !as_it_is {
            bordered.slice(input_len).fill(0.0);
        }
        let images = self.input.chunks_exact(geometry.input_len());
        let outputs = self.output.chunks_exact_mut(geometry.output_len());
        for (i, (input, output)) in images.zip(outputs).enumerate() {
            let input = if as_it_is {
                input
            } else {
                let bordered = bordered.slice(input_len);
                place(geometry, input, bordered, input_size);
                bordered
            };
            // What the convolution leaves of a band of rows is still at hand for what follows it.
            for (first, rows) in geometry.bands(height, width, stride) {
                let grid = Grid {
                    rows,
                    columns: width,
                    row_len,
                    ..geometry.grid(stride)
                };
                let input = &input[first * row_len..];
                let kept = match self.conv.is_empty() {
                    true => None,
                    false => {
                        let first = i * geometry.conv_len() + first * width * channels;
                        Some(&mut self.conv[first..][..rows * width * channels])
                    }
                };
                let conv = match kept {
                    // Values that are kept are computed in place, unless their channels need padding.
                    Some(kept) if stride == channels => {
                        self.filters.convolve(
                            simd,
                            grid,
                            geometry.inside(first),
                            input,
                            tiles,
                            kept,
                        );
                        kept
                    }
                    kept => {
                        let conv = conv.slice(rows * width * stride);
                        self.filters.convolve(
                            simd,
                            grid,
                            geometry.inside(first),
                            input,
                            tiles,
                            conv,
                        );
                        if let Some(kept) = kept {
                            copy_channels(conv, stride, kept, channels);
                        }
                        conv
                    }
                };
                if self.statistics == Some(Statistics::Conv) {
                    add_moments(simd, (&*conv, stride), channels, &mut moments);
                }

                let outputs = first / window * out_row..(first + rows) / window * out_row;
                let output = &mut output[outputs.clone()];
                let values = if geometry.pool {
                    let windows = Windows {
                        height: rows,
                        width,
                        stride,
                    };
                    let pooled = pooled.slice(output.len() / channels * stride);
                    if self.chosen.is_empty() {
                        max_pool::<S, false>(simd, windows, conv, pooled, &mut []);
                    } else {
                        let positions = grow(positions, pooled.len());
                        max_pool::<S, true>(simd, windows, conv, pooled, positions);
                        let to = &mut self.chosen[i * geometry.output_len()..][outputs];
                        narrow(positions, stride, to, channels);
                    }
                    pooled
                } else {
                    conv
                };
                if self.statistics == Some(Statistics::Pooled) && !values.is_empty() {
                    add_moments(simd, (&*values, stride), channels, &mut moments);
                }
                match self.map {
                    Some(map) => apply(simd, map, (values, stride), (output, channels)),
                    None => copy_channels(values, stride, output, channels),
                }
            }
        }
        moments
    }
}

/// Drops the padding of the channels.
#[inline(always)]
fn copy_channels(from: &[f32], stride: usize, to: &mut [f32], channels: usize) {
    if stride == channels {
        to.copy_from_slice(from);
        return;
    }
    for (to, from) in to.chunks_exact_mut(channels).zip(from.chunks_exact(stride)) {
        to.copy_from_slice(&from[..channels]);
    }
}

/// Drops the padding of the channels and stores window positions as bytes.
#[inline(always)]
fn narrow(from: &[u32], stride: usize, to: &mut [u8], channels: usize) {
    if stride == channels {
        to.iter_mut()
            .zip(from)
            .for_each(|(to, from)| *to = *from as u8);
        return;
    }
    for (to, from) in to.chunks_exact_mut(channels).zip(from.chunks_exact(stride)) {
        to.iter_mut()
            .zip(from)
            .for_each(|(to, from)| *to = *from as u8);
    }
}
