//! A few threads for what takes long: unpacking bodies, decoding pictures. Always the same ones, as the system's
//! allocator keeps for each thread what it needed once.

use std::{num::NonZeroUsize, sync::Arc};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::sync::oneshot;

use crate::failure::Failure;

/// The threads. Clones are the same ones.
#[derive(Clone, Debug)]
pub struct Workers(Arc<ThreadPool>);

impl Workers {
    /// # Errors
    /// If the system gives no threads.
    pub fn start(threads: NonZeroUsize) -> Result<Self, ThreadPoolBuildError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .thread_name(|index| format!("worker-{index}"))
            // Who waits for it is told, and the panic itself was printed.
            .panic_handler(|_| {})
            .build()?;
        Ok(Workers(Arc::new(pool)))
    }

    /// What comes of it, when a thread had time for it. What was begun is done also if nobody waits any more.
    ///
    /// # Errors
    /// 500 if it panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (send, done) = oneshot::channel();
        self.0.spawn(move || {
            // Its client may have left while it waited for a thread, or meanwhile.
            if !send.is_closed() {
                let _ = send.send(work());
            }
        });
        let failed = |_| Failure::internal("the server failed at this request");
        done.await.map_err(failed)
    }
}
