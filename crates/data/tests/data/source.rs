use std::fs;
use std::path::Path;

use data::{Classes, DataError, FolderOptions, ImageShape, LabelledImages, Source};

use crate::{
    COLOUR, GREY, Notes, TEST, TRAIN, digits, gzip, idx_files, numbered, numbered_images, write,
};

const PLAIN: [&str; 4] = [TRAIN[0], TRAIN[1], TEST[0], TEST[1]];

fn spec() -> data::Spec {
    numbered_images(1).spec()
}

#[test]
fn a_folder_gives_what_its_plain_or_gzip_files_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (train, test) = (numbered_images(30), numbered_images(20));
    write(folder.path(), TRAIN, &train, true);
    write(folder.path(), TEST, &test, false);
    let source = Source::folder(folder.path());
    let [read_train, read_test] = read_both(folder.path()).unwrap();
    for (read, written) in [(read_train, train), (read_test, test)] {
        assert_eq!(read.spec(), written.spec());
        assert_eq!(read.pixels(), written.pixels());
        assert_eq!(read.labels(), written.labels());
        assert_eq!(read.digest(), written.digest());
    }
    assert!(source.name().contains(folder.path().to_str().unwrap()));
}

#[test]
fn each_split_needs_its_own_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::folder(folder.path());
    write(folder.path(), TEST, &numbered_images(20), false);
    assert_eq!(source.test(&spec(), &()).unwrap().len(), 20);
    let error = source.train(&()).unwrap_err();
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
        Source::folder(missing).train(&()),
        Err(DataError::NoFolder { .. })
    ));
    fs::create_dir(folder.path().join(TRAIN[0])).unwrap();
    fs::write(folder.path().join(TRAIN[1]), []).unwrap();
    let error = Source::folder(folder.path()).train(&()).unwrap_err();
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
    let source = Source::folder(folder);
    let train = source.train(&())?;
    let test = source.test(&train.spec(), &())?;
    Ok([train, test])
}

#[test]
fn files_are_found_as_they_are_published_elsewhere() {
    const DOTTED: [&str; 4] = [
        "train-images.idx3-ubyte",
        "train-labels.idx1-ubyte",
        "t10k-images.idx3-ubyte",
        "t10k-labels.idx1-ubyte",
    ];
    let set = numbered_images(20);
    for compressed in [false, true] {
        for (place, names) in [
            ("", DOTTED),
            ("MNIST/raw", PLAIN),
            ("raw", PLAIN),
            (
                "",
                PLAIN.map(|name| name.replace("t10k", "test").leak() as &str),
            ),
            (
                "",
                PLAIN.map(|name| format!("kannada-{name}").leak() as &str),
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            write_all(&folder.path().join(place), names, &set, compressed);
            for read in read_both(folder.path()).unwrap() {
                assert_eq!(read.digest(), set.digest(), "{place}/{names:?}");
            }
        }
        // Kaggle unpacks each file into a folder of its name.
        let folder = tempfile::tempdir().unwrap();
        for name in PLAIN.iter().chain(&DOTTED) {
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

/// The names of the four files of a subset of EMNIST.
fn emnist(subset: &str) -> [String; 4] {
    [
        "train-images-idx3",
        "train-labels-idx1",
        "test-images-idx3",
        "test-labels-idx1",
    ]
    .map(|name| format!("emnist-{subset}-{name}-ubyte"))
}

/// The same image with rows and columns exchanged.
fn turned(shape: ImageShape, image: &[u8]) -> Vec<u8> {
    let mut out = vec![0; image.len()];
    for (at, &pixel) in image.iter().enumerate() {
        let (channel, place) = (at / shape.plane(), at % shape.plane());
        let (row, column) = (place / shape.width, place % shape.width);
        out[channel * shape.plane() + column * shape.height + row] = pixel;
    }
    out
}

fn with(folder: &Path, transpose: Option<bool>) -> Source {
    let options = FolderOptions {
        transpose,
        ..Default::default()
    };
    Source::Folder(folder.into(), options)
}

#[test]
fn the_images_of_emnist_are_turned_and_that_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let set = numbered_images(20);
    let names = emnist("digits");
    write_all(
        folder.path(),
        names.each_ref().map(|name| &**name),
        &set,
        true,
    );
    let notes = Notes::default();
    let source = Source::folder(folder.path());
    let train = source.train(&notes).unwrap();
    let test = source.test(&train.spec(), &notes).unwrap();
    assert_eq!(notes.sentences().len(), 2);
    assert!(
        notes
            .sentences()
            .iter()
            .all(|note| note.contains("EMNIST") && note.contains("turned"))
    );
    for read in [train, test] {
        assert_eq!(read.labels(), set.labels());
        for index in 0..set.len() {
            assert_eq!(read.image(index), turned(GREY, set.image(index)));
        }
    }
    // Whoever knows better is believed, and nothing is told.
    let notes = Notes::default();
    let train = with(folder.path(), Some(false)).train(&notes).unwrap();
    assert_eq!((train.pixels(), notes.sentences()), (set.pixels(), vec![]));
}

#[test]
fn other_files_are_turned_only_where_that_is_asked_for() {
    let set = numbered(COLOUR, digits(), 20);
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path(), PLAIN, &set, false);
    for transpose in [None, Some(false)] {
        let notes = Notes::default();
        let read = with(folder.path(), transpose).train(&notes).unwrap();
        assert_eq!((read.pixels(), notes.sentences()), (set.pixels(), vec![]));
    }
    let notes = Notes::default();
    let source = with(folder.path(), Some(true));
    let train = source.train(&notes).unwrap();
    assert_eq!(notes.sentences().len(), 1);
    let shape = ImageShape::new(3, COLOUR.width, COLOUR.height).unwrap();
    assert_eq!(train.shape(), shape);
    let test = source.test(&train.spec(), &()).unwrap();
    for read in [train, test] {
        for index in 0..set.len() {
            assert_eq!(read.image(index), turned(COLOUR, set.image(index)));
        }
    }
}

#[test]
fn the_letters_of_emnist_are_26_classes() {
    let folder = tempfile::tempdir().unwrap();
    let classes = Classes::numbered((1..27).collect()).unwrap();
    let set = numbered(GREY, classes, 60);
    let names = emnist("letters");
    write_all(
        folder.path(),
        names.each_ref().map(|name| &**name),
        &set,
        true,
    );
    let mapping: String = (1..27)
        .map(|label| format!("{label} {} {}\n", 64 + label, 96 + label))
        .collect();
    fs::write(folder.path().join("emnist-letters-mapping.txt"), mapping).unwrap();
    let [train, test] = read_both(folder.path()).unwrap();
    assert_eq!(train.classes().len(), 26);
    assert_eq!(
        (train.classes().name(0), train.classes().name(25)),
        ("Aa", "Zz")
    );
    assert_eq!(train.classes().labels(), (1..27).collect::<Vec<u16>>());
    assert_eq!(
        (train.labels(), test.labels()),
        (set.labels(), set.labels())
    );
    assert_eq!(train.spec(), test.spec());
}

#[test]
fn colour_images_are_found_by_either_rank_in_their_names() {
    let set = numbered(COLOUR, digits(), 20);
    for compressed in [false, true] {
        for names in [
            PLAIN,
            [
                "train-images-idx4-ubyte",
                TRAIN[1],
                "t10k-images-idx4-ubyte",
                TEST[1],
            ],
            [
                "train-images.idx4-ubyte",
                "train-labels.idx1-ubyte",
                "test-images.idx4-ubyte",
                "test-labels.idx1-ubyte",
            ],
        ] {
            let folder = tempfile::tempdir().unwrap();
            write_all(folder.path(), names, &set, compressed);
            for read in read_both(folder.path()).unwrap() {
                assert_eq!(read.digest(), set.digest(), "{names:?}");
            }
        }
    }
}

#[test]
fn wide_and_gapped_labels_come_back_from_files() {
    let classes = Classes::numbered(vec![3, 7, 300, 65_535]).unwrap();
    let set = numbered(GREY, classes.clone(), 12);
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path(), PLAIN, &set, false);
    for read in read_both(folder.path()).unwrap() {
        assert_eq!(*read.classes(), classes);
        assert_eq!(read.labels(), set.labels());
        assert_eq!(read.digest(), set.digest());
    }
}

#[test]
fn test_labels_that_training_does_not_have_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let classes = |labels: &[u16]| Classes::numbered(labels.to_vec()).unwrap();
    write(
        folder.path(),
        TRAIN,
        &numbered(GREY, classes(&[1, 2, 5]), 9),
        false,
    );
    write(
        folder.path(),
        TEST,
        &numbered(GREY, classes(&[1, 2, 4]), 9),
        false,
    );
    let error = read_both(folder.path()).unwrap_err();
    assert!(
        matches!(
            error,
            DataError::Label {
                index: 2,
                label: 4,
                ..
            }
        ),
        "{error}"
    );
    let message = error.to_string();
    assert!(
        message.contains(TEST[1]) && message.contains("1 to 2, 5"),
        "{message}"
    );
}

#[test]
fn a_test_set_may_lack_a_class() {
    let folder = tempfile::tempdir().unwrap();
    let classes = |labels: &[u16]| Classes::numbered(labels.to_vec()).unwrap();
    write(
        folder.path(),
        TRAIN,
        &numbered(GREY, classes(&[1, 2, 5]), 9),
        false,
    );
    write(
        folder.path(),
        TEST,
        &numbered(GREY, classes(&[1, 5]), 4),
        false,
    );
    let [train, test] = read_both(folder.path()).unwrap();
    assert_eq!(test.spec(), train.spec());
    assert_eq!(test.labels(), [0, 2, 0, 2]);
}

#[test]
fn test_images_of_another_shape_are_refused() {
    for other in [
        COLOUR,
        ImageShape::new(1, 28, 32).unwrap(),
        ImageShape::new(3, 28, 28).unwrap(),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), TRAIN, &numbered_images(20), false);
        write(folder.path(), TEST, &numbered(other, digits(), 20), false);
        let error = read_both(folder.path()).unwrap_err();
        assert!(matches!(error, DataError::OtherShape { .. }), "{error}");
        let message = error.to_string();
        for part in [
            folder.path().to_str().unwrap(),
            &other.to_string(),
            &GREY.to_string(),
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn one_label_only_is_no_data_set() {
    let folder = tempfile::tempdir().unwrap();
    let one = LabelledImages::new(GREY, digits(), vec![0; 3 * GREY.len()], vec![4; 3]).unwrap();
    write(folder.path(), TRAIN, &one, false);
    let message = Source::folder(folder.path())
        .train(&())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("1 classes") && message.contains("2 to 1000"),
        "{message}"
    );
}

#[test]
fn size_and_channels_of_idx_files_are_their_own() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), TRAIN, &numbered_images(20), false);
    for options in [
        FolderOptions {
            size: Some([28, 28]),
            ..Default::default()
        },
        FolderOptions {
            channels: Some(1),
            ..Default::default()
        },
    ] {
        let source = Source::Folder(folder.path().into(), options);
        let error = source.train(&()).unwrap_err();
        assert!(matches!(error, DataError::Misplaced { .. }), "{error}");
    }
}

#[test]
fn one_of_several_data_sets_is_not_chosen_by_chance() {
    let folder = tempfile::tempdir().unwrap();
    for place in ["MNIST/raw", "FashionMNIST/raw"] {
        write_all(
            &folder.path().join(place),
            PLAIN,
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
    let error = Source::folder(folder.path())
        .test(&spec(), &())
        .unwrap_err();
    assert!(
        matches!(&error, DataError::Missing { name, .. } if *name == TEST[0]),
        "{error}"
    );
}

#[test]
fn a_file_that_is_there_twice_is_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let set = numbered_images(200);
    for compressed in [false, true] {
        write_all(folder.path(), PLAIN, &set, compressed);
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
    let message = Source::folder(folder.path())
        .train(&())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("QMNIST") && !message.contains("fetch"),
        "{message}"
    );
}

#[cfg(not(feature = "bundled"))]
#[test]
fn without_the_bundled_files_the_feature_is_named() {
    let error = Source::Bundled.train(&()).unwrap_err();
    assert!(error.to_string().contains("`bundled`"), "{error}");
}

#[cfg(not(feature = "download"))]
#[test]
fn without_the_client_the_feature_is_named() {
    let source = Source::Download {
        cache: "nowhere".into(),
        mirrors: Vec::new(),
    };
    let error = source.train(&()).unwrap_err();
    assert!(error.to_string().contains("`download`"), "{error}");
}
