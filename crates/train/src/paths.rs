//! Paths as people give them and type them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The folder that a path leads to by links, or the path if there are none on the way. A link such as
/// `artifacts/latest` may come to lead elsewhere while a run is at work behind it.
pub(crate) fn behind_links(path: &Path) -> PathBuf {
    let find = || {
        let real = fs::canonicalize(path)?;
        if real == std::path::absolute(path)? {
            return Ok(path.to_owned());
        }
        let here = fs::canonicalize(".")?;
        Ok(match real.strip_prefix(&here) {
            Ok(below) if below.as_os_str().is_empty() => PathBuf::from("."),
            Ok(below) => below.to_owned(),
            Err(_) => real,
        })
    };
    // What can't be found is an error where it is used.
    find().unwrap_or_else(|_: io::Error| path.to_owned())
}

/// A path as it is typed after an option in a shell.
pub(crate) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    if cfg!(windows) {
        return match text.contains(' ') {
            true => format!("\"{text}\""),
            false => text,
        };
    }
    let text = match text.starts_with('-') {
        true => format!("./{text}"),
        false => text,
    };
    // Only what no shell can hold stays as it is.
    shlex::try_quote(&text).map_or_else(|_| text.clone(), String::from)
}
