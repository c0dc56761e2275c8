//! The shape of one convolution block.

use std::ops::Range;

use super::{
    forward::Grid,
    winograd::{PLACES, tiles, under_tiles},
};
use crate::{bf16::pays, error::Error};

/// Taps of a kernel with which an output is computed again in the time of a cache line's way to memory and back.
const CHEAP: usize = 32;

/// Values between convolution and pool that are worked on at a time: half of a first-level cache of 32 KiB, so
/// that what one step leaves there the next one finds.
const BAND: usize = 4096;

/// The same where tiles are transformed, which are read and written 16 times over: they need many to a band.
const TILES_BAND: usize = 8192;

/// Sizes of a convolution of stride 1 over one image, optionally followed by a 2x2 max-pool of stride 2.
///
/// Images are channels-last: `[height, width, channels]`. Weights are in Burn's order,
/// `[out_channels, in_channels, kernel, kernel]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) kernel: usize,
    pub(crate) padding: usize,
    pub(crate) pool: bool,
    /// Whether products over enough channels are in bf16, which then is quicker than tiles.
    pub(crate) bf16: bool,
}

impl Geometry {
    /// Describes the convolution of an image `[height, width, channels]` with a square `kernel` and
    /// `padding` zeros on each side; with `pool`, an odd last row or column is dropped as in Burn.
    ///
    /// # Errors
    ///
    /// [`Error::Geometry`] if a size is zero or if there is no output value.
    pub fn new(
        [height, width, in_channels]: [usize; 3],
        out_channels: usize,
        kernel: usize,
        padding: usize,
        pool: bool,
    ) -> Result<Self, Error> {
        let smallest = if pool { kernel + 1 } else { kernel };
        let fits = height.min(width) + 2 * padding >= smallest;
        let non_zero = [height, width, in_channels, out_channels, kernel]
            .iter()
            .all(|&size| size > 0);
        if fits && non_zero && out_channels <= usize::from(u16::MAX) {
            Ok(Self {
                height,
                width,
                in_channels,
                out_channels,
                kernel,
                padding,
                pool,
                bf16: false,
            })
        } else {
            Err(Error::Geometry {
                height,
                width,
                in_channels,
                out_channels,
                kernel,
                padding,
                pool,
            })
        }
    }

    /// Height and width after the block.
    pub fn output_size(&self) -> [usize; 2] {
        let [height, width] = self.conv_size();
        if self.pool {
            [height / 2, width / 2]
        } else {
            [height, width]
        }
    }

    /// Values of one input image.
    pub fn input_len(&self) -> usize {
        self.height * self.width * self.in_channels
    }

    /// Values of one output image.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output_size();
        height * width * self.out_channels
    }

    /// Values of one image between convolution and pool.
    pub fn conv_len(&self) -> usize {
        let [height, width] = self.conv_size();
        height * width * self.out_channels
    }

    /// Values of the weight.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel * self.kernel
    }

    /// Height and width after the convolution, before the pool.
    pub(crate) fn conv_size(&self) -> [usize; 2] {
        [self.height, self.width].map(|size| size + 2 * self.padding + 1 - self.kernel)
    }

    /// Height and width of what the block's output depends on: the pool drops an odd last row or column.
    pub(crate) fn seen_size(&self) -> [usize; 2] {
        let pool = if self.pool { 2 } else { 1 };
        self.output_size().map(|size| size * pool)
    }

    /// Whether tiles of transformed inputs take clearly fewer multiplications, see [`winograd`](super::winograd).
    pub(crate) fn has_tiles(&self) -> bool {
        let whole = |channels: usize| channels.is_multiple_of(16);
        let [height, width] = self.conv_size();
        let products = PLACES * tiles(height) * tiles(width);
        !self.bf16
            && self.kernel == 3
            && self.padding < 3
            && whole(self.in_channels)
            && whole(self.out_channels)
            && 10 * products <= 7 * 9 * height * width
    }

    /// Rows and columns of the bordered input under the outputs `[rows, columns]`.
    pub(crate) fn input_under(&self, [rows, columns]: [usize; 2]) -> [usize; 2] {
        if self.has_tiles() {
            [rows, columns].map(under_tiles)
        } else {
            self.bordered_size()
        }
    }

    /// Rows and columns of an image of output gradients with the zeros around it that make a convolution with
    /// the flipped kernel give one value for each input.
    pub(crate) fn spread_size(&self) -> [usize; 2] {
        [self.height, self.width].map(|size| match self.has_tiles() {
            true => under_tiles(size),
            false => size + self.kernel - 1,
        })
    }

    /// Whether computing the convolution again is as cheap as keeping its outputs in memory.
    pub(crate) fn is_cheap(&self) -> bool {
        let same_products = !(self.bf16 && pays(self.in_channels));
        same_products && self.kernel * self.tap_len() <= CHEAP
    }

    /// The rows of the bordered input that are not all zeros, counted from row `first`.
    pub(crate) fn inside(&self, first: usize) -> Range<usize> {
        let end = self.padding + self.height;
        self.padding.saturating_sub(first)..end.saturating_sub(first)
    }

    /// Cuts `rows` of convolution outputs, `width` columns of `stride` values, into bands `(first, count)` of
    /// [`BAND`] values; windows of a pool and tiles stay whole.
    pub(crate) fn bands(
        &self,
        rows: usize,
        width: usize,
        stride: usize,
    ) -> impl Iterator<Item = (usize, usize)> + use<> {
        let window = if self.pool || self.has_tiles() { 2 } else { 1 };
        let band = if self.has_tiles() { TILES_BAND } else { BAND };
        let most = (band / (window * width * stride)).max(1) * window;
        let bands = rows.div_ceil(most).max(1);
        let count = rows.div_ceil(bands).next_multiple_of(window);
        (0..rows)
            .step_by(count)
            .map(move |first| (first, count.min(rows - first)))
    }

    /// [`bands`](Self::bands) of the input gradient: only tiles are worth cutting it.
    pub(crate) fn input_bands(
        &self,
        stride: usize,
    ) -> impl Iterator<Item = (usize, usize)> + use<> {
        let rows = self.height;
        let count = match self.has_tiles() {
            true => (TILES_BAND / (2 * self.width * stride)).max(1) * 2,
            false => rows,
        };
        (0..rows)
            .step_by(count)
            .map(move |first| (first, count.min(rows - first)))
    }

    /// Height and width of the input with its zero border.
    pub(crate) fn bordered_size(&self) -> [usize; 2] {
        [self.height, self.width].map(|size| size + 2 * self.padding)
    }

    /// Values between two rows of the bordered input.
    pub(crate) fn row_len(&self) -> usize {
        (self.width + 2 * self.padding) * self.in_channels
    }

    /// Values under one kernel row: contiguous in a channels-last image.
    pub(crate) fn tap_len(&self) -> usize {
        self.kernel * self.in_channels
    }

    /// How the kernels walk over a bordered image; output channels are padded to `stride`.
    pub(crate) fn grid(&self, stride: usize) -> Grid {
        let [rows, columns] = self.conv_size();
        Grid {
            rows,
            columns,
            row_len: self.row_len(),
            column_len: self.in_channels,
            stride,
        }
    }

    /// Offset of each window position `0..4` of the pool in the bordered input.
    pub(crate) fn window_offsets(&self) -> [usize; 4] {
        let (right, down) = (self.in_channels, self.row_len());
        [0, right, down, down + right]
    }
}
