//! MNIST and every data set in its format: verified bytes in, normalized batches out.
//!
//! The way of the data, one module per step:
//!
//! 1. [`Source`] finds the four IDX files: compiled in, in a folder, or downloaded and verified.
//! 2. [`idx`] checks every byte of them and gives [`LabelledImages`], kept once as bytes.
//! 3. [`split`] divides the training images into training and validation, evenly by label.
//! 4. [`Normalization`] maps a pixel to the network's input; [`Augmentation`] bends an image.
//! 5. [`Loader`] shuffles, augments, normalizes and gives each [`Batch`] as one tensor.
//!
//! All randomness is a function of (seed, epoch, image index): no clock, no thread, no hidden state.
//!
#![cfg_attr(feature = "bundled", doc = "```")]
#![cfg_attr(not(feature = "bundled"), doc = "```no_run")]
//! # fn main() -> Result<(), data::DataError> {
//! use data::{MNIST_TEST, Normalization, Source};
//!
//! let test = Source::Bundled.test()?;
//! assert_eq!(test.len(), 10_000);
//! assert_eq!(test.label(0), 7);
//! assert!(test.digest().is(&MNIST_TEST));
//!
//! let mut input = Vec::new();
//! Normalization::MNIST.apply(test.image(0), &mut input); // [784], mean about 0
//! assert_eq!(input.len(), data::PIXELS);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod augmentation;
mod canvas;
mod corruption;
#[cfg(feature = "download")]
mod download;
mod error;
mod folder;
pub mod idx;
mod images;
mod ink;
mod loader;
mod mnist;
mod non_digit;
mod normalization;
mod random;
mod source;
mod split;

pub use augmentation::Augmentation;
pub use corruption::Corruption;
#[cfg(feature = "download")]
pub use download::Downloader;
pub use error::DataError;
pub use images::{Item, LabelledImages, SplitDigest};
pub use ink::{Ink, InkLimits};
pub use loader::{Batch, Batches, Loader};
pub use mnist::{KnownSplit, MNIST_FILES, MNIST_MIRRORS, MNIST_TEST, MNIST_TRAIN, PublishedFile};
pub use non_digit::NonDigit;
pub use normalization::Normalization;
pub use random::Random;
pub use source::Source;
pub use split::{Split, split};

/// Rows of an image.
pub const HEIGHT: usize = 28;
/// Columns of an image.
pub const WIDTH: usize = 28;
/// Pixels of an image, stored row by row.
pub const PIXELS: usize = HEIGHT * WIDTH;
/// Classes that a label can name: 0 to 9.
pub const CLASSES: usize = 10;
