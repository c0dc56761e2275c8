//! The folder of a checkpoint: its names, and its files up to a size.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use super::problem::{damaged, too_large, unreadable};
use super::{CheckpointError, MANIFEST, SUMS};

/// Which folder has the name at the moment; none where it isn't there or where that can't be asked for.
pub(super) fn identity(path: &Path) -> Option<[i128; 4]> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // Numbers of folders are used again, so the time at which it got its name belongs to it.
        fs::metadata(path).ok().map(|folder| {
            [
                folder.dev().into(),
                folder.ino().into(),
                folder.ctime().into(),
                folder.ctime_nsec().into(),
            ]
        })
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// The names in the folder of a checkpoint.
pub(super) fn list(path: &Path) -> Result<Vec<OsString>, CheckpointError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            return Err(CheckpointError::Foreign {
                path: path.to_owned(),
                problem: "a checkpoint is a folder and this is a file".into(),
            });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CheckpointError::Missing {
                path: path.to_owned(),
            });
        }
        Err(error) => return Err(unreadable(path)(error)),
    }
    let names: Vec<_> = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
        .map_err(unreadable(path))?;
    is_checkpoint(path, &names)?;
    Ok(names)
}

/// Whether files of these names can be those of a checkpoint.
pub(super) fn is_checkpoint(path: &Path, names: &[OsString]) -> Result<(), CheckpointError> {
    if names.iter().any(|name| name == MANIFEST || name == SUMS) {
        return Ok(());
    }
    Err(CheckpointError::Foreign {
        path: path.to_owned(),
        problem: format!("there is no {MANIFEST} in it"),
    })
}

/// Reads a file of the checkpoint, of at most `limit` bytes; none if it isn't there.
pub(super) fn read_part(
    folder: &Path,
    name: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, CheckpointError> {
    let path = folder.join(name);
    // Asked before opening: opening a pipe would wait for a writer.
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(damaged(folder, name, "not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&path)(error)),
    }
    match read_file(&path, limit).map_err(unreadable(&path))? {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(too_large(folder, name, limit)),
    }
}

/// Reads a file of at most `limit` bytes; none if it is larger, whatever its metadata says.
pub(super) fn read_file(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > limit {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(length as usize + 1);
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}
