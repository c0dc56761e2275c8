//! Working memory: one set of buffers per thread, aligned to cache lines, kept between calls.

use std::cell::RefCell;

use crate::recycle::{Element, Recycled};

/// Alignment in bytes: one cache line, which is also the widest vector.
const ALIGNMENT: usize = 64;

/// A growing buffer whose contents start at a cache line.
#[derive(Default)]
pub(crate) struct Buffer<T: Element = f32> {
    data: Recycled<T>,
}

impl<T: Element> Buffer<T> {
    /// A zeroed buffer for `len` values.
    pub(crate) fn zeroed(len: usize) -> Self {
        let mut data = Recycled::new(len + ALIGNMENT / size_of::<T>());
        data.fill(T::default());
        Self { data }
    }

    /// The first `len` values; what they hold is left over from earlier use.
    pub(crate) fn slice(&mut self, len: usize) -> &mut [T] {
        let needed = len + ALIGNMENT / size_of::<T>();
        if self.data.len() < needed {
            self.data = Recycled::new(needed);
        }
        let start = self.start();
        &mut self.data[start..start + len]
    }

    /// Everything from the aligned start on.
    pub(crate) fn values(&self) -> &[T] {
        &self.data[self.start()..]
    }

    fn start(&self) -> usize {
        let offset = self.data.as_ptr().align_offset(ALIGNMENT);
        if offset < ALIGNMENT / size_of::<T>() {
            offset
        } else {
            0
        }
    }
}

/// The buffers of one thread, named by what the convolution keeps in them.
#[derive(Default)]
pub(crate) struct Scratch {
    /// One image with its zero border.
    pub(crate) input: Buffer,
    /// One image of convolution outputs, or of their gradients.
    pub(crate) conv: Buffer,
    /// Convolution outputs that are computed again.
    pub(crate) again: Buffer,
    /// One image after the max-pool, or its gradient.
    pub(crate) pooled: Buffer,
    /// One image of convolution gradients with the zero border that the flipped kernel needs.
    pub(crate) spread: Buffer,
    /// One image of input gradients, with its border or with padded channels.
    pub(crate) input_grad: Buffer,
    /// Transformed tiles or pairs of bf16 values, of inputs and of what they are multiplied with or become.
    pub(crate) tiles: [Buffer; 2],
    /// Which of the four window positions won, one per pooled value.
    pub(crate) chosen: Vec<u32>,
    /// Output channels sorted by their winning window position.
    pub(crate) lists: Vec<u16>,
}

/// Calls `f` with this thread's buffers.
pub(crate) fn with_scratch<T>(f: impl FnOnce(&mut Scratch) -> T) -> T {
    thread_local! {
        static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
    }
    SCRATCH.with(|scratch| f(&mut scratch.borrow_mut()))
}

/// The first `len` values of `vec`, which grows as needed.
pub(crate) fn grow<T: Clone + Default>(vec: &mut Vec<T>, len: usize) -> &mut [T] {
    if vec.len() < len {
        vec.resize(len, T::default());
    }
    &mut vec[..len]
}
