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

/// Writes the four files of a set under these names, each compressed or not.
fn write_all(folder: &Path, names: [&str; 4], set: &LabelledImages, compressed: bool) {
    fs::create_dir_all(folder).unwrap();
    write(folder, [names[0], names[1]], set, compressed);
    write(folder, [names[2], names[3]], set, compressed);
}

fn read_both(folder: &Path) -> Result<[LabelledImages; 2], DataError> {
    let source = Source::Folder(folder.into());
    Ok([source.train()?, source.test()?])
}

#[test]
fn files_are_found_as_they_are_published_elsewhere() {
    const DOTTED: [&str; 4] = [
        "train-images.idx3-ubyte",
        "train-labels.idx1-ubyte",
        "t10k-images.idx3-ubyte",
        "t10k-labels.idx1-ubyte",
    ];
    let plain = [TRAIN[0], TRAIN[1], TEST[0], TEST[1]];
    let set = numbered_images(20);
    for compressed in [false, true] {
        for (place, names) in [
            ("", DOTTED),
            ("MNIST/raw", plain),
            ("raw", plain),
            (
                "",
                plain.map(|name| name.replace("t10k", "test").leak() as &str),
            ),
            (
                "",
                plain.map(|name| format!("kannada-{name}").leak() as &str),
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            write_all(&folder.path().join(place), names, &set, compressed);
            for read in read_both(folder.path()).unwrap() {
                assert_eq!(read.digest(), set.digest(), "{place}/{names:?}");
                assert!(!read.is_turned());
            }
        }
        // Kaggle unpacks each file into a folder of its name.
        let folder = tempfile::tempdir().unwrap();
        for name in plain.iter().chain(&DOTTED) {
            let compressed = if compressed { ".gz" } else { "" };
            let place = folder.path().join(format!("{name}{compressed}"));
            fs::create_dir(&place).unwrap();
            let (images, labels) = idx_files(&set);
            let bytes = if name.contains("images") {
                images
            } else {
                labels
            };
            let bytes = if compressed.is_empty() {
                bytes
            } else {
                gzip(&bytes)
            };
            fs::write(place.join(format!("{name}{compressed}")), bytes).unwrap();
        }
        for read in read_both(folder.path()).unwrap() {
            assert_eq!(read.digest(), set.digest());
        }
    }
}

#[test]
fn the_images_of_emnist_are_turned() {
    let names = [
        "emnist-digits-train-images-idx3-ubyte",
        "emnist-digits-train-labels-idx1-ubyte",
        "emnist-digits-test-images-idx3-ubyte",
        "emnist-digits-test-labels-idx1-ubyte",
    ];
    let folder = tempfile::tempdir().unwrap();
    let set = numbered_images(20);
    write_all(folder.path(), names, &set, true);
    for read in read_both(folder.path()).unwrap() {
        assert!(read.is_turned());
        assert_eq!(read.labels(), set.labels());
        for index in 0..set.len() {
            for (place, &pixel) in set.image(index).iter().enumerate() {
                let (row, column) = (place / data::WIDTH, place % data::WIDTH);
                assert_eq!(read.image(index)[column * data::WIDTH + row], pixel);
            }
        }
    }
}

#[test]
fn other_subsets_of_emnist_are_refused_with_how_many_classes_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let set = numbered_images(26);
    write(folder.path(), TRAIN, &set, false);
    let letters: Vec<u8> = (1..=26).collect();
    let file = [&data::idx::label_header(26)[..], &letters].concat();
    fs::write(folder.path().join(TRAIN[1]), file).unwrap();
    let message = Source::Folder(folder.path().into())
        .train()
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("26 different labels") && message.contains("10 classes"),
        "{message}"
    );
}

#[test]
fn one_of_several_data_sets_is_not_chosen_by_chance() {
    let folder = tempfile::tempdir().unwrap();
    let plain = [TRAIN[0], TRAIN[1], TEST[0], TEST[1]];
    for place in ["MNIST/raw", "FashionMNIST/raw"] {
        write_all(
            &folder.path().join(place),
            plain,
            &numbered_images(20),
            false,
        );
    }
    let message = read_both(folder.path()).unwrap_err().to_string();
    for part in ["several", "MNIST/raw", "FashionMNIST/raw"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(read_both(&folder.path().join("MNIST")).is_ok());
    // Training files of one set don't go with test files of another.
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), TRAIN, &numbered_images(20), false);
    let other = [
        "emnist-digits-test-images-idx3-ubyte",
        "emnist-digits-test-labels-idx1-ubyte",
    ];
    write(folder.path(), other, &numbered_images(20), false);
    let error = Source::Folder(folder.path().into()).test().unwrap_err();
    assert!(
        matches!(&error, DataError::Missing { name, .. } if *name == TEST[0]),
        "{error}"
    );
}

#[test]
fn a_file_that_is_there_twice_is_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let plain = [TRAIN[0], TRAIN[1], TEST[0], TEST[1]];
    let set = numbered_images(200);
    for compressed in [false, true] {
        write_all(folder.path(), plain, &set, compressed);
    }
    assert!(read_both(folder.path()).is_ok());
    let twin = folder.path().join(format!("{}.gz", TRAIN[0]));
    let (mut images, _) = idx_files(&set);
    let whole = gzip(&images);
    *images.last_mut().unwrap() ^= 1;
    for other in [
        gzip(&images),
        whole[..whole.len() - 9].to_vec(),
        gzip(&[]),
        Vec::new(),
    ] {
        fs::write(&twin, other).unwrap();
        let error = read_both(folder.path()).unwrap_err();
        assert!(matches!(error, DataError::Contradiction { .. }), "{error}");
        let message = error.to_string();
        assert!(
            message.contains(TRAIN[0]) && message.contains(".gz"),
            "{message}"
        );
    }
}

#[test]
fn labels_as_qmnist_has_them_are_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let set = numbered_images(20);
    let names = [
        "qmnist-train-images-idx3-ubyte",
        "qmnist-train-labels-idx2-int",
    ];
    write(folder.path(), names, &set, false);
    let mut labels = vec![0, 0, 0x0c, 2, 0, 0, 0, 20, 0, 0, 0, 8];
    labels.extend([0; 20 * 8 * 4]);
    fs::write(folder.path().join(names[1]), labels).unwrap();
    let message = Source::Folder(folder.path().into())
        .train()
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("QMNIST") && !message.contains("fetch"),
        "{message}"
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
        mirrors: Vec::new(),
    };
    let error = source.train().unwrap_err();
    assert!(error.to_string().contains("--data-dir"), "{error}");
}
