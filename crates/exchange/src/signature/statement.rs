//! What is signed: an in-toto statement of the digest of every file.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use model::checkpoint::{Checkpoint, SIGNATURE, is_strewn};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::invalid;
use crate::ExchangeError;

const TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";
const METHOD: &str = "files";
const SHA256: &str = "sha256";
/// What model signing passes over without being told.
const IGNORED: [&str; 5] = [SIGNATURE, ".git", ".gitattributes", ".github", ".gitignore"];

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

/// The model as a whole.
#[derive(Serialize, Deserialize)]
struct Subject {
    #[serde(default)]
    name: String,
    digest: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Predicate {
    serialization: Serialization,
    resources: Vec<Resource>,
}

/// How the digests came about.
#[derive(Serialize, Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    #[serde(default)]
    allow_symlinks: bool,
    #[serde(default)]
    ignore_paths: Vec<String>,
}

/// A file.
#[derive(Serialize, Deserialize)]
struct Resource {
    name: String,
    algorithm: String,
    digest: String,
}

impl Statement {
    /// What is said of a checkpoint.
    pub(super) fn of(checkpoint: &Checkpoint) -> Self {
        let folder = fs::canonicalize(checkpoint.path());
        let folder = folder.unwrap_or_else(|_| checkpoint.path().to_owned());
        let name = folder.file_name().unwrap_or_default();
        let names = fs::read_dir(&folder).into_iter().flatten().flatten();
        let strewn = names
            .map(|entry| entry.file_name())
            .filter(|name| is_strewn(name))
            .map(|name| name.to_string_lossy().into_owned());
        let resources: Vec<Resource> = digests(checkpoint)
            .map(|(name, digest)| Resource {
                name: name.to_owned(),
                algorithm: SHA256.to_owned(),
                digest: hex(&digest),
            })
            .collect();
        let all = root(digests(checkpoint).map(|(_, digest)| digest));
        Statement {
            kind: TYPE.to_owned(),
            subject: vec![Subject {
                name: name.to_string_lossy().into_owned(),
                digest: BTreeMap::from([(SHA256.to_owned(), all)]),
            }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: Predicate {
                serialization: Serialization {
                    method: METHOD.to_owned(),
                    hash_type: SHA256.to_owned(),
                    allow_symlinks: false,
                    ignore_paths: IGNORED
                        .map(str::to_owned)
                        .into_iter()
                        .chain(strewn)
                        .collect(),
                },
                resources,
            },
        }
    }

    pub(super) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        // What it is comes first: another kind may differ in everything else.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Kind {
            #[serde(rename = "_type")]
            kind: String,
            predicate_type: String,
        }
        let unknown = |error: serde_json::Error| format!("what was signed makes no sense: {error}");
        let Kind {
            kind,
            predicate_type,
        } = serde_json::from_slice(text).map_err(unknown)?;
        if (&*kind, &*predicate_type) != (TYPE, PREDICATE_TYPE) {
            return Err(format!(
                "not the signature of a model but of {predicate_type:?}, where {PREDICATE_TYPE} is known"
            ));
        }
        let statement: Statement = serde_json::from_slice(text).map_err(unknown)?;
        let Serialization {
            method, hash_type, ..
        } = &statement.predicate.serialization;
        if (&**method, &**hash_type) != (METHOD, SHA256) {
            return Err(format!(
                "signed as {method:?} with {hash_type:?}, where {METHOD:?} with {SHA256:?} is known: sign it so, or \
                 use `model_signing verify`"
            ));
        }
        let resources = statement.predicate.resources.iter();
        let digests: Option<Vec<_>> = resources.map(|resource| bytes(&resource.digest)).collect();
        let digests = digests.ok_or("what was signed makes no sense: a digest is none")?;
        let stated = match &statement.subject[..] {
            [only] => only.digest.get(SHA256),
            _ => None,
        };
        match stated == Some(&root(digests.into_iter())) {
            true => Ok(statement),
            false => Err(
                "what was signed contradicts itself: its digest is not that of its files"
                    .to_owned(),
            ),
        }
    }

    /// Whether the files of a checkpoint are those that were signed.
    pub(super) fn check(&self, checkpoint: &Checkpoint) -> Result<(), ExchangeError> {
        let file = |name: &str, problem: &str| {
            // Of the statement, which may say anything.
            let name = name.replace(char::is_control, " ");
            Err(invalid(&checkpoint.path().join(name), problem))
        };
        let resources = &self.predicate.resources;
        for (name, digest) in digests(checkpoint) {
            let mut stated = resources.iter().filter(|resource| resource.name == name);
            match (stated.next(), stated.next()) {
                (Some(resource), None) => {
                    if resource.algorithm != SHA256 || bytes(&resource.digest) != Some(digest) {
                        return file(name, "changed after it was signed: its SHA-256 is another");
                    }
                }
                (None, _) => return file(name, "added after the others were signed"),
                (Some(_), Some(_)) => return file(name, "signed twice"),
            }
        }
        let there = |name: &str| digests(checkpoint).any(|(there, _)| there == name);
        let passed_over = |name: &str| name == SIGNATURE || is_strewn(name.as_ref());
        let lost = resources
            .iter()
            .find(|resource| !there(&resource.name) && !passed_over(&resource.name));
        match lost {
            Some(resource) => file(&resource.name, "removed after it was signed"),
            None => Ok(()),
        }
    }
}

/// The SHA-256 of each file, sorted by name.
fn digests(checkpoint: &Checkpoint) -> impl Iterator<Item = (&str, [u8; 32])> {
    let files = checkpoint.files();
    files.map(|(name, _)| {
        let bytes = checkpoint.file(name).unwrap_or_default();
        (name, Sha256::digest(bytes).into())
    })
}

/// The digest of a model: that of its files' digests one after the other.
fn root(digests: impl Iterator<Item = [u8; 32]>) -> String {
    let mut hasher = Sha256::new();
    digests.for_each(|digest| hasher.update(digest));
    hex(&hasher.finalize())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
