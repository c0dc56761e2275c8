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

/// Fewest values of a buffer that is worth keeping: smaller ones cost nothing to get afresh.
const LEAST: usize = 2048;

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
        if len < LEAST {
            return Self(vec![T::default(); len]);
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
        if buffer.capacity() < LEAST {
            return;
        }
        let mut free = T::free();
        if free.len() < MOST {
            free.push(buffer);
            return;
        }
        // A large buffer is dearer to get afresh than a small one.
        let smallest = free.iter_mut().min_by_key(|buffer| buffer.capacity());
        if let Some(smallest) = smallest.filter(|smallest| smallest.capacity() < buffer.capacity())
        {
            *smallest = buffer;
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
