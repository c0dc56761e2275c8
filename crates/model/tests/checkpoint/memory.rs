//! A checkpoint whose files are in memory is believed as one in a folder is.

use std::fs;

use model::{
    CheckpointError, Classifier,
    checkpoint::{Checkpoint, MANIFEST, MODEL, OPTIMIZER, SUMS},
};

use crate::{
    ALL,
    common::{Folder, device},
};

/// The files of a checkpoint of the tiny network, by name.
fn files(folder: &Folder) -> Vec<(&'static str, Vec<u8>)> {
    let path = folder.training("a", 7);
    let read = |name| (name, fs::read(path.join(name)).unwrap());
    ALL.map(read).into()
}

fn opened<'a>(files: &'a [(&'a str, Vec<u8>)]) -> Result<Checkpoint, CheckpointError> {
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| (*name, &bytes[..]))
        .collect();
    Checkpoint::from_bytes("the store", &files)
}

#[test]
fn it_is_the_one_of_the_folder() {
    let folder = Folder::new();
    let files = files(&folder);
    let here = opened(&files).unwrap();
    let there = Checkpoint::open(folder.path("a")).unwrap();
    assert_eq!(here.manifest(), there.manifest());
    assert!(here.files().eq(there.files()));
    for name in ALL {
        assert_eq!(here.file(name), there.file(name));
    }
    assert_eq!(here.path().to_str(), Some("the store"));
    let images: Vec<u8> = (0..5 * 784).map(|at: usize| (at * at / 7) as u8).collect();
    let borrowed: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| (*name, &bytes[..]))
        .collect();
    let [here, there] = [
        Classifier::from_bytes("the store", &borrowed, &device()).unwrap(),
        Classifier::load(folder.path("a"), &device()).unwrap(),
    ]
    .map(|classifier| classifier.classify_all(&images).unwrap());
    assert_eq!(here, there);
}

#[test]
fn the_order_of_the_files_is_of_no_account() {
    let folder = Folder::new();
    let mut files = files(&folder);
    for _ in 0..ALL.len() {
        files.rotate_left(1);
        opened(&files).unwrap();
    }
}

#[test]
fn any_flipped_bit_is_refused_and_its_file_named() {
    let folder = Folder::new();
    let mut files = files(&folder);
    for file in 0..files.len() {
        for index in 0..files[file].1.len() {
            for bit in [0, 3, 7] {
                files[file].1[index] ^= 1 << bit;
                let error = opened(&files).unwrap_err().to_string();
                let name = files[file].0;
                assert!(
                    error.contains(name) && error.contains("the store"),
                    "{error}"
                );
                files[file].1[index] ^= 1 << bit;
            }
        }
    }
    opened(&files).unwrap();
}

#[test]
fn bytes_that_end_early_or_go_on_are_refused_and_named() {
    let folder = Folder::new();
    let files = files(&folder);
    for file in 0..files.len() {
        let name = files[file].0;
        let whole = files[file].1.clone();
        let with = |bytes: Vec<u8>| {
            let mut files = files.clone();
            files[file].1 = bytes;
            opened(&files).unwrap_err().to_string()
        };
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            assert!(with(whole[..length].to_vec()).contains(name), "{name} cut");
        }
        assert!(
            with([&whole[..], b"\n"].concat()).contains(name),
            "{name} continued"
        );
        // More than such a file may have.
        let error = with(vec![0; (1 << 25) + 1]);
        assert!(
            error.contains(name) && error.contains("more than"),
            "{error}"
        );
    }
}

#[test]
fn missing_and_additional_files_are_named() {
    let folder = Folder::new();
    let whole = files(&folder);
    for name in ALL {
        let mut files = whole.clone();
        files.retain(|(known, _)| *known != name);
        let error = opened(&files).unwrap_err().to_string();
        assert!(error.contains(name), "{name}: {error}");
    }
    for name in ["notes.txt", "Model.bpk", "a/model.bpk", ""] {
        let mut files = whole.clone();
        files.push((name, b"mine".to_vec()));
        let error = opened(&files).unwrap_err();
        assert!(matches!(error, CheckpointError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
    let mut strewn = whole.clone();
    strewn.push((".DS_Store", b"not ours".to_vec()));
    opened(&strewn).unwrap();
}

#[test]
fn a_name_that_is_there_twice_is_refused() {
    let folder = Folder::new();
    for name in [MANIFEST, MODEL, OPTIMIZER, SUMS] {
        let mut files = files(&folder);
        let (_, own) = files
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap()
            .clone();
        files.push((name, own));
        let error = opened(&files).unwrap_err();
        assert!(matches!(error, CheckpointError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn what_is_no_checkpoint_is_called_so() {
    for files in [&[][..], &[("model.safetensors", vec![0; 9])]] {
        let error = opened(files).unwrap_err();
        assert!(matches!(error, CheckpointError::Foreign { .. }), "{error}");
        assert!(error.to_string().contains("the store"), "{error}");
    }
}
