//! How much is taken on at a time: bytes of requests that are read, wait or are computed. Beyond it a request
//! is told at once to come back later, so that memory and waiting stay bounded and what was accepted is answered.
//!
//! Room is taken as bytes arrive and unfold, whatever a client announces. Who finds no more of it is refused and
//! gives back what it had, so that nobody waits for room while holding some.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, header},
    response::Response,
};
use hyper::body::{Frame, SizeHint};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

use crate::{failure::Failure, packed::Packing, workers::Workers};

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
    workers: Workers,
}

/// A body that was let in.
#[derive(Debug)]
pub struct Admitted {
    /// The body.
    pub body: Bytes,
    /// What to keep as long as anything of it is needed.
    pub room: Room,
}

/// What a request takes of the room, given back when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Room {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Room that is still being taken.
#[derive(Debug)]
pub struct Taking {
    room: Arc<Semaphore>,
    permit: OwnedSemaphorePermit,
}

impl Taking {
    fn begin(room: &Arc<Semaphore>) -> Result<Self, Failure> {
        let units = u32::try_from(HEAD / UNIT).unwrap_or(u32::MAX);
        let permit = Arc::clone(room).try_acquire_many_owned(units);
        Ok(Taking {
            permit: permit.map_err(|_| Failure::busy())?,
            room: Arc::clone(room),
        })
    }

    /// Takes room for a body of so many bytes, of which it may have taken some.
    ///
    /// # Errors
    /// 503 if there is no more now.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
        let more = self.more(bytes);
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.room).try_acquire_many_owned(more);
        self.permit.merge(permit.map_err(|_| Failure::busy())?);
        Ok(())
    }

    /// Permits that a body of so many bytes needs and that weren't taken.
    fn more(&self, bytes: usize) -> usize {
        let units = bytes.saturating_add(HEAD).div_ceil(UNIT);
        units.saturating_sub(self.permit.num_permits())
    }

    fn done(self) -> Room {
        Room {
            _permit: Arc::new(self.permit),
        }
    }
}

impl Room {
    /// Keeps the room until an answer is written, or its client has left.
    pub fn until_written(self, response: Response) -> Response {
        response.map(|body| Body::new(Written { body, room: self }))
    }
}

/// An answer whose bytes keep room.
struct Written {
    body: Body,
    room: Room,
}

/// Bytes that keep room.
struct Kept {
    bytes: Bytes,
    _room: Room,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for Written {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        // The connection drops the body as soon as it has its bytes, which may be long before they are written.
        let keep = |bytes| {
            let _room = self.room.clone();
            Bytes::from_owner(Kept { bytes, _room })
        };
        frame.map_ok(|frame| frame.map_data(keep))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Admission {
    /// Room for so many bytes, `most` of them for one request, whose body has so long to arrive.
    pub fn new(room: usize, most: usize, time: Duration, workers: Workers) -> Self {
        Admission {
            workers,
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
    pub async fn read(&self, headers: &HeaderMap, mut body: Body) -> Result<Admitted, Failure> {
        let packing = Packing::of(headers)?;
        let reading = time::timeout(self.time, self.collect(headers, &mut body));
        let (body, room) = match reading.await {
            Ok(Ok(read)) => read,
            Ok(Err(failure)) => {
                self.discard(body);
                return Err(failure);
            }
            Err(_) => return Err(Failure::slow(self.time)),
        };
        let Some(packing) = packing else {
            let room = room.done();
            return Ok(Admitted { body, room });
        };
        let most = self.most;
        let mut unpacked = Taking::begin(&self.room)?;
        // Others shouldn't wait for it. The room is held until it is done, also if the client leaves.
        let unpacking = self.workers.run(move || {
            let body = packing.unpack(&body, most, &mut unpacked)?;
            drop(room);
            let room = unpacked.done();
            Ok(Admitted { body, room })
        });
        unpacking.await?
    }

    /// A body as it comes, and the room that it takes.
    async fn collect(
        &self,
        headers: &HeaderMap,
        body: &mut Body,
    ) -> Result<(Bytes, Taking), Failure> {
        let length = headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let expected = length.unwrap_or(0);
        if expected > self.most {
            return Err(Failure::too_large(self.most));
        }
        let mut room = Taking::begin(&self.room)?;
        // What can't have its place now isn't read in vain; the place is taken when it is here.
        if room.more(expected) > self.room.available_permits() {
            return Err(Failure::busy());
        }
        // Many come in one piece, which needn't be copied.
        let mut only = Bytes::new();
        let mut all = Vec::new();
        while let Some(frame) = next(body).await {
            let frame = frame.map_err(|_| {
                Failure::bad("the body ended early, or its chunks aren't written as chunks are")
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let read = only.len().max(all.len()) + data.len();
            if read > self.most {
                return Err(Failure::too_large(self.most));
            }
            room.grow(read)?;
            if only.is_empty() && all.is_empty() {
                only = data;
                continue;
            }
            if all.is_empty() {
                all.extend_from_slice(&std::mem::take(&mut only));
            }
            all.extend_from_slice(&data);
        }
        match all.is_empty() {
            true => Ok((only, room)),
            false => Ok((all.into(), room)),
        }
    }

    /// Reads what a client sends on although it is refused, up to what one request may have, and keeps nothing: a
    /// connection that is closed with bytes unread is reset, and its client may not see the answer any more.
    fn discard(&self, mut body: Body) {
        let (most, time) = (self.most, self.time);
        tokio::spawn(time::timeout(time, async move {
            let mut read = 0;
            while read <= most {
                match next(&mut body).await {
                    Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
                    _ => break,
                }
            }
        }));
    }
}

async fn next(body: &mut Body) -> Option<Result<Frame<Bytes>, axum::Error>> {
    poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}
