//! A checkpoint as other programs have it, and theirs as a checkpoint.
//!
//! Knows checkpoints and how they decide; nothing of training, run folders, command lines or terminals.

#![forbid(unsafe_code)]

mod error;
mod folder;
pub mod onnx;
pub mod signature;

pub use error::ExchangeError;
pub use folder::{check_free, write_folder};
