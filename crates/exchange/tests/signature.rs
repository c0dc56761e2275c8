//! A signature tells any change of itself.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use exchange::signature::{PrivateKey, PublicKey, sign, verify};
use model::checkpoint::Checkpoint;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn key(name: &str) -> PathBuf {
    root().join("tests/exchange/keys").join(name)
}

fn checkpoint() -> Checkpoint {
    Checkpoint::open(root().join("crates/model/tests/golden/v1/model")).unwrap()
}

#[test]
fn every_cut_is_an_error_and_every_changed_byte_one_or_of_nothing_that_was_signed() {
    let (checkpoint, folder) = (checkpoint(), tempfile::tempdir().unwrap());
    let public = PublicKey::read(&key("test-only.pub")).unwrap();
    let private = PrivateKey::read(&key("test-only.pem")).unwrap();
    let whole = sign(&checkpoint, &private).unwrap();
    let file = folder.path().join("model.sig");
    let accepts = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        verify(&checkpoint, &file, &public)
    };
    accepts(&whole).unwrap();
    for length in 0..whole.len() {
        let error = accepts(&whole[..length]).unwrap_err().to_string();
        assert!(
            error.contains("model.sig") && !error.contains('\n'),
            "{error}"
        );
    }
    let text = String::from_utf8(whole.clone()).unwrap();
    let at = |part: &str| text.find(part).unwrap();
    let signed = [
        at("\"payload\":\"")..at("\"signatures\""),
        at("\"sig\":\"")..at("\"keyid\""),
    ];
    for at in 0..whole.len() {
        for bit in [1, 6] {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            match accepts(&changed) {
                Ok(()) => assert!(!signed.iter().any(|part| part.contains(&at)), "{at} {bit}"),
                Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
            }
        }
    }
}

#[test]
fn the_same_key_signs_the_same_files_with_the_same_bytes() {
    let key = PrivateKey::read(&key("test-only.pem")).unwrap();
    let [first, second] = [(); 2].map(|()| sign(&checkpoint(), &key).unwrap());
    assert_eq!(first, second);
}

#[test]
fn what_model_signing_signed_is_accepted() {
    let signature = root().join("tests/exchange/golden-v1-model.sig");
    let accepts = |name: &str| {
        let key = PublicKey::read(&key(name)).unwrap();
        verify(&checkpoint(), &signature, &key)
    };
    accepts("test-only.pub").unwrap();
    let error = accepts("test-only-other.pub").unwrap_err().to_string();
    assert!(error.contains("another key"), "{error}");
}
