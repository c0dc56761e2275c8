//! What is asked of the file system.

use std::{
    fs::{self, File, TryLockError},
    io::{self, BufWriter, Write as _},
    path::Path,
};

/// What the names of unfinished files start with, as those of unfinished checkpoints do.
pub(crate) const PARTIAL: &str = ".partial-";

/// What came of locking a file. A lock ends with its process, however that ends.
#[derive(Debug)]
pub(crate) enum Lock {
    /// It is this process's until the file is dropped.
    Ours(File),
    /// Another process has it.
    Theirs,
    /// Files can't be locked here, for this reason; who else has it is not known.
    Unknown(File, io::Error),
}

/// Locks a file, which is made if it isn't there.
pub(crate) fn lock(path: &Path) -> io::Result<Lock> {
    is_file(path)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock::Ours(file)),
        Err(TryLockError::WouldBlock) => Ok(Lock::Theirs),
        Err(TryLockError::Error(error)) if has_no_locks(&error) => Ok(Lock::Unknown(file, error)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether a process has locked a file, as far as can be told.
pub(crate) fn is_locked(path: &Path) -> io::Result<bool> {
    if !is_file(path)? {
        return Ok(false);
    }
    // Shared with all who only ask, so that they don't take each other for its owner.
    match File::open(path)?.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) if !has_no_locks(&error) => Err(error),
        _ => Ok(false),
    }
}

/// Writes a file of a folder as a whole: under a temporary name, synced where asked to `wait`, renamed.
pub(crate) fn write_whole(
    folder: &Path,
    path: &Path,
    wait: bool,
    fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PARTIAL);
    // Who may read it is the user's mask to say.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder)?;
    let mut buffer = BufWriter::new(file.as_file());
    fill(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    if wait {
        file.as_file().sync_all()?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether a file can't be locked because its file system knows no locks, or no server that keeps them.
fn has_no_locks(error: &io::Error) -> bool {
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
