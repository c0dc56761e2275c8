//! `train --download` beside a server on this machine: the right bytes, the wrong ones, a slow one, one
//! that hangs up, none, and one behind a certificate of its own.
//!
//! Needs the binary with its client: `cargo test --release -p tests --features tests/download,train/download --test
//! download` after `cargo build --release --features train/download`.

#![cfg(feature = "download")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};
use tests::{Outcome, Sandbox, root, smoke};

const FILES: [&str; 4] = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
];

/// The published file.
fn published(name: &str) -> Vec<u8> {
    fs::read(root().join("crates/data/mnist").join(name)).unwrap()
}

/// How a server answers.
#[derive(Clone, Copy)]
enum Manner {
    /// With the file.
    Right,
    /// With the file, one bit of it changed.
    Wrong,
    /// With the file, a piece now and then.
    Slow,
    /// With half of it.
    HangsUp,
    /// With the page of a hotel's network.
    WebPage,
}

/// A server on this machine, and how often it was asked.
struct Server {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    fn new(manner: Manner) -> Self {
        Self::start("http", move |stream| answer(stream, manner))
    }

    fn start(
        scheme: &str,
        serve: impl Fn(TcpStream) -> std::io::Result<()> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("{scheme}://{}/mnist/", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                // A client may hang up, that is its right.
                let _ = serve(stream.unwrap());
            }
        });
        Server { address, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: impl Read + Write, manner: Manner) -> std::io::Result<()> {
    let mut request = BufReader::new(&mut stream);
    let mut first = String::new();
    request.read_line(&mut first)?;
    let mut line = String::new();
    while request.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let mut bytes = match manner {
        Manner::WebPage => b"<html>please sign in</html>".to_vec(),
        _ => published(path.strip_prefix("/mnist/").unwrap_or("nothing")),
    };
    let length = bytes.len();
    match manner {
        Manner::Wrong => bytes[length / 2] ^= 1,
        Manner::HangsUp => bytes.truncate(length / 2),
        _ => {}
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    for piece in bytes.chunks(1 << 17) {
        if matches!(manner, Manner::Slow) {
            std::thread::sleep(Duration::from_millis(20));
        }
        stream.write_all(piece)?;
    }
    stream.flush()
}

/// Trains for a moment on what is fetched into `folder`, which isn't there at first.
fn train(sandbox: &Sandbox, folder: &str, mirrors: &[&str], certificates: Option<&str>) -> Outcome {
    let smoke = smoke();
    let mut args = vec![
        "--config",
        &smoke,
        "--set",
        "data.limit=128",
        "--run-dir",
        "run",
    ];
    args.extend(["--data-dir", folder, "--download"]);
    args.extend(mirrors.iter().flat_map(|mirror| ["--mirror", mirror]));
    let mut command = sandbox.command("train", &args);
    command
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR");
    if let Some(file) = certificates {
        command.env("SSL_CERT_FILE", sandbox.path(file));
    }
    command.output().unwrap().into()
}

/// Checks that a download failed: one line that names the server and says this, and nothing left.
fn failed(sandbox: &Sandbox, outcome: &Outcome, parts: &[&str]) {
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let errors: Vec<_> = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("error"))
        .collect();
    assert_eq!(errors.len(), 1, "{}", outcome.stderr);
    for part in parts {
        assert!(errors[0].contains(part), "{part}: {}", errors[0]);
    }
    assert!(!sandbox.path("run").exists() && !sandbox.path("new").exists());
}

#[test]
fn mnist_is_fetched_into_a_new_folder_and_only_once() {
    for manner in [Manner::Right, Manner::Slow] {
        let sandbox = Sandbox::new();
        let server = Server::new(manner);
        let outcome = train(&sandbox, "new/mnist", &[&server.address], None);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(
            outcome.stderr.contains("fetching into"),
            "{}",
            outcome.stderr
        );
        for name in FILES {
            assert_eq!(sandbox.bytes(&format!("new/mnist/{name}")), published(name));
        }
        assert_eq!(server.requests(), 4);
        sandbox.succeed("train", &["--resume", "run"]);
        fs::remove_dir_all(sandbox.path("run")).unwrap();
        let outcome = train(&sandbox, "new/mnist", &[&server.address], None);
        assert_eq!(
            (outcome.code, server.requests()),
            (Some(0), 4),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
fn a_server_that_does_not_give_the_files_is_named_with_what_it_did() {
    for (manner, part) in [
        (Manner::Wrong, "SHA-256"),
        (Manner::HangsUp, "broke off after"),
        (Manner::WebPage, "web page"),
    ] {
        let sandbox = Sandbox::new();
        let server = Server::new(manner);
        let outcome = train(&sandbox, "new/mnist", &[&server.address], None);
        failed(
            &sandbox,
            &outcome,
            &[&server.address, part, "train-labels-idx1-ubyte.gz"],
        );
    }
}

#[test]
fn a_server_that_is_not_there_is_named_and_the_next_is_asked() {
    let sandbox = Sandbox::new();
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gone = format!("http://{gone}/mnist/");
    let outcome = train(&sandbox, "new/mnist", &[&gone], None);
    failed(&sandbox, &outcome, &[&gone, "refused", "--data-dir"]);
    let server = Server::new(Manner::Right);
    let outcome = train(&sandbox, "new/mnist", &[&gone, &server.address], None);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn what_others_could_read_on_the_way_is_not_asked_for() {
    let sandbox = Sandbox::new();
    let outcome = train(&sandbox, "new/mnist", &["http://mirror.invalid/"], None);
    failed(&sandbox, &outcome, &["http://mirror.invalid/", "https://"]);
}

/// A server with a certificate for this machine, signed by an authority that nobody knows, whose
/// own certificate is written to `ca.pem`.
fn encrypted(sandbox: &Sandbox) -> Server {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let signed = authority.self_signed(&authority_key).unwrap();
    fs::write(sandbox.path("ca.pem"), signed.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &Issuer::new(authority, authority_key))
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    Server::start("https", move |stream| {
        let connection =
            ServerConnection::new(Arc::clone(&config)).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        answer(&mut stream, Manner::Right)?;
        stream.conn.send_close_notify();
        stream.flush()
    })
}

#[test]
fn certificates_of_the_environment_are_heeded() {
    let sandbox = Sandbox::new();
    let server = encrypted(&sandbox);
    let outcome = train(&sandbox, "new/mnist", &[&server.address], None);
    failed(&sandbox, &outcome, &[&server.address, "certificate"]);
    fs::write(sandbox.path("empty.pem"), "").unwrap();
    for (file, part) in [
        ("empty.pem", "no certificate"),
        ("nowhere.pem", "nowhere.pem"),
    ] {
        let outcome = train(&sandbox, "new/mnist", &[&server.address], Some(file));
        failed(&sandbox, &outcome, &["SSL_CERT_FILE", part]);
    }
    let outcome = train(&sandbox, "new/mnist", &[&server.address], Some("ca.pem"));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    for name in FILES {
        assert_eq!(sandbox.bytes(&format!("new/mnist/{name}")), published(name));
    }
}

#[test]
fn a_mirror_is_for_downloads() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run("train", &["--mirror", "https://mirror.invalid/"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("--download"), "{}", outcome.stderr);
}
