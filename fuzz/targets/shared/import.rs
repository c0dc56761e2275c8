//! `digits import`: an architecture and a safetensors file give a checkpoint that loads, or an error of one line
//! that names the file.
//!
//! The input is the length of the architecture in two bytes, a byte that says whether it is JSON and whether the
//! length of the header is right, the architecture, then the header and the body of the file.

#![allow(clippy::expect_used, reason = "a broken promise is to be found")]

use std::{path::Path, sync::LazyLock};

use exchange::{Architecture, import_from};
use model::{Backend, Classifier, Device, checkpoint::SUMS};
use sha2::{Digest, Sha256};

static DEVICE: LazyLock<Device> =
    LazyLock::new(|| Backend::Flex.device().expect("flex is compiled in"));

/// Imports what the input describes, and says whether that gave a checkpoint.
///
/// # Panics
/// If a promise is broken.
pub fn check(bytes: &[u8]) -> bool {
    let [low, high, flags, rest @ ..] = bytes else {
        return false;
    };
    let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (text, file) = rest.split_at(length);
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let path = Path::new(if flags & 1 != 0 {
        "net.json"
    } else {
        "net.toml"
    });
    let architecture = match Architecture::parse(text, path) {
        Ok(architecture) => architecture,
        Err(error) => {
            one_line(&error.to_string(), "net.");
            return false;
        }
    };
    // So that the fuzzer gets behind the length of the header.
    let end = file.iter().rposition(|&byte| byte == b'}');
    let header = (end.map_or(0, |end| end + 1) as u64).to_le_bytes();
    let file = match flags & 2 != 0 {
        true => [&header[..], file].concat(),
        false => file.to_vec(),
    };
    let weights = Path::new("model.safetensors");
    let length = file.len() as u64;
    match import_from(&file[..], length, weights, &architecture, path, &DEVICE) {
        Err(error) => {
            one_line(&error.to_string(), "net.,model.safetensors");
            false
        }
        Ok(imported) => {
            let mut files = imported.files();
            let sums: String = files
                .iter()
                .map(|(name, bytes)| line(name, bytes))
                .collect();
            files.push((SUMS, sums.as_bytes()));
            let loaded = Classifier::from_bytes("imported", &files, &DEVICE);
            let classifier = loaded.expect("what was imported loads");
            let image = vec![7; classifier.shape().len()];
            let answer = classifier.classify(&image).expect("an image of its shape");
            assert_ne!(answer.decision, model::Decision::Accept);
            true
        }
    }
}

fn line(name: &str, bytes: &[u8]) -> String {
    let digest: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{digest}  {name}\n")
}

fn one_line(error: &str, names: &str) {
    assert!(!error.contains(char::is_control), "{error:?}");
    assert!(
        names.split(',').any(|name| error.starts_with(name)),
        "{error}"
    );
}
