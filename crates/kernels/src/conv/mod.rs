//! Convolution blocks on slices: convolution of stride 1, 2x2 max-pool, normalization, ReLU, and their gradients.
//!
//! Activations are channels-last, `[batch, height, width, channels]`; weights are in Burn's order,
//! `[out_channels, in_channels, kernel, kernel]`. A batch is cut into chunks whose size depends on the
//! batch alone, each chunk is worked on by one thread, and sums over chunks are added in their order:
//! results are the same bits on any number of threads.

mod backward;
mod band;
mod block;
mod border;
mod chunk;
mod forward;
mod geometry;
mod input_grad;
mod narrow;
mod orient;
mod pack;
mod row_blocks;
mod run;
mod weight_grad;
mod winograd;

pub use block::{ConvBlock, Gradients, Kept, Statistics};
pub use geometry::Geometry;
pub(crate) use orient::flip_filters;

/// The tiles, which a dense layer uses as well.
pub(crate) mod tiles {
    pub(crate) use super::{
        forward::{Grid, convolve, multiply},
        pack::{BLOCK, Filters, Packed},
        weight_grad::add_dense,
    };
}
