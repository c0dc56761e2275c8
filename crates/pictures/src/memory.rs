//! What pictures may take of the memory together.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::limits::{MAX_BYTES, MAX_MEMORY};

/// Bytes that files and pictures may take together while threads read them: who needs more than is free
/// waits. They are served in the order in which they came.
#[derive(Debug)]
pub struct Budget {
    files: Share,
    pictures: Share,
}

impl Budget {
    /// Bytes that [`read_within`](crate::read_within) takes at most, on however many threads: what is
    /// left of 512 MB for everything else is 100 MB.
    pub const BYTES: u64 = Self::FILES + Self::PICTURES;
    const FILES: u64 = MAX_BYTES;
    const PICTURES: u64 = MAX_MEMORY;

    /// A budget of [`Budget::BYTES`].
    pub fn new() -> Self {
        Budget {
            files: Share::new(Self::FILES),
            pictures: Share::new(Self::PICTURES),
        }
    }

    /// Room for the bytes of a file. Who holds it may wait for room for the picture, never the other
    /// way round.
    pub(crate) fn file(&self, bytes: u64) -> Permit<'_> {
        self.files.take(bytes)
    }

    /// Room for a picture and the work on it.
    pub(crate) fn picture(&self, bytes: u64) -> Permit<'_> {
        self.pictures.take(bytes)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Share {
    whole: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    /// The next number to be given out, and the one whose turn it is.
    next: u64,
    turn: u64,
}

impl Share {
    fn new(whole: u64) -> Self {
        let state = State {
            free: whole,
            next: 0,
            turn: 0,
        };
        Share {
            whole,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Waits until so many bytes are free; more than the whole are the whole.
    fn take(&self, bytes: u64) -> Permit<'_> {
        let bytes = bytes.min(self.whole);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = state.next;
        state.next += 1;
        while state.turn != number || state.free < bytes {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.turn += 1;
        state.free -= bytes;
        // The next one may find enough left.
        self.changed.notify_all();
        Permit { share: self, bytes }
    }
}

/// Bytes that are given back when it is dropped.
pub(crate) struct Permit<'a> {
    share: &'a Share,
    bytes: u64,
}

impl Permit<'_> {
    /// Gives back all but so many bytes.
    pub(crate) fn shrink(&mut self, bytes: u64) {
        let back = self.bytes.saturating_sub(bytes);
        self.bytes -= back;
        let state = self.share.state.lock();
        state.unwrap_or_else(PoisonError::into_inner).free += back;
        self.share.changed.notify_all();
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.shrink(0);
    }
}
