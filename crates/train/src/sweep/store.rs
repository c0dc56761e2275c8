//! The folder of a sweep, which any number of processes share: who sees to which run, and what is written
//! of all of them.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use model::checkpoint;
use report::sweep::RunFailure;
use runs::SweepLayout;

use super::found;
use crate::{
    files::{self, Lock, write_whole},
    progress::say,
};

/// So long another process may take to write what is said of all runs.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look whether it has.
const AGAIN: Duration = Duration::from_millis(10);

/// The folder of a sweep.
pub(super) struct Store<'a> {
    layout: &'a SweepLayout,
    warned: AtomicBool,
}

/// A run that this process sees to, until this is dropped.
pub(super) struct Claim {
    _lock: File,
}

impl<'a> Store<'a> {
    /// Makes the folder, if it isn't there.
    pub(super) fn open(layout: &'a SweepLayout) -> anyhow::Result<Self> {
        let claims = layout.claims();
        fs::create_dir_all(&claims).with_context(|| {
            format!(
                "{}: can't make the folder; check permissions",
                claims.display()
            )
        })?;
        Ok(Store {
            layout,
            warned: AtomicBool::new(false),
        })
    }

    /// Takes a run that no other process sees to; none if one does.
    pub(super) fn claim(&self, run: &str) -> anyhow::Result<Option<Claim>> {
        let lock = self.lock(&self.layout.claim(run))?;
        Ok(lock.map(|lock| Claim { _lock: lock }))
    }

    /// Why a run failed the last time, where that is known.
    pub(super) fn failure(&self, run: &str) -> Option<RunFailure> {
        found::failure(&self.layout.failure(run))
    }

    /// Keeps why a run failed.
    pub(super) fn keep_failure(&self, run: &str, failure: &RunFailure) -> anyhow::Result<()> {
        let json = json(failure)?;
        self.write(|| self.put(&self.layout.failure(run), &json))
    }

    /// A run didn't fail after all.
    pub(super) fn forget_failure(&self, run: &str) -> anyhow::Result<()> {
        let file = self.layout.failure(run);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| file.display().to_string())
            }
            _ => Ok(()),
        }
    }

    /// Writes into the folder while no other process does.
    pub(super) fn write<T>(&self, write: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let file = self.layout.writing();
        let began = Instant::now();
        let lock = loop {
            match self.lock(&file)? {
                Some(lock) => break lock,
                None if began.elapsed() < PATIENCE => thread::sleep(AGAIN),
                None => anyhow::bail!(
                    "{}: another process has been writing for {} s; has it been stopped?",
                    self.layout.path().display(),
                    PATIENCE.as_secs()
                ),
            }
        };
        if !self.warned.load(Ordering::Relaxed) {
            // Of a process that was killed while it wrote: no other writes now.
            checkpoint::remove_partial(self.layout.path())?;
        }
        let written = write();
        drop(lock);
        written
    }

    /// Writes a file of the folder as a whole.
    pub(super) fn put(&self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        write_whole(self.layout.path(), path, false, |file| {
            file.write_all(bytes)
        })
        .with_context(|| {
            format!(
                "{}: can't write; check free space and permissions",
                path.display()
            )
        })
    }

    /// A lock, or none if another process has it. Where files have no locks it is said once.
    fn lock(&self, file: &Path) -> anyhow::Result<Option<File>> {
        match files::lock(file).with_context(|| file.display().to_string())? {
            Lock::Ours(lock) => Ok(Some(lock)),
            Lock::Theirs => Ok(None),
            Lock::Unknown(lock, error) => {
                if !self.warned.swap(true, Ordering::Relaxed) {
                    say(format_args!(
                        "warning: {}: files can't be locked here ({error}), so other processes that work on \
                         this sweep would not be noticed; see to it that there are none, or give each its own \
                         part with --shard",
                        self.layout.path().display()
                    ));
                }
                Ok(Some(lock))
            }
        }
    }

    /// Whether files can't be locked here, as far as was tried.
    pub(super) fn has_no_locks(&self) -> bool {
        self.warned.load(Ordering::Relaxed)
    }
}

/// JSON as a file has it.
pub(super) fn json(value: &impl serde::Serialize) -> anyhow::Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(value)?;
    json.push(b'\n');
    Ok(json)
}
