use std::fs;
use std::path::Path;

use data::{DataError, LabelledImages, Source};

use crate::{gzip, idx_files, numbered_images};

const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

fn write(folder: &Path, names: [&str; 2], set: &LabelledImages, compressed: bool) {
    let (images, labels) = idx_files(set);
    for (name, bytes) in names.iter().zip([images, labels]) {
        match compressed {
            true => fs::write(folder.join(format!("{name}.gz")), gzip(&bytes)),
            false => fs::write(folder.join(name), bytes),
        }
        .unwrap();
    }
}

#[test]
fn a_folder_gives_what_its_plain_or_gzip_files_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (train, test) = (numbered_images(30), numbered_images(20));
    write(folder.path(), TRAIN, &train, true);
    write(folder.path(), TEST, &test, false);
    let source = Source::Folder(folder.path().into());
    for (read, written) in [(source.train(), train), (source.test(), test)] {
        let read = read.unwrap();
        assert_eq!(read.pixels(), written.pixels());
        assert_eq!(read.labels(), written.labels());
        assert_eq!(read.digest(), written.digest());
    }
    assert!(source.name().contains(folder.path().to_str().unwrap()));
}

#[test]
fn each_split_needs_its_own_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::Folder(folder.path().into());
    write(folder.path(), TEST, &numbered_images(20), false);
    assert_eq!(source.test().unwrap().len(), 20);
    let error = source.train().unwrap_err();
    assert!(
        matches!(&error, DataError::Missing { name, .. } if *name == TRAIN[0]),
        "{error}"
    );
    let message = error.to_string();
    assert!(message.contains(folder.path().to_str().unwrap()) && !message.contains('\n'));
}

#[test]
fn a_missing_folder_and_a_folder_in_place_of_a_file_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nowhere");
    assert!(matches!(
        Source::Folder(missing).train(),
        Err(DataError::NoFolder { .. })
    ));
    fs::create_dir(folder.path().join(TRAIN[0])).unwrap();
    fs::write(folder.path().join(TRAIN[1]), []).unwrap();
    let error = Source::Folder(folder.path().into()).train().unwrap_err();
    assert!(
        matches!(&error, DataError::NotAFile { file } if file.ends_with(TRAIN[0])),
        "{error}"
    );
}

#[cfg(not(feature = "bundled"))]
#[test]
fn without_the_bundled_files_the_error_names_the_other_ways() {
    let error = Source::Bundled.train().unwrap_err();
    assert!(error.to_string().contains("--data-dir"), "{error}");
}

#[cfg(not(feature = "download"))]
#[test]
fn without_the_client_the_error_names_the_other_ways() {
    let source = Source::Download {
        cache: "nowhere".into(),
    };
    let error = source.train().unwrap_err();
    assert!(error.to_string().contains("--data-dir"), "{error}");
}
