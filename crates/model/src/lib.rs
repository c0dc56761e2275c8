//! A small convolutional network for images, its checkpoint format, and the classifier that loads a
//! checkpoint and answers with a probability for every class. Knows nothing of training, clocks, command
//! lines or terminals.
//!
//! What most callers need is one call:
//!
//! ```
//! use model::{Backend, Classifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir("../..")?;
//! let device = Backend::default().device()?;
//! let classifier = Classifier::load("artifacts/pretrained", &device)?;
//!
//! let image = [0u8; 28 * 28]; // row by row, 0 is background, 255 is ink
//! let answer = classifier.classify(&image)?;
//! println!("{} with {:.1} %", answer.name, 100.0 * answer.confidence);
//! # assert_ne!(answer.decision, model::Decision::Accept, "there is no digit on an empty page");
//! # Ok(())
//! # }
//! ```
//!
//! `examples/` has the three ways to load one: from a folder, compiled in, and from bytes that came from
//! anywhere. The crate depends neither on a training loop nor on automatic differentiation.

pub mod backend;
mod calibrate;
pub mod checkpoint;
mod classifier;
mod config;
mod init;
mod network;
mod output;
mod precision;
mod prepared;
mod shapes;
mod summary;
mod views;

pub use backend::{Backend, BackendError};
pub use burn::tensor::Device;
pub use calibrate::{Beside, CalibrationError, Seen};
pub use checkpoint::{CheckpointError, Manifest, PictureInput, Provenance};
pub use classifier::{Answer, Classifier, ShapeError};
pub use config::{BlockConfig, ConfigError, NetworkConfig, Order};
pub use data::{ImageShape, Normalization};
pub use evaluation::{Calibration, Classification, Decision, ReviewReason};
pub use kernels::inference::Precision as InferencePrecision;
pub use network::{Block, Dense, Network};
pub use output::Output;
pub use precision::Precision;
pub use prepared::{PrecisionError, Prepared, Response};
pub use shapes::{BlockShapes, Shapes};
pub use summary::{Layer, Summary};
pub use views::{Views, ViewsError};
