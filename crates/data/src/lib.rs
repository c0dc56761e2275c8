//! Images with a shape and named classes: verified bytes in, normalized batches out. Knows no model.
//!
//! The way of the data, one module per step:
//!
//! 1. `Source` finds the files: MNIST compiled in, IDX files or pictures in a folder, or downloaded.
//! 2. `idx` checks every byte of them and gives [`LabelledImages`], kept once as bytes.
//! 3. [`split`] divides the training images into training and validation, evenly by class.
//! 4. [`Normalization`] maps a byte to the network's input; [`Augmentation`] bends an image.
//! 5. [`Loader`] shuffles, augments, normalizes and gives each [`Batch`] as one tensor.
//!
//! All randomness is a function of (seed, epoch, image index): no clock, no thread, no hidden state.
//! What is known of one data set and no other is in [`mnist`].
//!
#![cfg_attr(feature = "bundled", doc = "```")]
#![cfg_attr(not(feature = "bundled"), doc = "```ignore")]
//! # fn main() -> Result<(), data::DataError> {
//! use data::{Normalization, Source, mnist};
//!
//! let train = Source::Bundled.train(&())?;
//! let test = Source::Bundled.test(&train.spec(), &())?;
//! assert_eq!(test.len(), 10_000);
//! assert_eq!(test.classes().name(test.label(0).into()), "7");
//! assert!(test.digest().is(&mnist::TEST));
//!
//! let mut input = Vec::new();
//! let normalization = Normalization::of(&train);
//! normalization.apply(test.shape(), test.image(0), &mut input); // [1, 28, 28], mean about 0
//! assert_eq!(input.len(), 28 * 28);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod augmentation;
mod batcher;
mod classes;
mod digest;
#[cfg(feature = "download")]
mod download;
mod drawn;
mod error;
#[cfg(feature = "files")]
mod folder;
mod header;
#[cfg(feature = "files")]
pub mod idx;
mod images;
#[cfg(feature = "files")]
mod listing;
mod loader;
pub mod mnist;
#[cfg(feature = "files")]
mod names;
mod normalization;
mod random;
mod reading;
mod shape;
#[cfg(feature = "files")]
mod source;
mod split;
#[cfg(feature = "pictures")]
mod tree;
#[cfg(all(feature = "files", not(feature = "pictures")))]
#[path = "no_tree.rs"]
mod tree;

pub use augmentation::{Augmentation, Draw, Scratch};
pub use batcher::Batch;
pub use classes::Classes;
pub use digest::SplitDigest;
#[cfg(feature = "download")]
pub use download::Downloader;
pub use error::DataError;
pub use images::{Item, LabelledImages, Spec};
pub use loader::{Batches, Loader};
pub use normalization::Normalization;
pub use random::Random;
pub use reading::{FolderOptions, Observer};
pub use shape::ImageShape;
#[cfg(feature = "files")]
pub use source::Source;
pub use split::{Split, split};
