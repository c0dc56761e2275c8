//! What becomes of files that were changed after they were written: bits turned over, cut, longer, zeroed.
//!
//! `EXCHANGE_CHANGES=2000` makes so many changes of each file and prints what came of them (with `-- --nocapture`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use exchange::{
    hub, import,
    signature::{self, PrivateKey, PublicKey},
    write_folder,
};
use model::{Backend, Classifier, Device, checkpoint::Checkpoint};
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn device() -> Device {
    Backend::default().device().unwrap()
}

/// A small checkpoint, so that many changes fit in a test.
fn checkpoint() -> Checkpoint {
    Checkpoint::open(root().join("crates/model/tests/golden/v1/model")).unwrap()
}

/// So many changes of some bytes, spread all over them, each with what it is.
fn changes(whole: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let count = std::env::var("EXCHANGE_CHANGES").map_or(60, |count| count.parse().unwrap());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count).filter_map(move |number| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let random = (state >> 33) as usize;
        let at = random % whole.len();
        let mut bytes = whole.to_vec();
        let what = match number % 10 {
            0..7 => {
                bytes[at] ^= 1 << (random % 8);
                format!("bit {} of byte {at}", random % 8)
            }
            7 => {
                bytes.truncate(at);
                format!("cut to {at} bytes")
            }
            8 => {
                bytes.extend(&whole[..1 + at.min(99)]);
                format!("{} bytes more", 1 + at.min(99))
            }
            _ => {
                let end = whole.len().min(at + 16);
                bytes[at..end].fill(0);
                format!("bytes {at} to {end} zeroed")
            }
        };
        (bytes != whole).then_some((what, bytes))
    })
}

/// Changes a file, asks, and puts it right again.
fn with_changes(path: &Path, mut ask: impl FnMut(&str) -> bool) {
    let whole = fs::read(path).unwrap();
    let (mut all, mut noticed) = (0, 0);
    for (what, bytes) in changes(&whole) {
        fs::write(path, bytes).unwrap();
        all += 1;
        noticed += usize::from(ask(&what));
    }
    fs::write(path, whole).unwrap();
    println!("{}: {noticed} of {all} changes noticed", path.display());
}

fn one_line(error: &impl ToString) {
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
}

/// An export for PyTorch.
fn exported() -> TempDir {
    let (checkpoint, folder) = (checkpoint(), tempfile::tempdir().unwrap());
    let classifier = Classifier::from_checkpoint(&checkpoint, &device()).unwrap();
    let files = hub::pytorch(&checkpoint, classifier.networks()).unwrap();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (&n[..], &b[..])).collect();
    write_folder(&folder.path().join("export"), &files, false).unwrap();
    folder
}

#[test]
fn an_import_beside_its_digests_is_what_was_exported_or_none() {
    let folder = exported();
    let file = |name: &str| folder.path().join("export").join(name);
    let import = || import(&file("model.safetensors"), &file("config.json"), &device());
    let files = |imported: &exchange::Imported| {
        let files = imported.files().into_iter();
        files.map(|(_, bytes)| bytes.to_vec()).collect::<Vec<_>>()
    };
    let whole = import().unwrap();
    assert!(whole.notes.is_empty(), "{:?}", whole.notes);
    for name in ["model.safetensors", "config.json"] {
        with_changes(&file(name), |what| {
            one_line(&import().expect_err(what));
            true
        });
    }
    with_changes(&file("SHA256SUMS"), |what| match import() {
        // A line of another file, or one that names none any more, which is said.
        Ok(found) => {
            assert_eq!(files(&found), files(&whole), "{what}");
            !found.notes.is_empty()
        }
        Err(error) => {
            one_line(&error);
            true
        }
    });

    // Without digests nothing tells a number from another one, but nothing else goes wrong either.
    fs::remove_file(file("SHA256SUMS")).unwrap();
    for name in ["model.safetensors", "config.json"] {
        with_changes(&file(name), |_| match import() {
            Ok(_) => false,
            Err(error) => {
                one_line(&error);
                true
            }
        });
    }
}

#[test]
fn a_checkpoint_that_was_changed_is_none_and_not_its_signers() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("model");
    fs::create_dir(&place).unwrap();
    for entry in fs::read_dir(checkpoint().path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), place.join(entry.file_name())).unwrap();
    }
    let key = |name: &str| root().join("tests/exchange/keys").join(name);
    let private = PrivateKey::read(&key("test-only.pem")).unwrap();
    let public = PublicKey::read(&key("test-only.pub")).unwrap();
    let signed = place.join("model.sig");
    let signature = signature::sign(&checkpoint(), &private).unwrap();
    signature::write(&signed, &signature, false).unwrap();
    let open = || {
        let found = Checkpoint::open(&place)?;
        Classifier::from_checkpoint(&found, &device()).map(|_| found)
    };
    signature::verify(&open().unwrap(), &signed, &public).unwrap();
    let digests = |found: &Checkpoint| {
        let file = |name| found.file(name).map(<[u8]>::to_vec);
        ["checkpoint.json", "model.bpk"].map(file)
    };
    let whole = digests(&open().unwrap());
    for name in ["checkpoint.json", "model.bpk", "SHA256SUMS", "model.sig"] {
        with_changes(&place.join(name), |what| match open() {
            Ok(found) => {
                // What a signature has beside what is signed, such as the name of the key.
                let changed = ["checkpoint.json", "model.bpk"].contains(&name);
                assert!(!changed && digests(&found) == whole, "{name}: {what}");
                let verified = signature::verify(&found, &signed, &public);
                verified.inspect_err(one_line).is_err()
            }
            Err(error) => {
                one_line(&error);
                true
            }
        });
    }
}
