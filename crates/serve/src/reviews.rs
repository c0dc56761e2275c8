//! What becomes of what the machine left to people: their pages, and those who wait for them.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{Path, Query, Request, State},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use queue::{Answer, Error, Item, Reviewed};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    sync::broadcast::Receiver,
    time::{Instant, sleep, timeout_at},
};
use tracing::error;

use crate::{failure::Failure, json::Json, service::Service};

/// How long a client may wait for a person at a time.
const LONGEST_WAIT: u64 = 60;
/// How often the database is asked while a client waits: another server may have the answer.
const LOOK: Duration = Duration::from_secs(2);

/// A person is the same with a blank before or after the name: one must not give both opinions.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|name| name.trim().to_owned())
}

#[derive(Deserialize)]
struct Person {
    #[serde(deserialize_with = "name")]
    reviewer: String,
}

#[derive(Deserialize)]
struct Undoing {
    #[serde(deserialize_with = "name")]
    reviewer: String,
    key: Option<String>,
}

#[derive(Deserialize)]
struct Holder {
    #[serde(deserialize_with = "name")]
    reviewer: String,
    lease: String,
}

#[derive(Deserialize)]
struct Answered {
    #[serde(deserialize_with = "name")]
    reviewer: String,
    lease: String,
    answer: String,
    key: String,
}

#[derive(Deserialize)]
pub struct Patience {
    #[serde(default)]
    wait: u64,
}

/// `POST /review/next`
///
/// # Errors
/// By its status.
pub async fn next(State(service): State<Arc<Service>>, request: Request) -> Result<Json, Failure> {
    let Person { reviewer } = read(&service, request).await?;
    let next = service
        .queue
        .next(&reviewer)
        .await
        .map_err(|error| failed(&error))?;
    Ok(Json(json!({
        "item": next.item.map(shown),
        "left": next.left,
        "leased": next.leased,
        "disputed": next.disputed,
    })))
}

/// `POST /review/{id}/answer`
///
/// # Errors
/// By its status: 409 if the item isn't this person's any more.
pub async fn answer(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json, Failure> {
    let said: Answered = read(&service, request).await?;
    let answer = Answer::read(&said.answer);
    let (queue, item) = (service.queue.clone(), id.clone());
    // Whoever gave an answer and left has given it.
    let storing = tokio::spawn(async move {
        queue
            .answer(&item, &said.reviewer, &said.lease, answer, &said.key)
            .await
    });
    let state = storing.await;
    let state = state.map_err(|_| Failure::internal("keeping the answer failed"))?;
    let state = state.map_err(|error| failed(&error))?;
    // Nobody may be waiting.
    let _ = service.answered.send(id);
    Ok(Json(json!({ "state": state.as_str() })))
}

/// `POST /review/{id}/skip`
///
/// # Errors
/// As [`answer`].
pub async fn skip(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json, Failure> {
    let Holder { reviewer, lease } = read(&service, request).await?;
    let skipped = service.queue.skip(&id, &reviewer, &lease).await;
    skipped.map_err(|error| failed(&error))?;
    Ok(Json(json!({})))
}

/// `POST /review/{id}/renew`
///
/// # Errors
/// As [`answer`].
pub async fn renew(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json, Failure> {
    let Holder { reviewer, lease } = read(&service, request).await?;
    let renewed = service.queue.renew(&id, &reviewer, &lease).await;
    let expires = renewed.map_err(|error| failed(&error))?;
    Ok(Json(json!({ "expires": expires })))
}

/// `POST /review/undo`
///
/// # Errors
/// By its status.
pub async fn undo(State(service): State<Arc<Service>>, request: Request) -> Result<Json, Failure> {
    let Undoing { reviewer, key } = read(&service, request).await?;
    let item = service.queue.undo(&reviewer, key.as_deref()).await;
    let item = item.map_err(|error| failed(&error))?;
    Ok(Json(json!({ "item": item.map(shown) })))
}

/// `GET /reviews/{id}`, at once or as soon as a person has answered.
///
/// # Errors
/// 404 if there is no such item.
pub async fn state(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    patience: Result<Query<Patience>, axum::extract::rejection::QueryRejection>,
) -> Result<Json, Failure> {
    let Query(Patience { wait }) =
        patience.map_err(|rejection| Failure::bad(rejection.body_text()))?;
    let until = Instant::now() + Duration::from_secs(wait.min(LONGEST_WAIT));
    // From before the first look, so that no answer is missed.
    let mut answered = service.answered.subscribe();
    loop {
        let state = service
            .queue
            .state(&id)
            .await
            .map_err(|error| failed(&error))?;
        let Some(reviewed) = state else {
            return Err(Failure::not_found("there is no such review"));
        };
        if reviewed.answered.is_some() || Instant::now() >= until {
            return Ok(Json(told(&reviewed)));
        }
        let _ = timeout_at(until, async {
            tokio::select! {
                () = told_of(&mut answered, &id) => {}
                () = sleep(LOOK) => {}
                () = service.ending.notified() => {}
            }
        })
        .await;
        if service.is_ending() {
            return Ok(Json(told(&reviewed)));
        }
    }
}

/// Waits until somebody may have answered an item.
async fn told_of(answered: &mut Receiver<String>, id: &str) {
    while answered.recv().await.is_ok_and(|other| other != id) {}
}

/// What is told of a review, to those who ask and those who are called back.
pub fn told(reviewed: &Reviewed) -> Value {
    json!({
        "id": reviewed.id,
        "state": reviewed.state.as_str(),
        "answer": reviewed.answer.as_ref().map(Answer::as_str),
        "class": reviewed.class,
        "created": reviewed.created,
        "answered": reviewed.answered,
    })
}

fn shown(item: Item) -> Value {
    let picture = item.picture.map(|picture| {
        let kind = item.media_type.as_deref().unwrap_or("image/png");
        format!("data:{kind};base64,{}", BASE64_STANDARD.encode(picture))
    });
    let disputed = item.disputed.map(|opinions| {
        let opinions = opinions.iter();
        let opinions = opinions.map(
            |opinion| json!({ "reviewer": opinion.reviewer, "answer": opinion.answer.as_str() }),
        );
        opinions.collect::<Value>()
    });
    json!({
        "id": item.id,
        "lease": item.lease,
        "expires": item.expires,
        "picture": picture,
        "input": item.input.map(|input| BASE64_STANDARD.encode(input)),
        "shape": item.shape,
        "classes": item.classes,
        "probabilities": item.probabilities,
        "reason": item.reason,
        "model": item.model,
        "version": item.version,
        "created": item.created,
        "first": item.first,
        "second": item.second,
        "disputed": disputed,
    })
}

async fn read<T: DeserializeOwned>(service: &Service, request: Request) -> Result<T, Failure> {
    let (parts, body) = request.into_parts();
    let body: Bytes = service.admission.read(&parts.headers, body).await?.body;
    serde_json::from_slice(&body).map_err(|error| Failure::json(&error))
}

/// What a client is told of a fault of the queue's.
pub fn failed(fault: &Error) -> Failure {
    match fault {
        Error::Invalid(_) => Failure::bad(fault.to_string()),
        Error::Unknown(_) => Failure::not_found(fault.to_string()),
        _ if fault.is_conflict() => Failure::conflict(fault.to_string()),
        _ => {
            let fault = fault.to_string().replace(char::is_control, " ");
            error!(fault, "the queue failed");
            Failure::unavailable("the review queue can't be reached now; try again in a second")
        }
    }
}
