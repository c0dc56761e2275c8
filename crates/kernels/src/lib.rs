//! Fast convolution blocks for Burn's CPU backends.

mod chunks;
pub mod conv;
mod error;
mod norm;
mod pool;
mod scratch;
mod simd;

pub use error::Error;
pub use norm::{Affine, Moments};
pub use simd::Isa;
