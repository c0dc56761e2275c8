//! The command line: what is refused, and how.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, process::Command};

/// Exit code and standard error.
fn serve(args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    let output = command.args(args).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn what_is_unsafe_or_makes_no_sense_is_bad_usage() {
    for (args, word) in [
        (&["--listen", "0.0.0.0:0"][..], "--token-file"),
        (&["--listen", "[::]:0"], "--no-auth"),
        (&["--no-auth", "--token-file", "x"], "choose one"),
        (&["--max-body", "0"], "--max-body"),
        (&["--max-body", "64", "--queue", "32"], "--queue"),
        (&["--nonsense"], "--nonsense"),
    ] {
        let (code, said) = serve(args);
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains(word), "{args:?}: {said}");
    }
}

#[test]
fn what_cannot_be_read_is_named_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nothing").display().to_string();
    let (code, said) = serve(&[&missing]);
    assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("nothing"), "{said}");
    let (code, said) = serve(&["a/b=c"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("NAME=FOLDER"), "{said}");
}

#[test]
fn a_token_is_never_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let path = file.display().to_string();
    let database = folder.path().join("reviews.sqlite").display().to_string();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../artifacts/pretrained");
    for (text, word) in [
        ("secret", "line 1"),
        ("admin secretsecretsecret", "line 1"),
        ("# who\nask secret", "line 2"),
        ("# nobody", "no token"),
    ] {
        fs::write(&file, text).unwrap();
        let args = [
            &[model, "--listen", "127.0.0.1:0", "--token-file", &path][..],
            &["--database", &database],
        ]
        .concat();
        let (code, said) = serve(&args);
        assert!(!Path::new(&database).exists(), "nothing is left behind");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(word) && said.contains(&path), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
}
