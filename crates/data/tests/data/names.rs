//! What classes are called.

use std::fs;

use data::{Classes, DataError, Source};
use tempfile::TempDir;

use crate::{GREY, TRAIN, numbered, write};

/// A folder with training images of these labels and a file beside them.
fn folder(labels: &[u16], name: &str, text: &[u8]) -> TempDir {
    named_folder("", labels, name, text)
}

fn named_folder(set: &str, labels: &[u16], name: &str, text: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let classes = Classes::numbered(labels.to_vec()).unwrap();
    let images = numbered(GREY, classes, 2 * labels.len());
    let names = TRAIN.map(|name| format!("{set}{name}"));
    write(
        folder.path(),
        names.each_ref().map(|name| &**name),
        &images,
        false,
    );
    fs::write(folder.path().join(name), text).unwrap();
    folder
}

fn names_of(folder: &TempDir) -> Result<Vec<String>, DataError> {
    let train = Source::folder(folder.path()).train(&())?;
    Ok(train.classes().names().to_vec())
}

/// The names that `classes.txt` gives to three classes.
fn three(text: &[u8]) -> Result<Vec<String>, DataError> {
    names_of(&folder(&[0, 1, 2], "classes.txt", text))
}

#[test]
fn without_a_file_classes_are_called_by_their_labels() {
    let folder = folder(&[1, 2, 40], "unrelated.txt", b"a\nb\nc\n");
    assert_eq!(names_of(&folder).unwrap(), ["1", "2", "40"]);
}

#[test]
fn a_line_of_classes_txt_is_a_name() {
    for text in [
        "cat\ndog\nа bird\n",
        "cat\ndog\nа bird",
        "cat\r\ndog\r\nа bird\r\n",
        "\u{feff}cat\ndog\nа bird\n",
        "\u{feff}cat\r\ndog\r\nа bird",
        "  cat\ndog  \nа bird\n\n\n",
    ] {
        assert_eq!(
            three(text.as_bytes()).unwrap(),
            ["cat", "dog", "а bird"],
            "{text:?}"
        );
    }
}

#[test]
fn names_are_for_the_labels_that_are_there_or_for_all_up_to_the_last() {
    let labels = [1, 2, 4];
    let of = |text: &[u8]| names_of(&folder(&labels, "classes.txt", text));
    assert_eq!(of(b"one\ntwo\nfour\n").unwrap(), ["one", "two", "four"]);
    assert_eq!(
        of(b"zero\none\ntwo\nthree\nfour\n").unwrap(),
        ["one", "two", "four"]
    );
    for wrong in [
        "",
        "one\n",
        "one\ntwo\n",
        "a\nb\nc\nd\n",
        "a\nb\nc\nd\ne\nf\n",
    ] {
        let error = of(wrong.as_bytes()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("classes.txt") && message.contains("3 classes"),
            "{message}"
        );
        assert!(!message.contains('\n'));
    }
}

#[test]
fn a_name_that_cannot_be_is_refused_with_its_file() {
    for (text, part) in [
        ("cat\ncat\ndog\n", "two classes"),
        ("cat\n\ndog\n", "empty"),
        ("cat\n \t \ndog\n", "empty"),
        ("cat\nd\tog\nbird\n", "control"),
        ("cat\nd\u{0}og\nbird\n", "control"),
        ("cat\nd\u{1b}[31mog\nbird\n", "control"),
        (&format!("cat\n{}\nbird\n", "é".repeat(101)), "longer"),
    ] {
        let message = three(text.as_bytes()).unwrap_err().to_string();
        assert!(
            message.contains("classes.txt") && message.contains(part),
            "{message}"
        );
        assert!(!message.contains(char::is_control), "{message:?}");
    }
}

#[test]
fn what_is_no_text_or_no_file_is_named() {
    let message = three(b"cat\nd\xf6g\nbird\n").unwrap_err().to_string();
    assert!(
        message.contains("classes.txt") && message.contains("UTF-8"),
        "{message}"
    );
    let message = three(&[b'a'; (1 << 20) + 1]).unwrap_err().to_string();
    assert!(message.contains("classes.txt"), "{message}");
    let folder = folder(&[0, 1], "unrelated.txt", b"");
    fs::create_dir(folder.path().join("classes.txt")).unwrap();
    let error = names_of(&folder).unwrap_err();
    assert!(matches!(error, DataError::NotAFile { .. }), "{error}");
}

#[test]
fn emnists_mapping_names_classes_by_their_characters() {
    let mapping = b"1 65 97\n2 66 98\n26 90\n3 67\n";
    let named =
        |set: &str, name: &str| names_of(&named_folder(set, &[1, 2, 26], name, mapping)).unwrap();
    let set = "emnist-letters-";
    assert_eq!(named(set, "emnist-letters-mapping.txt"), ["Aa", "Bb", "Z"]);
    // That of another subset is not asked.
    assert_eq!(named(set, "emnist-byclass-mapping.txt"), ["1", "2", "26"]);
    assert_eq!(named("", "mapping.txt"), ["Aa", "Bb", "Z"]);
}

#[test]
fn a_label_that_the_mapping_leaves_out_is_called_by_its_number() {
    let set = "emnist-digits-";
    for (text, expected) in [
        ("0 48\r\n2 50\r\n", ["0", "1", "2"]),
        ("0 65\n1\n2 67\n", ["A", "1", "C"]),
        ("", ["0", "1", "2"]),
        ("0 99999999999\n1 55296\n2 66\n", ["0", "1", "B"]),
        ("no mapping\nat all\n", ["0", "1", "2"]),
    ] {
        let folder = named_folder(
            set,
            &[0, 1, 2],
            "emnist-digits-mapping.txt",
            text.as_bytes(),
        );
        assert_eq!(names_of(&folder).unwrap(), expected, "{text:?}");
    }
}

#[test]
fn a_mapping_that_names_two_classes_alike_is_refused_with_its_file() {
    let folder = named_folder(
        "emnist-digits-",
        &[0, 1, 2],
        "emnist-digits-mapping.txt",
        b"0 65\n1 65\n2 66\n",
    );
    let message = names_of(&folder).unwrap_err().to_string();
    assert!(
        message.contains("emnist-digits-mapping.txt") && message.contains("two classes"),
        "{message}"
    );
}

#[test]
fn classes_txt_is_asked_before_the_mapping() {
    let folder = named_folder(
        "emnist-digits-",
        &[0, 1],
        "emnist-digits-mapping.txt",
        b"0 65\n1 66\n",
    );
    fs::write(folder.path().join("classes.txt"), "nought\none\n").unwrap();
    assert_eq!(names_of(&folder).unwrap(), ["nought", "one"]);
}

#[test]
fn test_images_have_the_names_of_training() {
    let folder = folder(&[0, 1, 2], "classes.txt", b"a\nb\nc\n");
    let train = Source::folder(folder.path()).train(&()).unwrap();
    let set = numbered(GREY, Classes::numbered(vec![0, 2]).unwrap(), 4);
    write(folder.path(), crate::TEST, &set, false);
    let test = Source::folder(folder.path())
        .test(&train.spec(), &())
        .unwrap();
    assert_eq!(test.classes(), train.classes());
    assert_eq!(test.labels(), [0, 2, 0, 2]);
}
