use std::{io, path::PathBuf};

use model::CheckpointError;
use thiserror::Error;

/// Why something can't be exported or imported.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// The checkpoint itself can't be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Something is where the export should go.
    #[error("{path}: {problem}; name another folder", path = .path.display())]
    Exists {
        /// The folder that was to be written.
        path: PathBuf,
        /// Why it isn't replaced.
        problem: String,
    },
    /// What was written, or was to be, doesn't say what the checkpoint says.
    #[error("{file}: {problem}", file = .file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, and the way out.
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
    /// The operating system refused to write.
    #[error("{path}: can't write: {source}; check free space and permissions", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}
