//! Buffers that outlive a call, kept for the next one.
//!
//! A training step asks for the same large buffers again and again. Fresh ones would cost page faults,
//! which at a few megabytes a step are a noticeable part of it.

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Most bytes of one element type that wait for reuse. A step on 32 pictures of 256x256 leaves about as
/// much behind, one on 128 of MNIST's a twentieth.
const MOST_BYTES: usize = 256 << 20;

/// Most buffers of one element type that wait for reuse, so that a search is short.
const MOST: usize = 32;

/// Fewest values of a buffer that is worth keeping: smaller ones cost nothing to get afresh.
const LEAST: usize = 2048;

/// A buffer that returns to the free list when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Recycled<T: Element>(Vec<T>);

/// The buffers that wait for reuse.
#[derive(Debug)]
pub(crate) struct Free<T>(Vec<Vec<T>>);

impl<T> Free<T> {
    const fn new() -> Self {
        Self(Vec::new())
    }

    /// The tightest fit, so that a small request does not take a large buffer.
    fn take(&mut self, len: usize) -> Option<Vec<T>> {
        let buffers = self.0.iter().enumerate();
        let fitting = buffers.filter(|(_, buffer)| buffer.capacity() >= len);
        let (tightest, _) = fitting.min_by_key(|(_, buffer)| buffer.capacity())?;
        Some(self.0.swap_remove(tightest))
    }

    /// Keeps a buffer. The smallest ones make room for it: a large buffer is dearer to get afresh.
    fn keep(&mut self, buffer: Vec<T>) {
        if bytes(&buffer) > MOST_BYTES {
            return;
        }
        self.0.push(buffer);
        while self.0.len() > MOST || self.0.iter().map(bytes).sum::<usize>() > MOST_BYTES {
            let buffers = self.0.iter().enumerate();
            let Some((smallest, _)) = buffers.min_by_key(|(_, buffer)| buffer.capacity()) else {
                return;
            };
            self.0.swap_remove(smallest);
        }
    }
}

fn bytes<T>(buffer: &Vec<T>) -> usize {
    buffer.capacity() * size_of::<T>()
}

/// An element type with its own free list.
pub(crate) trait Element: Copy + Default + 'static {
    fn free() -> MutexGuard<'static, Free<Self>>;
}

macro_rules! element {
    ($type:ty) => {
        impl Element for $type {
            fn free() -> MutexGuard<'static, Free<Self>> {
                static FREE: Mutex<Free<$type>> = Mutex::new(Free::new());
                FREE.lock().unwrap_or_else(PoisonError::into_inner)
            }
        }
    };
}
element!(f32);
element!(u32);
element!(u8);

impl<T: Element> Recycled<T> {
    /// A buffer of `len` values, which are left over from earlier use.
    pub(crate) fn new(len: usize) -> Self {
        if len < LEAST {
            return Self(vec![T::default(); len]);
        }
        let mut buffer = T::free().take(len).unwrap_or_default();
        buffer.resize(len, T::default());
        Self(buffer)
    }

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
        if buffer.capacity() >= LEAST {
            T::free().keep(buffer);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(free: &Free<f32>) -> Vec<usize> {
        let mut sizes: Vec<usize> = free.0.iter().map(bytes).collect();
        sizes.sort_unstable();
        sizes
    }

    /// A buffer of that many MiB.
    fn buffer(size: usize) -> Vec<f32> {
        Vec::with_capacity((size << 20) / size_of::<f32>())
    }

    #[test]
    fn what_waits_is_bounded_by_bytes_and_the_smallest_goes_first() {
        let mut free = Free::new();
        for size in [100, 10, 20, 90, 60] {
            free.keep(buffer(size));
        }
        assert_eq!(sizes(&free), [60, 90, 100].map(|size: usize| size << 20));
    }

    #[test]
    fn a_buffer_beyond_the_bound_is_not_kept_and_displaces_nothing() {
        let mut free = Free::new();
        free.keep(buffer(3));
        free.keep(buffer(257));
        assert_eq!(sizes(&free), [3 << 20]);
    }

    #[test]
    fn what_waits_is_bounded_in_number() {
        let mut free = Free::new();
        (0..100).for_each(|_| free.keep(buffer(1)));
        assert_eq!(free.0.len(), MOST);
    }

    #[test]
    fn a_request_takes_the_smallest_buffer_that_holds_it() {
        let mut free = Free::new();
        for size in [4, 2, 3] {
            free.keep(buffer(size));
        }
        let taken = free.take((2 << 20) / 4 + 1).map(|buffer| bytes(&buffer));
        assert_eq!(taken, Some(3 << 20));
        assert!(free.take((5 << 20) / 4).is_none());
    }
}
