//! The shape of one convolution block.

use super::forward::Grid;
use crate::error::Error;

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
