//! The checkpoint: a folder that holds everything that turns raw bytes into probabilities.
//!
//! | file | content |
//! |---|---|
//! | `checkpoint.json` | a [`Manifest`]: architecture, shape of the input, classes, normalization, members and views, calibration and limits, metrics, provenance, and the training state if training can go on from here |
//! | `model.bpk` | the weights, in Burn's burnpack format |
//! | `model-2.bpk` … `model-N.bpk` | those of the other members, where several networks answer together |
//! | `optimizer.bpk`, `scheduler.bpk` | training checkpoints only |
//! | `live.bpk` | only where training averages weights: those that it goes on from, while `model.bpk` holds the average |
//! | `SHA256SUMS` | the digests of all the others; `sha256sum -c SHA256SUMS` checks them too |
//!
//! A signature may lie beside them, `model.sig`, which says whose they are and is no part of the checkpoint.
//!
//! [`write()`] makes the whole folder appear at once: a reader finds it complete or not at all.
//! [`Checkpoint::open`] believes no byte before it has compared it with `SHA256SUMS`. A file of another
//! name is damage, unless a desktop or a server strews it ([`is_strewn`]).

mod disk;
mod folder;
mod manifest;
mod problem;
mod read;
mod strewn;
mod sums;
mod transfer;
mod versions;
mod write;

use std::{io, path::PathBuf};

use thiserror::Error;

pub use manifest::{
    CalibratedOn, DataDigests, FORMAT_VERSION, MAX_MEMBERS, Manifest, PictureInput, Provenance,
    Versions,
};
pub use read::Checkpoint;
pub use strewn::is_strewn;
pub use transfer::{TransferError, Transferred};
pub use write::{remove, remove_partial, rename, write};

/// The manifest's file name.
pub const MANIFEST: &str = "checkpoint.json";
/// The weights' file name: those of the first member, where there are several.
pub const MODEL: &str = "model.bpk";
/// The file name of the weights that training goes on from, where [`MODEL`] holds their average.
pub const LIVE: &str = "live.bpk";
/// The optimizer state's file name.
pub const OPTIMIZER: &str = "optimizer.bpk";
/// The learning-rate scheduler state's file name.
pub const SCHEDULER: &str = "scheduler.bpk";
/// The digests' file name.
pub const SUMS: &str = "SHA256SUMS";

/// The file name of a signature of all of them: none of these, and not read here.
pub const SIGNATURE: &str = "model.sig";

/// The file name of a member's weights, counted from 0: [`MODEL`], `model-2.bpk`, `model-3.bpk`, …
pub fn model_file(member: usize) -> String {
    match member {
        0 => MODEL.to_owned(),
        _ => format!("model-{}.bpk", member + 1),
    }
}

/// Why a checkpoint can't be written or believed.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// There is nothing at the path.
    #[error("{path}: no checkpoint here; check the path", path = .path.display())]
    Missing {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// Something is there, but it isn't a checkpoint folder.
    #[error("{path}: not a checkpoint: {problem}", path = .path.display())]
    Foreign {
        /// The path that was asked for.
        path: PathBuf,
        /// What gave it away.
        problem: String,
    },
    /// A file is missing, cut short, changed, or doesn't belong.
    #[error("{path}: damaged checkpoint: {problem}; restore this checkpoint from a copy or use another one", path = .path.display())]
    Damaged {
        /// The file that is not as it was written.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The checkpoint was written by a newer version of this program.
    #[error("{path}: checkpoint format version {found} is newer than {FORMAT_VERSION}, the newest that this program reads; update the program", path = .path.display())]
    Newer {
        /// The manifest.
        path: PathBuf,
        /// The version that it states.
        found: u64,
    },
    /// The files are as they were written, but their content makes no sense.
    #[error("{path}: {problem}; the checkpoint was not written by this program, use another one", path = .path.display())]
    Invalid {
        /// The file with the offending content.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The operating system refused to read.
    #[error("{path}: can't read: {source}; check that it exists and that you may read it", path = .path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system refused to write or to remove.
    #[error("{path}: can't write the checkpoint: {source}; check free space and permissions ({left})", path = .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
        /// What is on disk now, in words.
        left: String,
    },
}
