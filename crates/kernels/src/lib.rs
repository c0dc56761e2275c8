//! Fast convolution blocks for Burn's CPU backends.
//!
//! Training a small convolutional network on Burn's `ndarray` or `flex` backend spends nearly all its
//! time in the backward pass of the convolution. The functions here compute a whole block (convolution,
//! batch normalization, ReLU, max-pool) and its gradients as one operation, with SIMD and threads:
//!
//! ```
//! use burn::{nn::{BatchNormConfig, conv::Conv2dConfig}, tensor::{Device, Tensor}};
//! use kernels::{Order, conv_block, flatten};
//!
//! # #[cfg(feature = "flex")] {
//! let device = Device::flex();
//! let conv = Conv2dConfig::new([1, 16], [3, 3]).init(&device);
//! let norm = BatchNormConfig::new(16).init(&device);
//!
//! let images = Tensor::<4>::zeros([8, 1, 28, 28], &device);
//! let features = conv_block(images, &conv, Some(&norm), Order::ConvPoolNormRelu, true);
//! assert_eq!(features.dims(), [8, 16, 13, 13]);
//! assert_eq!(flatten(features).dims(), [8, 16 * 13 * 13]);
//! # }
//! ```
//!
//! The parameters are those of Burn's own modules, so a checkpoint does not know which code trained it.
//! On a device or for a shape that has no kernel the same call runs on Burn's own operations. The one
//! intended difference: a NaN under a max-pool is the maximum of its window, where Burn's backends may
//! skip it, so that a diverged training shows.
//!
//! # Layers
//!
//! - [`conv2d`] and [`linear`]: layers that read as Burn's, `conv2d(x, &conv).norm(..).relu().tensor()`, and run as
//!   one operation.
//! - [`conv_block`], [`flatten`], [`dense_block`], [`cross_entropy`]: Burn tensors in, Burn tensors out,
//!   recorded for autodiff. They decide whether the kernels cover a call. [`from_vec`] makes the tensors that
//!   go in.
//! - [`conv`], [`dense`]: the kernels, on slices, without Burn.
//! - [`inference`]: a whole network that learns no more, prepared once, from bytes to what the last layer says.
//!
//! Tensors that come out of a block have Burn's shape `[batch, channels, height, width]`, but their values
//! lie with the channels last, which the next block reads without a copy.
//!
//! # Threads
//!
//! Work is spread over rayon's pool. A program whose training loop runs on a thread of that pool, inside
//! `rayon::scope(|_| ...)`, saves waking a thread and being woken at every operation, which a step of a few
//! milliseconds feels. Inside [`awake`] the other threads don't fall asleep between its operations either.
//!
//! Results are the same bits on any number of threads. They differ in the last bits between instruction
//! sets, which are chosen at run time.
//!
//! # Features
//!
//! `ndarray` and `flex` bring the kernels for these backends, `autodiff` their gradients, and `optim`
//! `AdamW`, Burn's optimizer in one pass over memory. Without any of them (`default-features = false`) there are the
//! kernels on slices, and Burn isn't compiled. `remote` has the kernels run on devices that another machine lends
//! through Burn's remote protocol, and `remote-server` lends them.

// What only a feature that is left out would use.
#![cfg_attr(not(all(feature = "autodiff", feature = "optim")), allow(dead_code))]
// Without a backend in main memory the slice kernels serve only those who call them directly.
#![cfg_attr(
    not(any(feature = "ndarray", feature = "flex")),
    allow(
        dead_code,
        unused_imports,
        unused_macros,
        unused_variables,
        unreachable_code
    )
)]

mod awake;
mod bf16;
mod chunks;
pub mod conv;
pub mod dense;
mod error;
pub mod inference;
#[cfg(target_arch = "x86_64")]
mod isa_entry;
#[cfg(feature = "burn")]
mod layers;
mod layout;
mod norm;
#[cfg(feature = "burn")]
mod ops;
#[cfg(feature = "optim")]
mod optim;
mod pool;
mod precision;
mod recycle;
mod scratch;
mod simd;

pub use awake::awake;
pub use error::Error;
#[cfg(feature = "burn")]
pub use layers::{Conv, Dense, conv2d, linear};
pub use norm::{Affine, Moments, Normalization};
#[cfg(feature = "optim")]
pub use ops::AdamW;
#[cfg(feature = "remote")]
pub use ops::remote;
#[cfg(feature = "burn")]
pub use ops::{
    NO_CLASS, Order, conv_block, cross_entropy, dense_block, flatten, from_vec, has_kernels,
};
pub use precision::Precision;
pub use simd::Isa;

/// The examples of the README are tests.
#[cfg(all(doctest, feature = "flex", feature = "autodiff"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
