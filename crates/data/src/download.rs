use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};

use crate::DataError;
use crate::digest::sha256;
use crate::mnist::{MIRRORS, PublishedFile};

/// Fetches published files into a folder, and believes none without its digest. A file of MNIST may
/// also be compressed anew, as mirrors do: then what it unpacks to has to be what was published.
///
/// A server has to show a certificate that leads to one of Mozilla's roots, or where the environment
/// has `SSL_CERT_FILE` (a file of certificates in PEM) or `SSL_CERT_DIR` (folders of such files,
/// separated as in `PATH`), to one of those instead: behind a proxy that opens connections, its own.
///
/// A file enters the folder whole: written under a temporary name beside its place, synced, then
/// renamed. A file already there is checked at each use and replaced where it is not the published
/// one.
#[derive(Clone, Debug)]
pub struct Downloader {
    cache: PathBuf,
    mirrors: Vec<String>,
}

impl Downloader {
    /// Keeps files in `cache` (created if need be) and asks [`MIRRORS`] for what is missing.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache.into(),
            mirrors: MIRRORS.map(String::from).into(),
        }
    }

    /// Asks other mirrors: addresses that a file's name is appended to, in the order in which they
    /// are tried. They must start with `https://`; plain `http://` is accepted for this machine
    /// itself (`127.0.0.1` or `localhost`).
    pub fn with_mirrors(mut self, mirrors: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.mirrors = mirrors.into_iter().map(Into::into).collect();
        self
    }

    /// The bytes of `file`, from the cache or else from the first mirror that gives them.
    ///
    /// # Errors
    ///
    /// [`DataError::Download`] with each mirror's reason if none gives the published bytes;
    /// [`DataError::Io`] if the cache cannot be written.
    pub fn fetch(&self, file: &PublishedFile) -> Result<Vec<u8>, DataError> {
        let path = self.cache.join(file.name);
        if let Some(bytes) = cached(&path, file) {
            return Ok(bytes);
        }
        let mut reasons = Vec::new();
        for mirror in &self.mirrors {
            match download(mirror, file) {
                Ok(bytes) => {
                    self.keep(&path, &bytes)?;
                    return Ok(bytes);
                }
                Err(reason) => reasons.push(format!("{mirror}: {reason}")),
            }
        }
        Err(DataError::Download {
            file: file.name.into(),
            reasons: match reasons.is_empty() {
                true => "no mirror is named".into(),
                false => reasons.join("; "),
            },
        })
    }

    fn keep(&self, path: &Path, bytes: &[u8]) -> Result<(), DataError> {
        let write = || {
            std::fs::create_dir_all(&self.cache)?;
            let mut temporary = tempfile::NamedTempFile::new_in(&self.cache)?;
            temporary.write_all(bytes)?;
            temporary.as_file().sync_all()?;
            temporary.persist(path).map_err(|failed| failed.error)?;
            sync_folder(&self.cache)
        };
        write().map_err(|source| DataError::Io {
            action: "write",
            file: path.display().to_string(),
            source,
        })
    }
}

/// The published bytes, if that is what the path holds.
fn cached(path: &Path, file: &PublishedFile) -> Option<Vec<u8>> {
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(file.bytes + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    is_published(&bytes, file).then_some(bytes)
}

/// Whether these are the published bytes, or others that unpack to what is published.
fn is_published(bytes: &[u8], file: &PublishedFile) -> bool {
    let unpacks_to = |digest: &str| {
        let mut content = Vec::new();
        let unpacked = MultiGzDecoder::new(bytes)
            .take(CONTENT_LIMIT)
            .read_to_end(&mut content);
        unpacked.is_ok() && sha256(&[&content]) == digest
    };
    sha256(&[bytes]) == file.sha256 || file.content().is_some_and(unpacks_to)
}

/// No file of MNIST unpacks to more bytes.
const CONTENT_LIMIT: u64 = 48 << 20;

/// Asks one mirror; an error is the reason in words.
fn download(mirror: &str, file: &PublishedFile) -> Result<Vec<u8>, String> {
    let local = ["http://127.0.0.1:", "http://localhost:"]
        .iter()
        .any(|start| mirror.starts_with(start));
    if !local && !mirror.starts_with("https://") {
        return Err("is not an https:// address".into());
    }
    let config = ureq::Agent::config_builder()
        .https_only(!local)
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_global(Some(Duration::from_secs(300)));
    let config = match local {
        true => config.proxy(None),
        false => match roots()? {
            Some(roots) => config.tls_config(TlsConfig::builder().root_certs(roots).build()),
            None => config,
        },
    };
    let mut response = config
        .build()
        .new_agent()
        .get(format!("{}/{}", mirror.trim_end_matches('/'), file.name))
        .call()
        .map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    response
        .body_mut()
        .with_config()
        .limit(u64::MAX)
        .reader()
        .take(file.bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("broke off after {} bytes ({error})", bytes.len()))?;
    if is_published(&bytes, file) {
        return Ok(bytes);
    }
    let found = sha256(&[&bytes]);
    Err(if bytes.trim_ascii_start().starts_with(b"<") {
        "answered with a web page".into()
    } else if bytes.len() as u64 > file.bytes {
        format!("sent more than the published {} bytes", file.bytes)
    } else {
        format!("sent {} bytes with the SHA-256 {found}", bytes.len())
    })
}

/// The certificates that the environment names, as OpenSSL's programs do; none if it names none.
fn roots() -> Result<Option<RootCerts>, String> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let (file, folders) = (variable("SSL_CERT_FILE"), variable("SSL_CERT_DIR"));
    if file.is_none() && folders.is_none() {
        return Ok(None);
    }
    let mut certificates = Vec::new();
    if let Some(file) = &file {
        let pem = std::fs::read(file)
            .map_err(|error| format!("SSL_CERT_FILE: {}: {error}", Path::new(file).display()))?;
        certificates.extend(in_pem(&pem));
    }
    // Folders of certificates hold other things too, and links to what is gone.
    let files = folders
        .iter()
        .flat_map(std::env::split_paths)
        .flat_map(|folder| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path())
        });
    for pem in files.filter(|path| path.is_file()).flat_map(std::fs::read) {
        certificates.extend(in_pem(&pem));
    }
    match certificates.is_empty() {
        true => Err("there is no certificate in what SSL_CERT_FILE or SSL_CERT_DIR name".into()),
        false => Ok(Some(RootCerts::new_with_certs(&certificates))),
    }
}

fn in_pem(pem: &[u8]) -> impl Iterator<Item = Certificate<'static>> {
    ureq::tls::parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    })
}

/// Makes the rename itself durable, where the file system can sync a folder.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        let synced = File::open(folder)?.sync_all();
        let unable = [ErrorKind::InvalidInput, ErrorKind::Unsupported];
        return synced.or_else(|error| match unable.contains(&error.kind()) {
            true => Ok(()),
            false => Err(error),
        });
    }
    Ok(())
}
