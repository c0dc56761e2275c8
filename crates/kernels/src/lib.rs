//! Fast convolution blocks for Burn's CPU backends.

mod chunks;
pub mod conv;
mod error;
mod layout;
mod norm;
mod ops;
mod pool;
mod scratch;
mod simd;

pub use error::Error;
pub use norm::{Affine, Moments};
pub use ops::{Order, conv_block, conv_relu, conv2d, flatten};
pub use simd::Isa;
