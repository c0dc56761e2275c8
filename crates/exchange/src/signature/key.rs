//! Keys of P-256 in PEM, as OpenSSL writes them.

use std::path::Path;

use p256::{
    SecretKey,
    ecdsa::{
        DerSignature, SigningKey, VerifyingKey,
        signature::{Signer as _, Verifier as _},
    },
    pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _, LineEnding},
};
use sha2::{Digest as _, Sha256};

use super::{invalid, read, statement::hex};
use crate::ExchangeError;

/// A file of keys is smaller.
const LIMIT: u64 = 1 << 16;

const SEC1: &str = "EC PRIVATE KEY";
const PKCS8: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const SPKI: &str = "PUBLIC KEY";

/// A key to sign with.
pub struct PrivateKey(SigningKey);

/// A key to verify with.
pub struct PublicKey {
    key: VerifyingKey,
    hint: String,
}

impl PrivateKey {
    /// Reads a key in PKCS #8 or SEC 1, not encrypted.
    ///
    /// # Errors
    /// [`ExchangeError::Read`], or [`ExchangeError::Invalid`] if there is no such key in the file.
    pub fn read(path: &Path) -> Result<Self, ExchangeError> {
        let text = text(path)?;
        let key = if let Some(block) = block(&text, SEC1) {
            SecretKey::from_sec1_pem(block).ok()
        } else if let Some(block) = block(&text, PKCS8) {
            SecretKey::from_pkcs8_pem(block).ok()
        } else {
            return Err(invalid(
                path,
                match (block(&text, ENCRYPTED), block(&text, SPKI)) {
                    (Some(_), _) => {
                        "the key is encrypted: decrypt it by `openssl pkcs8 -in FILE -out PLAIN`"
                    }
                    (_, Some(_)) => "a public key: give the private one to sign with",
                    _ => {
                        "no private key in PEM: make one by `openssl ecparam -name prime256v1 -genkey \
                         -noout -out FILE`"
                    }
                },
            ));
        };
        let key = key.ok_or_else(|| invalid(path, &not_p256("private")))?;
        Ok(PrivateKey(key.into()))
    }

    /// The key to verify with.
    pub fn public(&self) -> PublicKey {
        PublicKey::new(*self.0.verifying_key())
    }

    /// The signature of a message, in DER.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0.sign(message);
        signature.as_bytes().to_vec()
    }
}

impl PublicKey {
    /// Reads a key in SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`ExchangeError::Read`], or [`ExchangeError::Invalid`] if there is no such key in the file.
    pub fn read(path: &Path) -> Result<Self, ExchangeError> {
        let text = text(path)?;
        let Some(found) = block(&text, SPKI) else {
            let private = [SEC1, PKCS8, ENCRYPTED];
            let private = private
                .into_iter()
                .any(|label| block(&text, label).is_some());
            return Err(invalid(
                path,
                match private {
                    true => {
                        "a private key: take the public one from it by `openssl ec -in FILE -pubout -out PUBLIC`"
                    }
                    false => {
                        "no public key in PEM: `openssl ec -in PRIVATE -pubout -out FILE` writes one"
                    }
                },
            ));
        };
        let key = VerifyingKey::from_public_key_pem(found);
        let key = key.map_err(|_| invalid(path, &not_p256("public")))?;
        Ok(Self::new(key))
    }

    fn new(key: VerifyingKey) -> Self {
        // What model signing tells keys apart by.
        let pem = p256::PublicKey::from(key).to_public_key_pem(LineEnding::LF);
        let hint = hex(&Sha256::digest(pem.unwrap_or_default()));
        PublicKey { key, hint }
    }

    /// The SHA-256 of the key as a text in PEM, hexadecimal: what a signature names it by.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// Whether a signature in DER is one of a message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = DerSignature::try_from(signature);
        signature.is_ok_and(|signature| self.key.verify(message, &signature).is_ok())
    }
}

fn text(path: &Path) -> Result<String, ExchangeError> {
    let bytes = read(path, LIMIT)?;
    String::from_utf8(bytes).map_err(|_| invalid(path, "no key in PEM: it is not text"))
}

/// The block of a label in a text of several: OpenSSL may write the curve's name before a key.
fn block<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let [begin, end] = ["BEGIN", "END"].map(|edge| format!("-----{edge} {label}-----"));
    let from = &text[text.find(&begin)?..];
    Some(&from[..from.find(&end)? + end.len()])
}

fn not_p256(which: &str) -> String {
    format!(
        "not a whole {which} key of the curve P-256: make a pair by `openssl ecparam -name prime256v1 -genkey -noout \
         -out PRIVATE` and `openssl ec -in PRIVATE -pubout -out PUBLIC`"
    )
}
