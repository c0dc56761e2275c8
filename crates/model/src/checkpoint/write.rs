//! Writing: all files under a temporary name beside the destination, synced, then one rename.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{CheckpointError, SUMS};

/// What the names of unfinished folders start with.
const PARTIAL: &str = ".partial-";

/// Writes the files as the checkpoint folder `destination`. The rename at the end is the commit:
/// before it the folder is as it was, after it every byte is on disk. An existing folder is
/// replaced.
///
/// # Errors
/// [`CheckpointError::Write`]; the destination is as it was.
pub fn write(destination: &Path, files: &[(&str, &[u8])]) -> Result<(), CheckpointError> {
    let parent = parent_of(destination);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| CheckpointError::Write { path, source }
    };
    fs::create_dir_all(&parent).map_err(failed(&parent))?;
    let partial = tempfile::Builder::new()
        .prefix(PARTIAL)
        .tempdir_in(&parent)
        .map_err(failed(&parent))?;
    // tempfile makes folders private to the user; a checkpoint is meant to be handed on.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(partial.path(), fs::Permissions::from_mode(0o755))
            .map_err(failed(partial.path()))?;
    }
    let sums = sums(files);
    for (name, bytes) in files.iter().copied().chain([(SUMS, sums.as_bytes())]) {
        write_file(&partial.path().join(name), bytes).map_err(failed(&destination.join(name)))?;
    }
    sync_folder(partial.path()).map_err(failed(partial.path()))?;
    commit(partial.path(), destination).map_err(failed(destination))?;
    sync_folder(&parent).map_err(failed(&parent))
}

/// Removes a checkpoint so that no half of it is ever seen under its name.
///
/// # Errors
/// [`CheckpointError::Write`] if it can't be removed.
pub fn remove(checkpoint: &Path) -> Result<(), CheckpointError> {
    let aside = aside(checkpoint);
    fs::rename(checkpoint, &aside)
        .and_then(|()| fs::remove_dir_all(&aside))
        .map_err(|source| CheckpointError::Write {
            path: checkpoint.to_owned(),
            source,
        })
}

/// Removes what interrupted writes left in `folder`; a folder that isn't there has nothing left.
///
/// # Errors
/// [`CheckpointError::Write`] if something can't be removed.
pub fn remove_partial(folder: &Path) -> Result<(), CheckpointError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(CheckpointError::Read {
                path: folder.to_owned(),
                source,
            });
        }
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            fs::remove_dir_all(entry.path()).map_err(|source| CheckpointError::Write {
                path: entry.path(),
                source,
            })?;
        }
    }
    Ok(())
}

/// The content of `SHA256SUMS` for these files: names sorted, lower-case digests, two spaces.
pub(super) fn sums(files: &[(&str, &[u8])]) -> String {
    let mut files = files.to_vec();
    files.sort_by_key(|(name, _)| *name);
    let mut out = String::new();
    for (name, bytes) in files {
        for byte in Sha256::digest(bytes) {
            // Writing to a String can't fail.
            let _ = write!(out, "{byte:02x}");
        }
        let _ = writeln!(out, "  {name}");
    }
    out
}

fn commit(partial: &Path, destination: &Path) -> io::Result<()> {
    match fs::rename(partial, destination) {
        // A folder that has files in it can't be renamed over: move it aside first.
        Err(_) if destination.is_dir() => {
            let aside = aside(destination);
            fs::rename(destination, &aside)?;
            if let Err(error) = fs::rename(partial, destination) {
                fs::rename(&aside, destination)?;
                return Err(error);
            }
            fs::remove_dir_all(&aside)
        }
        result => result,
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a folder durable. Windows has no such call and needs none.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A name beside `path` that the next [`remove_partial`] takes away.
fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let id = std::process::id();
    parent_of(path).join(format!("{PARTIAL}old-{id}-{name}"))
}
