//! The folder of an export: whole or not at all, and nobody else's.

use std::{fs, io, path::Path};

use model::checkpoint::{self, SUMS, is_strewn};

use crate::ExchangeError;

/// Writes files as the folder `destination`, together with their `SHA256SUMS`: whole or not at all. Where
/// something is there already, it is replaced only if `replace` says so, and if it is an export itself: a
/// folder of nothing but what its `SHA256SUMS` names.
///
/// # Errors
/// [`ExchangeError::Exists`] if something is there that isn't replaced, [`ExchangeError::Checkpoint`] with
/// what is on disk if the operating system refuses to write.
pub fn write_folder(
    destination: &Path,
    files: &[(&str, &[u8])],
    replace: bool,
) -> Result<(), ExchangeError> {
    check_free(destination, replace)?;
    Ok(checkpoint::write(destination, files)?)
}

/// Refuses what [`write_folder`] doesn't replace, before any work is done.
///
/// # Errors
/// [`ExchangeError::Exists`], or [`ExchangeError::Read`] if it can't be told.
pub fn check_free(destination: &Path, replace: bool) -> Result<(), ExchangeError> {
    let unreadable = |source| ExchangeError::Read {
        path: destination.to_owned(),
        source,
    };
    let exists = |problem: &str| {
        Err(ExchangeError::Exists {
            path: destination.to_owned(),
            problem: problem.to_owned(),
        })
    };
    let names: Vec<_> = match fs::read_dir(destination) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return exists("a file has that name");
        }
        entries => entries
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
            .map_err(unreadable)?,
    };
    if names.is_empty() {
        return Ok(());
    }
    if !replace {
        return exists("the folder is there already and isn't replaced without being told to");
    }
    let sums = fs::read_to_string(destination.join(SUMS)).unwrap_or_default();
    let listed = sums.lines().filter_map(|line| line.get(66..));
    let listed: Vec<_> = listed.filter_map(|name| name.split('/').next()).collect();
    let own = |name: &std::ffi::OsString| {
        name == SUMS || is_strewn(name) || listed.iter().any(|listed| name == listed)
    };
    match names.iter().all(own) && !listed.is_empty() {
        true => Ok(()),
        false => exists("what is there is no export: its SHA256SUMS doesn't name all of it"),
    }
}
