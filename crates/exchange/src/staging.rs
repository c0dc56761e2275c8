//! Folders that appear as a whole: written in a hidden folder beside the destination that bears its name, so that
//! what a process that died has left there is known by the next.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use model::{CheckpointError, checkpoint};

use crate::ExchangeError;

/// Begins as the names of all unfinished folders do.
const HIDDEN: &str = ".partial-export-";
/// Locked as long as the process lives that writes.
const LOCK: &str = "lock";
const NEW: &str = "new";
const OLD: &str = "old";

const UNTOUCHED: &str = "what was there before is untouched";

/// Writes files as the folder `destination`, with their digests, as [`checkpoint::write`] does. What a process left
/// that died while it wrote to the same destination is removed.
///
/// # Errors
/// [`ExchangeError::Write`], which says what is on disk; also if another process is writing there.
pub(crate) fn write(destination: &Path, files: &[(&str, &[u8])]) -> Result<(), ExchangeError> {
    let failed = |left: &str| {
        let (path, left) = (destination.to_owned(), left.to_owned());
        move |source| ExchangeError::Write { path, source, left }
    };
    let begun = check_removable(destination).and_then(|()| Staging::begin(destination));
    let Some(staging) = begun.map_err(failed(UNTOUCHED))? else {
        return Ok(checkpoint::write(destination, files)?);
    };
    let new = staging.path.join(NEW);
    checkpoint::write(&new, files).map_err(|error| match error {
        CheckpointError::Write { path, source, .. } => ExchangeError::Write {
            path: match path.strip_prefix(&new) {
                Ok(inner) => destination.join(inner),
                Err(_) => destination.to_owned(),
            },
            source,
            left: UNTOUCHED.to_owned(),
        },
        error => error.into(),
    })?;
    staging.commit(destination).map_err(failed(UNTOUCHED))?;
    let left = "the new one is in its place, but may not outlast a loss of power";
    sync(&parent_of(destination)).map_err(failed(left))
}

/// The hidden folder of a process that writes; removed when dropped.
struct Staging {
    path: PathBuf,
    lock: File,
}

impl Staging {
    /// Makes the folder, or empties that of a process that died; none where files can't be locked, so that nothing
    /// tells whether one did.
    fn begin(destination: &Path) -> io::Result<Option<Self>> {
        let mut name = OsString::from(HIDDEN);
        name.push(destination.file_name().unwrap_or_default());
        let path = parent_of(destination).join(name);
        fs::create_dir_all(&path)?;
        let lock = path.join(LOCK);
        let file = File::options().create(true).append(true).open(&lock)?;
        match file.try_lock() {
            // Whoever had it may have removed it since it was opened here.
            Ok(()) if lock.exists() => {}
            Ok(()) | Err(TryLockError::WouldBlock) => {
                let problem = "another process is writing there, wait for it to end";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, problem));
            }
            Err(TryLockError::Error(_)) => {
                drop(file);
                fs::remove_dir_all(&path)?;
                return Ok(None);
            }
        }
        let staging = Staging { path, lock: file };
        staging.restore(destination)?;
        for entry in fs::read_dir(&staging.path)? {
            let entry = entry?;
            if entry.file_name() != LOCK {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(Some(staging))
    }

    /// Brings back what was to be replaced, where its replacement didn't come.
    fn restore(&self, destination: &Path) -> io::Result<()> {
        let old = self.path.join(OLD);
        match old.exists() && destination.symlink_metadata().is_err() {
            true => checkpoint::rename(&old, destination),
            false => Ok(()),
        }
    }

    /// Gives what was written the name of the destination.
    fn commit(&self, destination: &Path) -> io::Result<()> {
        let new = self.path.join(NEW);
        match fs::rename(&new, destination) {
            // A folder that has files in it can't be renamed over.
            Err(_) if destination.is_dir() => {}
            result => return result,
        }
        // Linux can exchange the two names at once.
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{CWD, RenameFlags, renameat_with};
            if renameat_with(CWD, &new, CWD, destination, RenameFlags::EXCHANGE).is_ok() {
                return Ok(());
            }
        }
        checkpoint::rename(destination, &self.path.join(OLD))?;
        let renamed = fs::rename(&new, destination);
        self.restore(destination)?;
        renamed
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What can't be removed is there for the next process; some systems don't remove a locked file.
        if fs::remove_dir_all(&self.path).is_err() {
            let _ = self.lock.unlock();
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Refuses a folder whose files may not be removed, while it still has its name.
fn check_removable(path: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Access, access};
        if path.is_dir() && access(path, Access::WRITE_OK | Access::EXEC_OK).is_err() {
            let problem = "what is there is write-protected, make it writable";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
        }
    }
    let _ = path;
    Ok(())
}

/// Makes the names in a folder durable, where the file system can.
fn sync(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        match File::open(folder)?.sync_all() {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            result => return result,
        }
    }
    Ok(())
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
