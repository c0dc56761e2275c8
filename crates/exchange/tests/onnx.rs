//! The ONNX file as the library gives it.

#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;

use exchange::{ExchangeError, onnx};
use model::{Backend, Device, checkpoint::Checkpoint};

fn pretrained() -> (Checkpoint, Device) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../artifacts/pretrained");
    let device = Backend::default().device().unwrap();
    (Checkpoint::open(folder).unwrap(), device)
}

#[test]
fn a_file_with_any_bit_changed_is_not_that_of_the_checkpoint() {
    let (checkpoint, device) = pretrained();
    let file = onnx::export(&checkpoint, &device).unwrap();
    let path = Path::new("some/model.onnx");
    onnx::verify(path, &file, &checkpoint, &device).unwrap();
    // The names of nodes, the tensors, and what it says of itself, all over the file.
    for at in (0..file.len()).step_by(file.len() / 150) {
        let mut damaged = file.clone();
        damaged[at] ^= 1 << (at % 8);
        let error = onnx::verify(path, &damaged, &checkpoint, &device);
        let Err(ExchangeError::Invalid { path: named, .. }) = error else {
            panic!("byte {at}: {error:?}");
        };
        assert_eq!(named, path);
    }
    for length in (0..file.len()).step_by(file.len() / 20) {
        let cut = onnx::verify(path, &file[..length], &checkpoint, &device);
        assert!(cut.is_err(), "{length} bytes");
    }
}
