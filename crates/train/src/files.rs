//! What is asked of the file system.

use std::{fs, io, path::Path};

/// Whether a file can't be locked because its file system knows no locks, or no server that keeps them.
pub(crate) fn has_no_locks(error: &io::Error) -> bool {
    #[cfg(unix)]
    let no_server = error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error());
    #[cfg(not(unix))]
    let no_server = false;
    no_server || error.kind() == io::ErrorKind::Unsupported
}

/// Whether there is a file of that name; what is there and no regular one is an error.
pub(crate) fn is_file(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(_) => Err(io::Error::other("not a regular file, take it away")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
