//! What a `SHA256SUMS` beside a file says of it.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use model::checkpoint::SUMS;
use sha2::{Digest, Sha256};

use super::invalid;
use crate::ExchangeError;

/// Compares a file with what a `SHA256SUMS` beside it says of it, as exports have one: nothing else would show that
/// a weight has changed. A note where it says nothing.
pub(super) fn check_digest(path: &Path) -> Result<Option<String>, ExchangeError> {
    const MOST: u64 = 1 << 20;
    let beside = path.with_file_name(SUMS);
    let regular = fs::metadata(&beside).is_ok_and(|found| found.is_file() && found.len() <= MOST);
    let Some(name) = path
        .file_name()
        .and_then(|name| name.to_str())
        .filter(|_| regular)
    else {
        return Ok(None);
    };
    let sums = fs::read_to_string(&beside).unwrap_or_default();
    let mut lines = sums.lines().filter_map(|line| line.split_once("  "));
    let Some((stated, _)) = lines.find(|(_, listed)| *listed == name) else {
        return Ok(Some(format!(
            "the SHA256SUMS beside {name} says nothing of it, so that nothing tells whether it was changed"
        )));
    };
    let failed = |source| ExchangeError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let (mut digest, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut piece).map_err(failed)?;
        if read == 0 {
            break;
        }
        digest.update(&piece[..read]);
    }
    let found: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    match found == stated {
        true => Ok(None),
        false => Err(invalid(
            path,
            "its SHA-256 is not the one in the SHA256SUMS beside it; export it anew, or remove SHA256SUMS if it was \
             changed on purpose",
        )),
    }
}
