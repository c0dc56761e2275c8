//! The outside of a signature: a Sigstore bundle with a DSSE envelope.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use super::key::{PrivateKey, PublicKey};

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A signed text and what it was signed with.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    /// None where a certificate vouches for the key.
    #[serde(default)]
    public_key: Option<Hint>,
    /// Entries of a public log, of which a signature by a key has none.
    #[serde(default)]
    tlog_entries: Vec<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Hint {
    /// Older signatures have none.
    #[serde(default)]
    hint: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
struct Signature {
    sig: String,
    #[serde(default)]
    keyid: String,
}

impl Bundle {
    /// Signs a statement.
    pub(super) fn new(statement: &[u8], key: &PrivateKey) -> Self {
        Bundle {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: Material {
                public_key: Some(Hint {
                    hint: Some(key.public().hint().to_owned()),
                }),
                tlog_entries: Vec::new(),
            },
            dsse_envelope: Envelope {
                payload: BASE64_STANDARD.encode(statement),
                payload_type: PAYLOAD_TYPE.to_owned(),
                signatures: vec![Signature {
                    sig: BASE64_STANDARD.encode(key.sign(&authenticated(statement))),
                    keyid: String::new(),
                }],
            },
        }
    }

    pub(super) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let bundle: Bundle = serde_json::from_slice(text)
            .map_err(|error| format!("no signature, or a damaged one: {error}"))?;
        match &*bundle.media_type {
            MEDIA_TYPE => Ok(bundle),
            other => Err(format!(
                "a bundle of type {other:?}, where {MEDIA_TYPE} is known"
            )),
        }
    }

    /// The statement, if it was signed with the key.
    pub(super) fn open(&self, key: &PublicKey) -> Result<Vec<u8>, String> {
        let Some(Hint { hint }) = &self.verification_material.public_key else {
            return Err(
                "signed with a certificate, not with a key: `model_signing verify` knows such signatures"
                    .to_owned(),
            );
        };
        if let Some(hint) = hint.as_deref().filter(|hint| !hint.is_empty())
            && hint != key.hint()
        {
            return Err(format!(
                "signed with another key, {hint:.16}… and not {:.16}…: give the public key of who signed",
                key.hint()
            ));
        }
        let envelope = &self.dsse_envelope;
        let [Signature { sig, .. }] = &envelope.signatures[..] else {
            let count = envelope.signatures.len();
            return Err(format!("{count} signatures, where there is one"));
        };
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(format!(
                "a signature of {:?}, where {PAYLOAD_TYPE} is known",
                envelope.payload_type
            ));
        }
        let decoded = |text: &str| {
            let bytes = BASE64_STANDARD.decode(text);
            bytes.map_err(|error| format!("a damaged signature: {error}"))
        };
        let (statement, signature) = (decoded(&envelope.payload)?, decoded(sig)?);
        match key.verifies(&authenticated(&statement), &signature) {
            true => Ok(statement),
            false => Err(
                "a damaged signature, or of another key: it doesn't belong to what it states"
                    .to_owned(),
            ),
        }
    }
}

/// What is signed of a statement: DSSE's pre-authentication encoding.
fn authenticated(statement: &[u8]) -> Vec<u8> {
    let (kind, length) = (PAYLOAD_TYPE.len(), statement.len());
    let mut bytes = format!("DSSEv1 {kind} {PAYLOAD_TYPE} {length} ").into_bytes();
    bytes.extend_from_slice(statement);
    bytes
}
