//! Whose a checkpoint is: a detached signature as OpenSSF's model signing 1.0 has it.
//!
//! [`SIGNATURE`] in the folder, or a file elsewhere, is a Sigstore bundle: a DSSE
//! envelope around an in-toto statement with the SHA-256 of every file, signed with ECDSA on P-256. `model_signing
//! verify key` accepts what [`sign`] writes, and [`verify`] what `model_signing sign key` does.
//!
//! Sources: the [bundle](https://docs.sigstore.dev/about/bundle/),
//! [DSSE 1.0](https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md),
//! [in-toto statements](https://github.com/in-toto/attestation/tree/main/spec/v1) and the predicate of
//! [model signing](https://github.com/sigstore/model-transparency).

mod bundle;
mod key;
mod statement;

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
};

use model::checkpoint::{Checkpoint, SIGNATURE};

use crate::ExchangeError;
use bundle::Bundle;
pub use key::{PrivateKey, PublicKey};
use statement::Statement;

/// No signature of so few files is larger.
const LIMIT: u64 = 1 << 20;

/// The signature of a checkpoint: JSON. The same key and files give the same bytes (RFC 6979).
///
/// # Errors
/// None that its types allow.
pub fn sign(checkpoint: &Checkpoint, key: &PrivateKey) -> Result<Vec<u8>, ExchangeError> {
    let written = Statement::of(checkpoint)
        .to_json()
        .and_then(|statement| Bundle::new(&statement, key).to_json());
    written.map_err(|error| invalid(checkpoint.path(), &format!("can't be signed: {error}")))
}

/// Whether a file holds the signature of a checkpoint by that key: every file of it as it was signed, none more and
/// none less but what [`is_strewn`](model::checkpoint::is_strewn).
///
/// # Errors
/// [`ExchangeError::Invalid`] that names the file which isn't as it was signed, or the signature if that is of
/// another key, damaged, or of a kind that isn't known here.
pub fn verify(
    checkpoint: &Checkpoint,
    signature: &Path,
    key: &PublicKey,
) -> Result<(), ExchangeError> {
    let text = read(signature, LIMIT)?;
    Bundle::parse(&text)
        .and_then(|bundle| bundle.open(key))
        .and_then(|statement| Statement::parse(&statement))
        .map_err(|problem| invalid(signature, &problem))?
        .check(checkpoint)
}

/// Writes a signature: whole or not at all. One that is there is replaced if `replace` says so.
///
/// # Errors
/// [`ExchangeError::Exists`] if there is one, or [`ExchangeError::Write`].
pub fn write(path: &Path, signature: &[u8], replace: bool) -> Result<(), ExchangeError> {
    let failed = |source| ExchangeError::Write {
        path: path.to_owned(),
        source,
        left: "what was there before is untouched".to_owned(),
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    // A name by which a reader of checkpoints passes over it.
    let prefix = format!("..{SIGNATURE}-");
    builder.prefix(&prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(signature).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    let written = match replace {
        true => file.persist(path),
        false => file.persist_noclobber(path),
    };
    match written.map_err(|error| error.error) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(ExchangeError::Exists {
            path: path.to_owned(),
        }),
        Err(error) => Err(failed(error)),
        Ok(_) => Ok(()),
    }
}

/// The bytes of a file of at most `limit`.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ExchangeError> {
    let mut bytes = Vec::new();
    let failed = |source| ExchangeError::Read {
        path: path.to_owned(),
        source,
    };
    // Asked before opening: opening a pipe would wait for a writer.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(invalid(path, "not a regular file"));
    }
    let file = File::open(path).map_err(failed)?;
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    match bytes.len() as u64 > limit {
        true => Err(invalid(path, &format!("more than {limit} bytes"))),
        false => Ok(bytes),
    }
}

fn invalid(path: &Path, problem: &str) -> ExchangeError {
    ExchangeError::Invalid {
        path: path.to_owned(),
        problem: problem.replace(char::is_control, " "),
    }
}
