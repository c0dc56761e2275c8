//! A small convolutional network for 28×28 images, its checkpoint format, and the classifier that
//! loads a checkpoint and answers with a probability for every digit.
//!
//! What most callers need is one call:
//!
//! ```no_run
//! use model::{Backend, Classifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = Backend::default().device()?;
//! let classifier = Classifier::load("artifacts/pretrained", &device)?;
//!
//! let image = [0u8; 28 * 28]; // row by row, 0 is background, 255 is ink
//! let answer = classifier.classify(&image);
//! println!("{} with {:.1} %", answer.digit, 100.0 * answer.confidence);
//! # Ok(())
//! # }
//! ```
//!
//! The crate depends neither on a training loop nor on automatic differentiation.

pub mod backend;
pub mod checkpoint;
mod classifier;
mod init;
mod network;
mod summary;

pub use backend::{Backend, BackendError};
pub use burn::tensor::Device;
pub use checkpoint::{CheckpointError, Manifest, Provenance};
pub use classifier::{Classifier, Output};
pub use data::{CLASSES, HEIGHT, Normalization, PIXELS, WIDTH};
pub use evaluation::{Calibration, Classification, Decision, ReviewReason};
pub use network::{Block, BlockConfig, ConfigError, Dense, Network, NetworkConfig, Order};
pub use summary::{Layer, Summary};
