//! Buffers that outlive a call, kept for the next one.
//!
//! A training step asks for the same large buffers again and again. Fresh ones would cost page faults,
//! which at a few megabytes a step are a noticeable part of it.

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Most buffers of one element type that wait for reuse.
const MOST: usize = 32;

/// A buffer that returns to the free list when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Recycled<T: Element>(Vec<T>);

/// An element type with its own free list.
pub(crate) trait Element: Copy + Default + 'static {
    fn free() -> MutexGuard<'static, Vec<Vec<Self>>>;
}

macro_rules! element {
    ($type:ty) => {
        impl Element for $type {
            fn free() -> MutexGuard<'static, Vec<Vec<Self>>> {
                static FREE: Mutex<Vec<Vec<$type>>> = Mutex::new(Vec::new());
                FREE.lock().unwrap_or_else(PoisonError::into_inner)
            }
        }
    };
}
element!(f32);
element!(u8);

impl<T: Element> Recycled<T> {
    /// A buffer of `len` values, which are left over from earlier use.
    pub(crate) fn new(len: usize) -> Self {
        if len == 0 {
            return Self(Vec::new());
        }
        let mut free = T::free();
        // The tightest fit, so that a small request does not take a large buffer.
        let fitting = free
            .iter()
            .enumerate()
            .filter(|(_, buffer)| buffer.capacity() >= len);
        let best = fitting
            .min_by_key(|(_, buffer)| buffer.capacity())
            .map(|(i, _)| i);
        let mut buffer = best.map(|i| free.swap_remove(i)).unwrap_or_default();
        drop(free);
        buffer.resize(len, T::default());
        Self(buffer)
    }
}

impl<T: Element> Recycled<T> {
    /// Takes the buffer out, for good.
    pub(crate) fn into_vec(mut self) -> Vec<T> {
        std::mem::take(&mut self.0)
    }
}

impl<T: Element> From<Vec<T>> for Recycled<T> {
    fn from(buffer: Vec<T>) -> Self {
        Self(buffer)
    }
}

impl<T: Element> Drop for Recycled<T> {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        let mut free = T::free();
        if buffer.capacity() > 0 && free.len() < MOST {
            free.push(buffer);
        }
    }
}

impl<T: Element> Deref for Recycled<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Element> DerefMut for Recycled<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}
