use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use data::mnist::PublishedFile;
use data::{DataError, Downloader};

const CONTENT: &[u8] = b"the published bytes";
const FILE: PublishedFile = PublishedFile {
    name: "file.gz",
    sha256: "20139b7f2cbb8718eeaa22d38745d005a642545d21cc47fa49475c42d72e044e",
    bytes: CONTENT.len() as u64,
};

/// A mirror on this machine that gives each request the same raw answer.
struct Mirror {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl Mirror {
    fn new(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/mnist/", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).unwrap_or(0) == 0 {
                        break;
                    }
                    request.push(byte[0]);
                }
                assert!(request.starts_with(b"GET /mnist/file.gz "));
                counter.fetch_add(1, Ordering::SeqCst);
                // A client that has read enough may hang up.
                let _ = stream.write_all(&answer);
            }
        });
        Self { address, requests }
    }

    fn serving(content: &[u8]) -> Self {
        Self::new(answer(content.len(), content))
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(length: usize, content: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), content].concat()
}

fn fetch(cache: &Path, mirrors: &[&Mirror]) -> Result<Vec<u8>, DataError> {
    Downloader::new(cache)
        .with_mirrors(mirrors.iter().map(|mirror| &mirror.address))
        .fetch(&FILE)
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_file_is_fetched_once_and_then_comes_from_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("new/cache");
    let mirror = Mirror::serving(CONTENT);
    assert_eq!(fetch(&cache, &[&mirror]).unwrap(), CONTENT);
    assert_eq!(fetch(&cache, &[&mirror]).unwrap(), CONTENT);
    assert_eq!(mirror.requests(), 1);
    assert_eq!(names(&cache), [FILE.name]);
}

#[test]
fn a_poisoned_cache_is_replaced() {
    for poison in [
        &b"the published bytez"[..],
        b"the pub",
        b"",
        b"the published bytes and more",
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE.name), poison).unwrap();
        let mirror = Mirror::serving(CONTENT);
        assert_eq!(fetch(folder.path(), &[&mirror]).unwrap(), CONTENT);
        assert_eq!(fs::read(folder.path().join(FILE.name)).unwrap(), CONTENT);
        assert_eq!(mirror.requests(), 1);
    }
}

#[test]
fn the_next_mirror_is_asked_where_one_gives_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = Mirror::serving(b"the published bytez");
    let right = Mirror::serving(CONTENT);
    assert_eq!(fetch(folder.path(), &[&wrong, &right]).unwrap(), CONTENT);
    assert_eq!((wrong.requests(), right.requests()), (1, 1));
}

#[test]
fn where_all_mirrors_fail_each_reason_and_the_way_out_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mirrors = [
        Mirror::new(answer(CONTENT.len(), &CONTENT[..7])),
        Mirror::serving(b"<html>sign in</html>"),
        Mirror::serving(b"the published bytes and much more"),
        Mirror::new(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into(),
        ),
        Mirror::serving(b"other"),
    ];
    let error = fetch(folder.path(), &mirrors.each_ref()).unwrap_err();
    let message = error.to_string();
    for part in [
        "broke off",
        "web page",
        "more than the published 19",
        "404",
        "SHA-256",
        "check the network",
    ] {
        assert!(message.contains(part), "{part} is missing: {message}");
    }
    assert!(
        mirrors
            .iter()
            .all(|mirror| message.contains(&mirror.address))
    );
    assert!(!message.contains('\n'));
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_failed_download_leaves_the_cache_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE.name), b"poison").unwrap();
    fetch(folder.path(), &[&Mirror::serving(b"other")]).unwrap_err();
    assert_eq!(fs::read(folder.path().join(FILE.name)).unwrap(), b"poison");
}

#[test]
fn an_endless_answer_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let mirror = Mirror::new(answer(1 << 40, &vec![0; 4 << 20]));
    let message = fetch(folder.path(), &[&mirror]).unwrap_err().to_string();
    assert!(message.contains("more than the published"), "{message}");
}

#[test]
fn unencrypted_mirrors_are_refused_unless_they_are_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let message = Downloader::new(folder.path())
        .with_mirrors(["http://mirror.invalid/", "http://127.0.0.1.mirror.invalid/"])
        .fetch(&FILE)
        .unwrap_err()
        .to_string();
    assert_eq!(
        message.matches("is not an https:// address").count(),
        2,
        "{message}"
    );
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("a file");
    fs::write(&cache, []).unwrap();
    let error = fetch(&cache, &[&Mirror::serving(CONTENT)]).unwrap_err();
    assert!(
        matches!(
            &error,
            DataError::Io {
                action: "write",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("a file"));
}
