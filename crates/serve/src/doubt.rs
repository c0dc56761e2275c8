//! How what the machine leaves to people gets into the queue.

use std::sync::Arc;

use queue::Deferred;

use crate::{admission::Room, failure::Failure, models::Loaded, reviews::failed, service::Service};

/// Something that a person should look at.
pub struct Doubt {
    /// What answers to the name at present.
    pub model: Arc<Loaded>,
    /// The name.
    pub name: String,
    /// The picture as it came, and what kind of file it is.
    pub picture: Option<(Vec<u8>, &'static str)>,
    /// What the network saw, if anything.
    pub input: Option<Vec<u8>>,
    /// What it made of it, if anything.
    pub probabilities: Vec<f64>,
    /// Why a person should look.
    pub reason: &'static str,
    /// Whom to tell what they said.
    pub callback: Option<String>,
    /// The review of the first picture of the same thing.
    pub first: Option<String>,
}

/// Puts doubts into the queue, all or none; their ids, in order. It goes on if the client leaves, and keeps its room.
///
/// # Errors
/// 503 if the database doesn't take them.
pub async fn defer(
    service: &Service,
    doubts: Vec<Doubt>,
    room: Room,
) -> Result<Vec<String>, Failure> {
    let queue = service.queue.clone();
    let storing = tokio::spawn(async move {
        let deferred: Vec<Deferred> = doubts.into_iter().map(Deferred::from).collect();
        let ids = queue.defer_all(&deferred).await;
        drop(room);
        ids
    });
    let stored = storing.await;
    stored
        .map_err(|_| Failure::internal("putting it into the queue failed"))?
        .map_err(|error| failed(&error))
}

/// What kind of file a picture is, by its first bytes.
pub fn kind(picture: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 4] = [
        (b"\x89PNG", "image/png"),
        (b"\xff\xd8", "image/jpeg"),
        (b"RIFF", "image/webp"),
        (b"BM", "image/bmp"),
    ];
    let found = kinds.iter().find(|(magic, _)| picture.starts_with(magic));
    found.map(|(_, kind)| *kind)
}

impl From<Doubt> for Deferred {
    fn from(doubt: Doubt) -> Self {
        let classifier = &doubt.model.classifier;
        let shape = classifier.shape();
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let (picture, kind) = doubt.picture.unzip();
        Deferred {
            model: doubt.name,
            version: doubt.model.version.clone(),
            picture,
            media_type: kind.map(str::to_owned),
            input: doubt.input,
            shape: [shape.channels, shape.height, shape.width].map(side),
            classes: classifier.classes().to_vec(),
            probabilities: doubt.probabilities,
            reason: doubt.reason.to_owned(),
            callback: doubt.callback,
            first: doubt.first,
        }
    }
}
