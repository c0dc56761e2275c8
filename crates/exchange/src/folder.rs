//! The folder of an export: whole or not at all, and nobody else's.

use std::{ffi::OsString, fs, io, path::Path};

use model::checkpoint::{Checkpoint, SUMS, is_strewn};

use crate::{ExchangeError, staging};

/// Writes files as the folder `destination`, together with their `SHA256SUMS`: whole or not at all. What was
/// written is read again. Where there is an export already, it is replaced only if `replace` says so.
///
/// # Errors
/// Those of [`check_free`]; [`ExchangeError::Write`] if the operating system refuses to write, and
/// [`ExchangeError::Invalid`] if what is read isn't what was written.
pub fn write_folder(
    destination: &Path,
    files: &[(&str, &[u8])],
    replace: bool,
) -> Result<(), ExchangeError> {
    check_free(destination, replace)?;
    staging::write(destination, files)?;
    for (name, bytes) in files {
        let path = destination.join(name);
        let found = fs::read(&path).map_err(unreadable(&path))?;
        if found != *bytes {
            return Err(ExchangeError::Invalid {
                path,
                problem: "it isn't what was written; check the disk, and export again".into(),
            });
        }
    }
    Ok(())
}

/// Refuses what [`write_folder`] doesn't replace, before any work is done: whatever isn't an export, which is
/// a folder of nothing but what its `SHA256SUMS` names, and no checkpoint. An empty folder is free.
///
/// # Errors
/// [`ExchangeError::Foreign`]; [`ExchangeError::Exists`] where `replace` would help; [`ExchangeError::Read`] if
/// it can't be told.
pub fn check_free(destination: &Path, replace: bool) -> Result<(), ExchangeError> {
    let foreign = |problem: &str| {
        Err(ExchangeError::Foreign {
            path: destination.to_owned(),
            problem: problem.to_owned(),
        })
    };
    let names: Vec<_> = match fs::read_dir(destination) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return foreign("a file is there already");
        }
        entries => entries
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
            .map_err(unreadable(destination))?,
    };
    if names.is_empty() {
        return Ok(());
    }
    let sums = fs::read_to_string(destination.join(SUMS)).unwrap_or_default();
    // 64 digits and two spaces stand before the name, and a folder may stand before a file.
    let listed = sums.lines().filter_map(|line| line.get(66..));
    let listed: Vec<_> = listed.filter_map(|name| name.split('/').next()).collect();
    let own = |name: &OsString| {
        name == SUMS || is_strewn(name) || listed.iter().any(|listed| name == listed)
    };
    if listed.is_empty() || !names.iter().all(own) {
        return foreign("what is there already is no export");
    }
    if Checkpoint::open(destination).is_ok() {
        return foreign("a checkpoint is there already");
    }
    match replace {
        true => Ok(()),
        false => Err(ExchangeError::Exists {
            path: destination.to_owned(),
        }),
    }
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ExchangeError {
    let path = path.to_owned();
    move |source| ExchangeError::Read { path, source }
}
