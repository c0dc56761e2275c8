//! `digits sign`: says of a checkpoint whose it is.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use exchange::{ExchangeError, signature};
use model::checkpoint::{Checkpoint, SIGNATURE};
use serde_json::json;

#[derive(Args)]
#[command(
    after_help = "Example: digits sign artifacts/latest/model --key key.pem

A pair of keys:
  openssl ecparam -name prime256v1 -genkey -noout -out key.pem
  openssl ec -in key.pem -pubout -out key.pub

The signature is a Sigstore bundle as OpenSSF's model signing 1.0 has it, of every file of the checkpoint. Who has
key.pub checks it by
  digits verify --signed-by key.pub artifacts/latest/model
  model_signing verify key artifacts/latest/model --signature artifacts/latest/model/model.sig --public_key key.pub

With --json the result is an object: checkpoint, signature (paths), files (names), key (the SHA-256 of the public key
in PEM, by which the signature names it)."
)]
pub struct Sign {
    /// Checkpoint folder
    checkpoint: PathBuf,
    /// The private key: P-256 in PEM, not encrypted
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where to write the signature [default: model.sig in the checkpoint's folder]
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Replace a signature that is there
    #[arg(long)]
    force: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Sign {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let key = signature::PrivateKey::read(&self.key)?;
        // Only what is whole is signed.
        let checkpoint = Checkpoint::open(&self.checkpoint)?;
        let bundle = signature::sign(&checkpoint, &key)?;
        let inside = || self.checkpoint.join(SIGNATURE);
        let to = self.signature.clone().unwrap_or_else(inside);
        match signature::write(&to, &bundle, self.force) {
            Err(ExchangeError::Exists { path, .. }) => anyhow::bail!(
                "{}: there is a signature already; replace it with --force",
                path.display()
            ),
            written => written?,
        }
        let files: Vec<_> = checkpoint.files().map(|(name, _)| name).collect();
        if self.json {
            let json = json!({
                "checkpoint": self.checkpoint.display().to_string(),
                "signature": to.display().to_string(),
                "files": files,
                "key": key.public().hint(),
            });
            outln!("{}", serde_json::to_string_pretty(&json)?);
        } else {
            outln!("{}: signs {}", to.display(), files.join(", "));
        }
        Ok(ExitCode::SUCCESS)
    }
}
