use std::{io, path::PathBuf};

use model::CheckpointError;
use thiserror::Error;

/// Why something can't be exported or imported.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// The checkpoint can't be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// An export, or a checkpoint, is where another should go, and nobody said that it may be replaced.
    #[error("{path}: there is an export or a checkpoint already; name another folder", path = .path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Something that is no export is where one should go.
    #[error("{path}: {problem}; name another folder", path = .path.display())]
    Foreign {
        /// The folder or file.
        path: PathBuf,
        /// What it is.
        problem: String,
    },
    /// A file doesn't say what it should.
    #[error("{path}: {problem}", path = .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
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
    #[error("{path}: can't write: {source}; check free space and permissions ({left})", path = .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
        /// What is on disk now, in words.
        left: String,
    },
}
