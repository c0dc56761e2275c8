//! Trains a [`model::Network`] with Burn's `Learner` and leaves a run folder with verified
//! checkpoints. The binary of the same name is a thin layer above [`run`].

// The types of wgpu nest deeper than the compiler's default allows.
#![recursion_limit = "256"]

pub mod agreement;
mod also;
mod args;
pub mod average;
mod calibrate;
mod check;
pub mod checkpointer;
pub mod config;
mod epoch;
mod failure;
mod files;
mod finish;
mod inputs;
mod interrupt;
pub mod journal;
mod keys;
mod latest;
pub mod learner;
#[cfg(feature = "remote-server")]
mod lend;
#[cfg(feature = "remote")]
mod lenders;
#[cfg(not(feature = "remote"))]
#[path = "no_lenders.rs"]
mod lenders;
mod live;
mod live_page;
mod member;
mod more;
mod outcome;
mod paths;
mod pending;
mod plan;
mod precision;
mod progress;
mod recipe;
pub mod records;
mod resolve;
mod restore;
mod run;
pub mod run_dir;
pub mod schedule;
mod sheet;
mod start;
pub mod state;
mod steps;
mod strategy;
mod summary;
mod sweep;
mod tensorboard;
mod terminal;
mod together;
mod watchers;

pub use args::{Args, Command};
pub use config::Config;
pub use failure::Failure;
pub use progress::say;
pub use run::{run, serve};
pub use sweep::{Shard, SweepArgs};
