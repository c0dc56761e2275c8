use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;

use crate::DataError;

/// The names in a folder, sorted: plain ones come before those with `.gz`. Names that are no text are
/// none of a data set.
pub(crate) fn entries(folder: &Path) -> Result<Vec<String>, DataError> {
    let names = all_entries(folder)?.into_iter();
    Ok(names.flat_map(OsString::into_string).collect())
}

/// The same with names that are no text.
pub(crate) fn all_entries(folder: &Path) -> Result<Vec<OsString>, DataError> {
    let read = || {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            names.push(entry?.file_name());
        }
        names.sort();
        Ok(names)
    };
    read().map_err(|source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => DataError::NoFolder {
            folder: folder.to_owned(),
        },
        _ => DataError::Io {
            action: "read the folder",
            file: folder.display().to_string(),
            source,
        },
    })
}
