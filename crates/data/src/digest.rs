//! SHA-256 of what data sets are made of.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The SHA-256 digests (hexadecimal) of the uncompressed IDX files of a split: which data a number
/// was measured on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct SplitDigest {
    /// Digest of the file of images.
    pub images: String,
    /// Digest of the file of labels.
    pub labels: String,
}

/// The SHA-256 of the parts one after another, hexadecimal.
pub(crate) fn sha256(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hexadecimal(hasher)
}

fn hexadecimal(hasher: Sha256) -> String {
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(feature = "files")]
pub(crate) use beside::Beside;

#[cfg(feature = "files")]
mod beside {
    use std::sync::mpsc::{SyncSender, sync_channel};
    use std::thread::{Builder, JoinHandle};

    use sha2::{Digest, Sha256};

    /// A SHA-256 that a thread of its own computes while what it is of is still being read.
    pub(crate) struct Beside {
        sender: SyncSender<Vec<u8>>,
        thread: JoinHandle<String>,
    }

    impl Beside {
        /// So many portions wait for the thread at most.
        const PORTIONS: usize = 8;

        /// Begins with some bytes. None where there can't be another thread.
        pub(crate) fn of(first: &[u8]) -> Option<Self> {
            let mut hasher = Sha256::new_with_prefix(first);
            let (sender, portions) = sync_channel::<Vec<u8>>(Self::PORTIONS);
            let compute = move || {
                portions.iter().for_each(|portion| hasher.update(portion));
                super::hexadecimal(hasher)
            };
            let thread = Builder::new().spawn(compute).ok()?;
            Some(Self { sender, thread })
        }

        /// What follows.
        pub(crate) fn update(&self, portion: &[u8]) {
            // It fails where the thread has panicked, which `finish` tells.
            let _ = self.sender.send(portion.to_vec());
        }

        /// The digest, hexadecimal; none if the thread didn't get to it.
        pub(crate) fn finish(self) -> Option<String> {
            drop(self.sender);
            self.thread.join().ok()
        }
    }
}
