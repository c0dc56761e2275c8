//! Writing: all files under a temporary name beside the destination, synced, then one rename.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::disk::{check_removable, parent_of, remove_any, sync_folder, write_file};
use super::sums::sums;
use super::{Checkpoint, CheckpointError, SUMS, is_strewn};

/// What the names of unfinished folders and files start with.
const PARTIAL: &str = ".partial-";
/// What the name of a whole checkpoint starts with while another takes its place.
const REPLACED: &str = ".replaced-";

/// What an error says of the disk where nothing was changed.
const UNTOUCHED: &str = "what was there before is untouched";

/// Writes the files as the checkpoint folder `destination`, or any other that has digests; a name may have a
/// folder before a `/`. The rename at the end is the commit:
/// before it the folder is as it was, after it every byte is on disk. An existing folder is
/// replaced.
///
/// # Errors
/// [`CheckpointError::Write`], whose `left` says what is on disk: until the commit the destination
/// is as it was; a failure after it leaves the new checkpoint in its place.
pub fn write(destination: &Path, files: &[(&str, &[u8])]) -> Result<(), CheckpointError> {
    let parent = parent_of(destination);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| CheckpointError::Write {
            path,
            source,
            left: UNTOUCHED.to_owned(),
        }
    };
    check_removable(destination).map_err(failed(destination))?;
    fs::create_dir_all(&parent).map_err(failed(&parent))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(PARTIAL);
    // tempfile makes folders private to the user; a checkpoint is meant to be handed on, as far as
    // the user's mask allows.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o777));
    }
    let partial = builder.tempdir_in(&parent).map_err(failed(&parent))?;
    let sums = sums(files);
    let mut inner = BTreeSet::new();
    let mut written = Vec::with_capacity(files.len() + 1);
    for (name, bytes) in files.iter().copied().chain([(SUMS, sums.as_bytes())]) {
        let path = partial.path().join(name);
        if let Some((folder, _)) = name.rsplit_once('/') {
            let folder = partial.path().join(folder);
            fs::create_dir_all(&folder).map_err(failed(&destination.join(name)))?;
            inner.insert(folder);
        }
        let file = write_file(&path, bytes).map_err(failed(&destination.join(name)))?;
        written.push((name, file));
    }
    // What the first waits for is of all of them, where the disk takes them together.
    for (name, file) in written {
        file.sync_all().map_err(failed(&destination.join(name)))?;
    }
    for folder in &inner {
        sync_folder(folder).map_err(failed(folder))?;
    }
    sync_folder(partial.path()).map_err(failed(partial.path()))?;
    commit(partial.path(), destination)?;
    sync_folder(&parent).map_err(|source| CheckpointError::Write {
        path: destination.to_owned(),
        source,
        left: "the new checkpoint is in its place, but may not outlast a loss of power".into(),
    })
}

/// Removes a checkpoint so that no half of it is seen under its name, where folders can be renamed. One
/// that isn't there is removed already.
///
/// # Errors
/// [`CheckpointError::Write`] if it can't be removed.
pub fn remove(checkpoint: &Path) -> Result<(), CheckpointError> {
    let aside = beside(checkpoint, PARTIAL);
    let failed = |left: String| {
        move |source| CheckpointError::Write {
            path: checkpoint.to_owned(),
            source,
            left,
        }
    };
    check_removable(checkpoint)
        .and_then(|()| remove_any(&aside))
        .map_err(failed(UNTOUCHED.to_owned()))?;
    match fs::rename(checkpoint, &aside) {
        // A folder of a container's image; half of it is no checkpoint, by its digests.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            remove_any(checkpoint).map_err(failed("a part of it may be removed".to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(UNTOUCHED.to_owned())(error)),
        Ok(()) => remove_any(&aside).map_err(failed(format!(
            "what is left of it is now {}",
            aside.display()
        ))),
    }
}

/// Removes what interrupted writes left in `folder`, and brings back a checkpoint whose replacement
/// was interrupted. A folder that isn't there has nothing left.
///
/// # Errors
/// [`CheckpointError::Write`] if something can't be removed.
pub fn remove_partial(folder: &Path) -> Result<(), CheckpointError> {
    let read_error = |source| CheckpointError::Read {
        path: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(read_error)?,
    };
    for entry in entries {
        let path = entry.map_err(read_error)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let result = match name.strip_prefix(REPLACED) {
            Some(replaced) => {
                let destination = folder.join(replaced);
                match is_lost(&destination, &path)? {
                    true => remove_any(&destination).and_then(|()| rename(&path, &destination)),
                    false => remove_any(&path),
                }
            }
            None if name.starts_with(PARTIAL) => remove_any(&path),
            None => Ok(()),
        };
        result.map_err(|source| CheckpointError::Write {
            path: path.clone(),
            source,
            left: "this is what an interrupted write left, the next attempt begins with it".into(),
        })?;
    }
    Ok(())
}

/// Whether a checkpoint that was to be replaced is gone, or half gone, while it is whole under the name
/// that it got for that time.
fn is_lost(path: &Path, replaced: &Path) -> Result<bool, CheckpointError> {
    match Checkpoint::open(path) {
        Err(CheckpointError::Missing { .. }) => Ok(true),
        Err(CheckpointError::Damaged { .. } | CheckpointError::Foreign { .. }) => {
            Ok(Checkpoint::open(replaced).is_ok())
        }
        Err(error @ CheckpointError::Read { .. }) => Err(error),
        _ => Ok(false),
    }
}

/// Gives the new checkpoint the name of the old one.
fn commit(partial: &Path, destination: &Path) -> Result<(), CheckpointError> {
    match fs::rename(partial, destination) {
        // A folder that has files in it can't be renamed over.
        Err(_) if destination.is_dir() => replace(partial, destination),
        Err(source) => Err(CheckpointError::Write {
            path: destination.to_owned(),
            source,
            left: UNTOUCHED.to_owned(),
        }),
        Ok(()) => Ok(()),
    }
}

/// Puts the new checkpoint in the place of the old one and removes the old one.
fn replace(partial: &Path, destination: &Path) -> Result<(), CheckpointError> {
    let failed = |left: String| {
        move |source| CheckpointError::Write {
            path: destination.to_owned(),
            source,
            left,
        }
    };
    let replaced = |old: &Path| {
        failed(format!(
            "the new checkpoint is in its place; what is left of the older one is {}",
            old.display()
        ))
    };
    // Linux can exchange the two names at once.
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, partial, CWD, destination, RenameFlags::EXCHANGE).is_ok() {
            return remove_any(partial).map_err(replaced(partial));
        }
    }
    // Elsewhere there is an instant between two renames; `remove_partial` mends what ends there.
    let aside = beside(destination, REPLACED);
    remove_any(&aside).map_err(failed(UNTOUCHED.to_owned()))?;
    let set_aside = || format!("what was there before is now {}", aside.display());
    if let Err(source) = rename(destination, &aside) {
        let left = match aside.symlink_metadata() {
            Ok(_) => set_aside(),
            Err(_) => UNTOUCHED.to_owned(),
        };
        return Err(failed(left)(source));
    }
    if let Err(source) = fs::rename(partial, destination) {
        let left = match rename(&aside, destination) {
            Ok(()) => UNTOUCHED.to_owned(),
            Err(_) => set_aside(),
        };
        return Err(failed(left)(source));
    }
    remove_any(&aside).map_err(replaced(&aside))
}

/// Gives a checkpoint another name in the same folder, where there is nothing of that name.
///
/// A folder that is part of a container's image can't be renamed there: it is copied, and the name
/// appears at once all the same.
///
/// # Errors
/// The operating system's.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
        result => return result,
    }
    let copy = tempfile::Builder::new()
        .prefix(PARTIAL)
        .tempdir_in(parent_of(to))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if is_strewn(&entry.file_name()) {
            continue;
        }
        let file = copy.path().join(entry.file_name());
        fs::copy(entry.path(), &file)?;
        File::open(&file)?.sync_all()?;
    }
    fs::set_permissions(copy.path(), fs::metadata(from)?.permissions())?;
    sync_folder(copy.path())?;
    fs::rename(copy.path(), to)?;
    sync_folder(&parent_of(to))?;
    remove_any(from)
}

/// The name of `path` with a prefix that [`remove_partial`] knows.
fn beside(path: &Path, prefix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    parent_of(path).join(format!("{prefix}{name}"))
}
