//! Why a file gives no picture.

use crate::limits::{MAX_BYTES, MAX_MEMORY};

/// Why a file gives no picture. Each message is one line that says what happened and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The operating system refused to open or read the file.
    #[error("cannot read {file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The path names a folder, a pipe or a device.
    #[error("{file} is not a regular file: name a picture")]
    NotAFile {
        /// The path.
        file: String,
    },
    /// It is unknown which way is up: programs disagree on the file's note of it, or it contradicts itself.
    #[error("{file} has an unclear note of which way is up: turn it upright and save it again")]
    Orientation {
        /// The file.
        file: String,
    },
    /// The bytes are not a picture in a format that this program reads, or are damaged.
    #[error("{file} is no picture that can be read ({reason}): save it again as PNG or JPEG")]
    Format {
        /// The file.
        file: String,
        /// The decoder's reason.
        reason: String,
    },
    /// The picture is larger than any that is needed, and reading it could exhaust the memory.
    #[error(
        "{file} is too large ({what}): scale it down or save it as JPEG; a file may have {} MB, and what is no JPEG {} MB when decoded",
        MAX_BYTES / 1_000_000,
        MAX_MEMORY / 1_000_000
    )]
    TooLarge {
        /// The file.
        file: String,
        /// Its size.
        what: String,
    },
}
