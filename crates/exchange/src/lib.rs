//! A checkpoint as other programs have it, and theirs as a checkpoint.
//!
//! Knows checkpoints and how they decide; nothing of training, run folders, command lines or terminals.

#![forbid(unsafe_code)]

mod architecture;
mod check;
mod error;
mod folder;
pub mod hub;
pub mod import;
mod layers;
mod network_py;
pub mod onnx;
mod safetensors;
pub mod signature;
mod staging;

pub use architecture::{Architecture, CONFIG_JSON, ClassNames};
pub use check::IMAGES as CHECK_IMAGES;
pub use error::ExchangeError;
pub use folder::{check_free, write_folder};
pub use import::{Imported, check_place, import, import_from};
pub use network_py::{NETWORK_PY, network_py};
pub use safetensors::{MODEL_SAFETENSORS, safetensors};
