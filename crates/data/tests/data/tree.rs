//! Folders of pictures by class.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use data::{DataError, FolderOptions, ImageShape, LabelledImages, Source};
use tempfile::TempDir;

use crate::Notes;

const JPEG: &[u8] = include_bytes!("../../../pictures/tests/fixtures/baseline-rgb.jpg");
/// Height and width of it.
const JPEG_SIZE: [usize; 2] = [17, 33];

/// A BMP file of these sides with the colour that each pixel has.
fn bmp(height: usize, width: usize, colour: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
    let row = (3 * width).next_multiple_of(4);
    let number = |value: usize| (value as u32).to_le_bytes();
    let mut file = b"BM".to_vec();
    for value in [54 + row * height, 0, 54, 40, width, height] {
        file.extend(number(value));
    }
    file.extend([1, 0, 24, 0]);
    for value in [0, row * height, 2835, 2835, 0, 0] {
        file.extend(number(value));
    }
    for y in (0..height).rev() {
        let start = file.len();
        for x in 0..width {
            let [red, green, blue] = colour(y, x);
            file.extend([blue, green, red]);
        }
        file.resize(start + row, 0);
    }
    file
}

/// A picture of 6×4 that no other number has, grey or not.
fn numbered(number: usize, grey: bool) -> Vec<u8> {
    bmp(6, 4, |y, x| {
        let value = (4 * y + x) as u8;
        let number = number as u8;
        match grey {
            true => [value ^ number; 3],
            false => [value, number, 200 - value],
        }
    })
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A folder with so many grey pictures of each class, all different.
fn pictures(classes: &[(&str, usize)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    for (class, count) in classes {
        for index in 0..*count {
            put(
                folder.path(),
                &format!("{class}/{index:03}.bmp"),
                &numbered(number, true),
            );
            number += 1;
        }
    }
    folder
}

const SMALL: FolderOptions = FolderOptions {
    transpose: None,
    size: Some([6, 4]),
    channels: None,
    seed: 0,
};

fn source(folder: &Path, options: FolderOptions) -> Source {
    Source::Folder(folder.into(), options)
}

fn read_both(folder: &TempDir, options: FolderOptions) -> [LabelledImages; 2] {
    let source = source(folder.path(), options);
    let train = source.train(&()).unwrap();
    let test = source.test(&train.spec(), &()).unwrap();
    [train, test]
}

fn images(set: &LabelledImages) -> BTreeSet<&[u8]> {
    (0..set.len()).map(|index| set.image(index)).collect()
}

/// How many images of each class there are.
fn counts(set: &LabelledImages) -> Vec<usize> {
    let classes = 0..set.classes().len();
    let of = |class: usize| {
        let labels = set.labels().iter();
        labels.filter(|&&label| usize::from(label) == class).count()
    };
    classes.map(of).collect()
}

#[test]
fn folders_for_training_and_testing_give_what_lies_in_them() {
    let folder = pictures(&[
        ("train/dog", 3),
        ("train/cat", 2),
        ("test/cat", 1),
        ("test/dog", 2),
    ]);
    let notes = Notes::default();
    let source = source(folder.path(), SMALL);
    let train = source.train(&notes).unwrap();
    assert_eq!(notes.progress(), (5, 5, 5));
    let test = source.test(&train.spec(), &notes).unwrap();
    assert_eq!(notes.sentences(), Vec::<String>::new());
    assert_eq!(train.classes().names(), ["cat", "dog"]);
    assert!(train.classes().are_indices());
    assert_eq!(train.spec(), test.spec());
    assert_eq!(train.labels(), [0, 0, 1, 1, 1]);
    assert_eq!(test.labels(), [0, 1, 1]);
    assert_eq!(train.shape(), ImageShape::new(1, 6, 4).unwrap());
    // Of these sides already, so they are there to the byte, by class and name.
    let written = [3, 4, 0, 1, 2, 5, 6, 7].map(|number: u8| {
        let image = (0..24).map(|at: u8| at ^ number);
        image.collect::<Vec<u8>>()
    });
    let read = [train.pixels(), test.pixels()].concat();
    assert_eq!(read, written.concat());
}

#[test]
fn of_a_single_folder_a_fifth_of_each_class_is_held_out_and_that_is_told_once() {
    for root in ["", "train/"] {
        let classes = [("a", 50), ("b", 23), ("c", 5), ("d", 4), ("e", 2), ("f", 1)];
        let classes = classes.map(|(class, count)| (format!("{root}{class}"), count));
        let classes = classes.each_ref().map(|(class, count)| (&**class, *count));
        let folder = pictures(&classes);
        let notes = Notes::default();
        let source = source(folder.path(), SMALL);
        let train = source.train(&notes).unwrap();
        let test = source.test(&train.spec(), &notes).unwrap();
        // One of two is for testing, the only one is not.
        assert_eq!(counts(&test), [10, 4, 1, 1, 1, 0]);
        assert_eq!(counts(&train), [40, 19, 4, 3, 1, 1]);
        assert!(images(&train).is_disjoint(&images(&test)));
        assert_eq!(images(&train).len() + images(&test).len(), 85);
        let [sentence] = &notes.sentences()[..] else {
            panic!("{:?}", notes.sentences())
        };
        for part in ["17 of 85", "held out", "seed 0"] {
            assert!(sentence.contains(part), "{sentence}");
        }
    }
}

#[test]
fn the_same_pictures_are_held_out_each_time_and_others_by_another_seed() {
    let folder = pictures(&[("a", 60), ("b", 60)]);
    let by = |seed| read_both(&folder, FolderOptions { seed, ..SMALL });
    let [train, test] = by(0);
    let [again, test_again] = by(0);
    assert_eq!(train.digest(), again.digest());
    assert_eq!(test.digest(), test_again.digest());
    let [_, other] = by(1);
    assert_eq!(counts(&other), counts(&test));
    assert_ne!(images(&other), images(&test));
    // A class is drawn by itself: more pictures of another change nothing.
    let more = pictures(&[("a", 60), ("b", 7)]);
    let [_, fewer] = read_both(&more, SMALL);
    let first = |set: &LabelledImages| set.pixels()[..12 * set.shape().len()].to_vec();
    assert_eq!(first(&fewer), first(&test));
}

#[test]
fn pictures_of_any_size_are_brought_to_one() {
    let folder = tempfile::tempdir().unwrap();
    for (index, [height, width]) in [[40, 40], [100, 10], [3, 90], [1, 1], [32, 32]]
        .into_iter()
        .enumerate()
    {
        for class in ["a", "b"] {
            let colour = |_: usize, _: usize| [60 * index as u8; 3];
            put(
                folder.path(),
                &format!("train/{class}/{index}.bmp"),
                &bmp(height, width, colour),
            );
        }
    }
    for (size, expected) in [(None, [32, 32]), (Some([7, 19]), [7, 19])] {
        let options = FolderOptions {
            size,
            ..Default::default()
        };
        let [train, test] = read_both(&folder, options);
        let [height, width] = expected;
        assert_eq!(train.shape(), ImageShape::new(1, height, width).unwrap());
        assert_eq!(train.spec(), test.spec());
        // Each is of one colour, and so is all around it.
        for set in [train, test] {
            for index in 0..set.len() {
                let image = set.image(index);
                let first = image[0];
                assert!(first.is_multiple_of(60));
                assert!(image.iter().all(|pixel| pixel.abs_diff(first) <= 1));
            }
        }
    }
}

#[test]
fn images_have_colours_where_a_picture_has() {
    let folder = pictures(&[("train/a", 2), ("train/b", 1), ("test/b", 1)]);
    let [train, _] = read_both(&folder, SMALL);
    assert_eq!(train.shape().channels, 1);
    put(folder.path(), "train/a/9.bmp", &numbered(9, false));
    let [train, test] = read_both(&folder, SMALL);
    assert_eq!((train.shape().channels, train.spec()), (3, test.spec()));
    let planes: Vec<&[u8]> = train.image(2).chunks_exact(24).collect();
    let values: Vec<u8> = (0..24).collect();
    assert_eq!(planes[0], values);
    assert_eq!(planes[1], [9; 24]);
    let blue: Vec<u8> = values.iter().map(|value| 200 - value).collect();
    assert_eq!(planes[2], blue);
    // Grey ones have their value in each channel.
    let planes: Vec<&[u8]> = train.image(0).chunks_exact(24).collect();
    assert!(planes[0] == planes[1] && planes[1] == planes[2]);
}

#[test]
fn channels_are_as_asked_for() {
    let folder = pictures(&[("train/a", 1), ("train/b", 1), ("test/a", 1)]);
    let of = |channels| {
        let options = FolderOptions {
            channels: Some(channels),
            ..SMALL
        };
        read_both(&folder, options)
    };
    let [grey, _] = of(1);
    let [colour, test] = of(3);
    assert_eq!((grey.shape().channels, test.shape().channels), (1, 3));
    assert_eq!(colour.image(0), [grey.image(0); 3].concat());
    // Grey is what `pictures` makes of a colour, which is what a picture becomes that is classified later.
    let pure = |red, green, blue| bmp(6, 4, move |_, _| [red, green, blue]);
    for (name, picture) in [
        ("0.bmp", pure(255, 0, 0)),
        ("1.bmp", pure(0, 255, 0)),
        ("2.bmp", pure(0, 0, 255)),
        ("3.bmp", pure(255, 255, 255)),
    ] {
        put(folder.path(), &format!("train/b/{name}"), &picture);
    }
    fs::remove_file(folder.path().join("train/b/000.bmp")).unwrap();
    let [grey, _] = of(1);
    let values: Vec<u8> = (1..5).map(|index| grey.image(index)[0]).collect();
    assert_eq!(values, [54, 182, 18, 255]);
    for index in 1..5 {
        let path = folder.path().join(format!("train/b/{}.bmp", index - 1));
        let later = pictures::read_whole(path, [1, 6, 4], &pictures::Budget::new()).unwrap();
        assert_eq!(grey.image(index), later);
    }
    for channels in [0, 2, 4] {
        let options = FolderOptions {
            channels: Some(channels),
            ..SMALL
        };
        let error = source(folder.path(), options).train(&()).unwrap_err();
        assert!(matches!(error, DataError::Shape { .. }), "{error}");
    }
}

/// The JPEG file with a note of how the camera was held.
fn held(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let exif = [b"Exif\0\0", &tiff[..]].concat();
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&JPEG[..2], &[0xff, 0xe1], &length, &exif, &JPEG[2..]].concat()
}

#[test]
fn pictures_are_upright_as_their_exif_note_says() {
    let read = |bytes: &[u8], size| {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "train/a/1.jpg", bytes);
        put(folder.path(), "train/b/1.jpg", bytes);
        let options = FolderOptions {
            size: Some(size),
            channels: Some(3),
            ..Default::default()
        };
        source(folder.path(), options).train(&()).unwrap()
    };
    let [height, width] = JPEG_SIZE;
    let plain = read(JPEG, [height, width]);
    let plain = plain.image(0);
    let upside_down: Vec<u8> = plain
        .chunks_exact(height * width)
        .flat_map(|plane| plane.iter().rev().copied())
        .collect();
    assert_ne!(plain, upside_down);
    assert_eq!(read(&held(1), [height, width]).image(0), plain);
    assert_eq!(read(&held(3), [height, width]).image(0), upside_down);
    // A quarter clockwise: the lowest row becomes the left column.
    let quarter: Vec<u8> = plain
        .chunks_exact(height * width)
        .flat_map(|plane| {
            (0..width)
                .flat_map(move |y| (0..height).map(move |x| plane[(height - 1 - x) * width + y]))
        })
        .collect();
    assert_eq!(read(&held(6), [width, height]).image(0), quarter);
}

#[test]
fn what_cannot_be_read_is_left_out_and_named() {
    let folder = pictures(&[("train/a", 3), ("train/b", 2), ("test/a", 1), ("test/b", 1)]);
    let whole = numbered(77, true);
    for (name, bytes) in [
        ("train/a/cut.bmp", &whole[..60]),
        ("train/a/empty.png", &[]),
        ("train/b/notes.txt", b"mine"),
        ("train/b/cut.jpg", &JPEG[..JPEG.len() / 2]),
        ("train/b/2019/1.bmp", &whole),
        ("test/a/photo.gif", b"GIF89a\x01\0\x01\0"),
    ] {
        put(folder.path(), name, bytes);
    }
    let notes = Notes::default();
    let source = source(folder.path(), SMALL);
    let train = source.train(&notes).unwrap();
    assert_eq!(counts(&train), [3, 2]);
    let sentences = notes.sentences();
    assert_eq!(sentences.len(), 5, "{sentences:?}");
    for name in [
        "a/cut.bmp",
        "a/empty.png",
        "b/notes.txt",
        "b/cut.jpg",
        "b/2019",
    ] {
        let told = sentences.iter().filter(|told| told.contains(name));
        assert_eq!(told.count(), 1, "{name}: {sentences:?}");
    }
    let notes = Notes::default();
    let test = source.test(&train.spec(), &notes).unwrap();
    assert_eq!(counts(&test), [1, 1]);
    let [sentence] = &notes.sentences()[..] else {
        panic!("{:?}", notes.sentences())
    };
    assert!(
        sentence.contains("photo.gif") && sentence.contains("a GIF"),
        "{sentence}"
    );
}

#[test]
fn what_desktops_leave_is_neither_a_picture_nor_a_class() {
    let folder = pictures(&[("train/a", 3), ("train/b", 2), ("test/a", 1), ("test/b", 1)]);
    for name in [
        "train/.DS_Store",
        "train/Thumbs.db",
        "train/__MACOSX/a.bmp",
        "train/@eaDir/b.bmp",
        "train/.hidden/c.bmp",
        "train/notes.txt",
        "train/a/.DS_Store",
        "train/a/._000.bmp",
        "train/b/desktop.ini",
        "test/.DS_Store",
        ".DS_Store",
        "LICENSE",
    ] {
        put(folder.path(), name, b"litter");
    }
    let notes = Notes::default();
    let source = source(folder.path(), SMALL);
    let train = source.train(&notes).unwrap();
    let test = source.test(&train.spec(), &notes).unwrap();
    assert_eq!(notes.sentences(), Vec::<String>::new());
    assert_eq!(train.classes().names(), ["a", "b"]);
    assert_eq!((counts(&train), counts(&test)), (vec![3, 2], vec![1, 1]));
}

#[test]
fn a_folder_without_a_file_is_no_class_and_that_is_told() {
    for root in ["", "train/"] {
        let folder = pictures(&[(&format!("{root}a"), 3), (&format!("{root}b"), 2)]);
        fs::create_dir(folder.path().join(root).join("nothing")).unwrap();
        let notes = Notes::default();
        let source = source(folder.path(), SMALL);
        let train = source.train(&notes).unwrap();
        assert_eq!(train.classes().names(), ["a", "b"]);
        source.test(&train.spec(), &notes).unwrap();
        let told = notes.sentences();
        let told = told.iter().filter(|told| told.contains("nothing"));
        assert_eq!(told.count(), 1);
    }
}

#[test]
fn a_class_without_a_picture_that_can_be_read_is_named() {
    let folder = pictures(&[("train/a", 3), ("test/a", 1)]);
    put(folder.path(), "train/b/1.png", b"no picture");
    let error = source(folder.path(), SMALL).train(&()).unwrap_err();
    assert!(
        matches!(&error, DataError::EmptyClass { folder } if folder.ends_with("train/b")),
        "{error}"
    );
    // So is a folder of test pictures of which none can be read.
    put(folder.path(), "train/b/2.bmp", &numbered(9, true));
    let [train, _] = read_both(&folder, SMALL);
    put(folder.path(), "test/a/000.bmp", b"no picture");
    let source = source(folder.path(), SMALL);
    let error = source.test(&train.spec(), &()).unwrap_err();
    assert!(
        matches!(&error, DataError::EmptyClass { folder } if folder.ends_with("test")),
        "{error}"
    );
}

#[test]
fn a_class_that_was_not_trained_on_is_named_and_one_without_test_pictures_is_none() {
    let folder = pictures(&[("train/a", 3), ("train/b", 2), ("test/b", 2)]);
    let [train, test] = read_both(&folder, SMALL);
    assert_eq!((counts(&train), counts(&test)), (vec![3, 2], vec![0, 2]));
    put(folder.path(), "test/c/1.bmp", &numbered(9, true));
    let error = source(folder.path(), SMALL)
        .test(&train.spec(), &())
        .unwrap_err();
    assert!(
        matches!(&error, DataError::UnknownClass { folder } if folder.ends_with("test/c")),
        "{error}"
    );
}

#[test]
fn one_class_only_is_no_data_set() {
    for place in ["a", "train/a"] {
        let folder = pictures(&[(place, 8)]);
        let error = source(folder.path(), SMALL).train(&()).unwrap_err();
        assert!(matches!(error, DataError::Missing { .. }), "{error}");
        let message = error.to_string();
        assert!(
            message.contains("a folder for each class") && !message.contains('\n'),
            "{message}"
        );
    }
}

#[test]
fn classes_have_names_in_any_script_and_are_sorted_by_them() {
    let names = ["2 cats", "Zebra", "aardvark", "éléphant", "кот", "猫", "🐈"];
    let folder = pictures(&names.map(|name| (name, 2)));
    let [train, test] = read_both(&folder, SMALL);
    assert_eq!(train.classes().names(), names);
    assert_eq!((counts(&train), counts(&test)), (vec![1; 7], vec![1; 7]));
}

#[test]
fn a_folder_whose_name_no_class_can_have_is_named() {
    let folder = pictures(&[("train/a", 1), ("train/  ", 1)]);
    let message = source(folder.path(), SMALL)
        .train(&())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("train") && message.contains("empty"),
        "{message}"
    );
}

#[test]
fn sides_that_no_image_has_are_refused() {
    let folder = pictures(&[("a", 2), ("b", 2)]);
    for size in [[0, 28], [28, 257]] {
        let options = FolderOptions {
            size: Some(size),
            ..SMALL
        };
        let error = source(folder.path(), options).train(&()).unwrap_err();
        assert!(matches!(error, DataError::Shape { .. }), "{error}");
    }
}

#[test]
fn idx_files_are_taken_before_pictures() {
    let folder = pictures(&[("a", 2), ("b", 2)]);
    let set = crate::numbered_images(20);
    crate::write(folder.path(), crate::TRAIN, &set, false);
    let train = Source::folder(folder.path()).train(&()).unwrap();
    assert_eq!(train.digest(), set.digest());
}

#[test]
fn the_digest_is_that_of_the_images_and_not_of_their_files() {
    let one = pictures(&[("train/a", 2), ("train/b", 2), ("test/a", 1)]);
    let other = pictures(&[("train/a", 2), ("train/b", 2), ("test/a", 1)]);
    for place in ["train/a", "train/b"] {
        let place = other.path().join(place);
        for index in 0..2 {
            let name = format!("{index:03}.bmp");
            fs::rename(place.join(&name), place.join(format!("renamed {name}"))).unwrap();
        }
    }
    let [[first, _], [second, _]] = [&one, &other].map(|folder| read_both(folder, SMALL));
    assert_eq!(first.digest(), second.digest());
}

#[cfg(unix)]
#[test]
fn a_picture_whose_name_is_no_text_is_a_picture_and_a_class_must_have_a_name() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let folder = pictures(&[("a", 4), ("b", 4)]);
    let no_text = OsStr::from_bytes(b"\xff.bmp");
    let picture = bmp(6, 4, |_, _| [9; 3]);
    fs::write(folder.path().join("a").join(no_text), picture).unwrap();
    let [train, test] = read_both(&folder, SMALL);
    assert_eq!(train.len() + test.len(), 9);
    fs::rename(folder.path().join("b"), folder.path().join(no_text)).unwrap();
    let error = source(folder.path(), SMALL).train(&()).unwrap_err();
    assert!(error.to_string().contains("not text in UTF-8"), "{error}");
}
