//! Why a device can't be borrowed, in words and with the way out.

use std::{io, path::PathBuf};

use burn::remote::ConnectError;
use thiserror::Error;

use super::Address;
use crate::agreement;

/// Why a device can't be borrowed.
#[derive(Debug, Error)]
pub enum LenderError {
    /// It isn't an address.
    #[error(
        "--device {0}: not an address of a device; write remote://HOST:PORT, such as remote://gpu-box:7010"
    )]
    Address(String),
    /// Named twice.
    #[error(
        "--device {0}: named twice; each device gets a part of every batch, so name others or name it once"
    )]
    Twice(Address),
    /// The token can't be read.
    #[error("{path}: can't read the token: {source}", path = .path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file holds no token.
    #[error("{}: this file holds no token; make one with: openssl rand -hex 32 > FILE", .0.display())]
    NoToken(PathBuf),
    /// Nobody is there.
    #[error(
        "{at}: nobody lends a device there ({problem}); start `train --serve-device` on that machine, and check address and firewall"
    )]
    Unreachable {
        /// Where.
        at: Address,
        /// What the operating system said.
        problem: String,
    },
    /// Somebody is there who doesn't lend, or not to us.
    #[error("{at}: {problem}")]
    Refused {
        /// Where.
        at: Address,
        /// In words, and the way out.
        problem: String,
    },
    /// It computes wrong numbers.
    #[error("{at}: {source}")]
    Wrong {
        /// Where.
        at: Address,
        /// What differs.
        source: agreement::AgreementError,
    },
}

/// Why a connection came to nothing, and the way out.
pub(super) fn refusal(error: &ConnectError) -> String {
    match error {
        ConnectError::Unauthorized => {
            "the lender refuses this token; --token-file has to name a file with the token that it was started with"
                .to_owned()
        }
        ConnectError::NoSuchDevice { device_count: 1 } => {
            "the lender has one device: leave /INDEX out of its address".to_owned()
        }
        ConnectError::NoSuchDevice { device_count } => {
            format!("the lender has {device_count} devices, from /0 on")
        }
        ConnectError::IncompatibleProtocol { .. } => {
            format!("{error}; build both programs from one source")
        }
        ConnectError::Unreachable { .. } | ConnectError::Handshake { .. } => format!(
            "something answers there that lends no devices ({}); check the port",
            error.to_string().replace('\n', " ")
        ),
        other => other.to_string().replace('\n', " "),
    }
}
