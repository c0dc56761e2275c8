//! `SHA256SUMS`: what it states, and where the files differ from it.

use std::{fmt::Write as _, path::Path};

use sha2::{Digest, Sha256};

use super::problem::damaged;
use super::{CheckpointError, SUMS};

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

/// Says which file differs from what `SHA256SUMS` states.
pub(super) fn first_difference(path: &Path, stated: &[u8], actual: &str) -> CheckpointError {
    let text = String::from_utf8_lossy(stated);
    let missing = digests_and_names(&text).find(|(_, name)| {
        !actual
            .lines()
            .any(|line| line.ends_with(&format!("  {name}")))
    });
    changed_file(path, stated, actual).unwrap_or_else(|| match missing {
        Some((_, name)) if !name.contains(|c: char| c == '/' || c.is_control()) => {
            damaged(path, name, "the file is missing, SHA256SUMS lists it")
        }
        _ => changed_sums(path),
    })
}

/// The first file whose digest `SHA256SUMS` doesn't state.
pub(super) fn changed_file(path: &Path, stated: &[u8], actual: &str) -> Option<CheckpointError> {
    let stated = String::from_utf8_lossy(stated);
    digests_and_names(actual).find_map(|(digest, name)| {
        let problem = match digests_and_names(&stated).find(|(_, stated)| *stated == name) {
            Some((stated, _)) if stated.len() == 64 && stated != digest => {
                "its SHA-256 is not the one in SHA256SUMS"
            }
            Some(_) => return None,
            None => "it is not listed in SHA256SUMS",
        };
        Some(damaged(path, name, problem))
    })
}

pub(super) fn digests_and_names(sums: &str) -> impl Iterator<Item = (&str, &str)> {
    sums.lines().filter_map(|line| line.split_once("  "))
}

pub(super) fn changed_sums(path: &Path) -> CheckpointError {
    damaged(path, SUMS, "its text is not as it was written")
}
