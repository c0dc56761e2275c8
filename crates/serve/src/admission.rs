//! How much is taken on at a time: bytes of requests that are read, wait or are computed. Beyond it a request
//! is told at once to come back later, so that memory and waiting stay bounded and what was accepted is answered.

use std::{future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody as _},
    http::{HeaderMap, header},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

use crate::{failure::Failure, packed::Packing};

/// Bytes for which one permit stands.
const UNIT: usize = 1024;
/// What a request costs besides its body, in bytes.
const HEAD: usize = 4 * UNIT;

/// The room there is.
#[derive(Clone, Debug)]
pub struct Admission {
    room: Arc<Semaphore>,
    most: usize,
    time: Duration,
}

/// A body that was let in. What it costs is given back when it is dropped.
#[derive(Debug)]
pub struct Admitted {
    /// The body.
    pub body: Bytes,
    permit: OwnedSemaphorePermit,
}

impl Admitted {
    /// The body, and what to keep until it is answered.
    pub fn into_parts(self) -> (Bytes, OwnedSemaphorePermit) {
        (self.body, self.permit)
    }
}

impl Admission {
    /// Room for so many bytes, `most` of them for one request, whose body has so long to arrive.
    pub fn new(room: usize, most: usize, time: Duration) -> Self {
        Admission {
            room: Arc::new(Semaphore::new((room / UNIT).max(1))),
            most,
            time,
        }
    }

    /// Reads a body, if there is room for it.
    ///
    /// # Errors
    /// 413 if it is too large, 503 if there is no room now, 408 if it takes too long, 415 if it is compressed
    /// in a way that isn't known.
    pub async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Admitted, Failure> {
        let length = headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > self.most) {
            self.discard(body);
            return Err(Failure::too_large(self.most));
        }
        let packing = Packing::of(headers)?;
        // Who doesn't say how much will come is taken to send all that is allowed.
        let expected = length.filter(|_| packing.is_none()).unwrap_or(self.most);
        let units = u32::try_from((expected + HEAD).div_ceil(UNIT)).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.room).try_acquire_many_owned(units) else {
            self.discard(body);
            return Err(Failure::busy());
        };
        let read = axum::body::to_bytes(body, self.most);
        let body = match time::timeout(self.time, read).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => match length {
                None => return Err(Failure::too_large(self.most)),
                Some(_) => return Err(Failure::bad("the body ended early")),
            },
            Err(_) => return Err(Failure::slow(self.time)),
        };
        let Some(packing) = packing else {
            return Ok(Admitted { body, permit });
        };
        let most = self.most;
        // Others shouldn't wait for it. The room is held until it is done, also if the client leaves.
        let unpacking = tokio::task::spawn_blocking(move || {
            let body = packing.unpack(&body, most)?;
            Ok(Admitted { body, permit })
        });
        let failed = |_| Failure::internal("unpacking the body failed");
        unpacking.await.map_err(failed)?
    }

    /// Reads what a client sends on although it is refused, up to what one request may have, and keeps nothing: a
    /// connection that is closed with bytes unread is reset, and its client may not see the answer any more.
    fn discard(&self, mut body: Body) {
        let (most, time) = (self.most, self.time);
        tokio::spawn(time::timeout(time, async move {
            let mut read = 0;
            while read <= most {
                match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                    Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
                    _ => break,
                }
            }
        }));
    }
}
