//! Reading many tensors of lent devices with one wait.
//!
//! Burn's `Transaction` reads a remote device's tensors one after the other: a journey there and back for each.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use burn::tensor::{ExecutionError, Tensor, TensorData, try_read_sync};

type Read = Pin<Box<dyn Future<Output = Result<TensorData, ExecutionError>> + Send>>;

/// Tensors that are to be read.
#[derive(Default)]
pub(crate) struct Together(Vec<Read>);

impl Together {
    /// One more.
    pub(crate) fn add<const D: usize>(&mut self, tensor: Tensor<D>) {
        self.0.push(Box::pin(tensor.into_data_async()));
    }

    /// Asks for all, then waits for all; in the order in which they were added.
    ///
    /// # Errors
    /// The first that a device says.
    pub(crate) fn read(self) -> Result<Vec<TensorData>, ExecutionError> {
        let mut reads: Vec<(Read, Option<_>)> =
            self.0.into_iter().map(|read| (read, None)).collect();
        // A read asks its device when it is polled for the first time.
        try_read_sync(poll_fn(|context| {
            let mut done = true;
            for (read, result) in reads.iter_mut().filter(|(_, result)| result.is_none()) {
                match read.as_mut().poll(context) {
                    Poll::Ready(data) => *result = Some(data),
                    Poll::Pending => done = false,
                }
            }
            if done { Poll::Ready(()) } else { Poll::Pending }
        }));
        reads.into_iter().filter_map(|(_, result)| result).collect()
    }
}
