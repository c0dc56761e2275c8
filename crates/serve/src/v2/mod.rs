//! The Open Inference Protocol, version 2, over HTTP, with the binary tensor extension: what clients of KServe,
//! Triton, MLServer and OpenVINO speak.
//!
//! Input is `images`, UINT8 `[n, channels, height, width]`; outputs are those of [`reply::OUTPUTS`].

mod few;
mod flat;
mod reply;
mod request;

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    admission::Admitted,
    doubt::{self, Doubt},
    engine::Told,
    failure::Failure,
    json::Json,
    models::{Loaded, Slot},
    service::Service,
    v2::reply::Output,
};

/// The header that says where the JSON of a body ends and its tensors begin.
const HEADER_LENGTH: &str = "inference-header-content-length";

/// The model, and the version of it, that an address names.
#[derive(Debug, Deserialize)]
pub struct Named {
    model: String,
    version: Option<String>,
}

type Addressed = Result<Path<Named>, axum::extract::rejection::PathRejection>;

/// `POST …/infer`
///
/// # Errors
/// By its status.
pub async fn infer(
    State(service): State<Arc<Service>>,
    named: Addressed,
    request: Request,
) -> Result<Response, Failure> {
    let named = named_by(named)?;
    let (name, slot) = found(&service, &named)?;
    let (parts, body) = request.into_parts();
    let admitted = service.admission.read(&parts.headers, body).await?;
    let Admitted { body, room } = admitted;
    let underway = service.engine.underway();
    // Another may have taken its place while the body arrived; from here on it is this one.
    let model = named.version_of(slot)?;
    let shape = model.classifier.shape();
    let asked = request::parse(&body, header_length(&parts.headers)?, shape)?;
    drop(body);
    let people = asked
        .outputs
        .iter()
        .any(|wanted| wanted.output == Output::Review);
    let callback = match asked.callback {
        None => None,
        Some(_) if !people => {
            let message =
                "callback_url is called when a person has answered: ask for `review`, too";
            return Err(Failure::bad(message));
        }
        Some(address) => Some(service.callbacks.check(&address)?),
    };
    let images = people.then(|| asked.images.clone());
    let told = service
        .engine
        .ask(model, asked.images, &room, underway)
        .await?;
    let (mut accepted, mut deferred) = (0, 0);
    for (_, answer) in &told.answers {
        match answer.decision {
            model::Decision::Accept => accepted += 1,
            model::Decision::Review { .. } => deferred += 1,
        }
    }
    service.decided(name, &told.model, accepted, deferred);
    let reviews = match images {
        None => Vec::new(),
        Some(images) => {
            let doubts = doubts(name, &told, &images, callback);
            doubt::defer(&service, doubts, room.clone()).await?
        }
    };
    let id = asked.id.as_deref();
    let response = reply::write(name, id, &told, &asked.outputs, &reviews)?;
    Ok(room.until_written(response))
}

/// What a person should look at.
fn doubts(name: &str, told: &Told, images: &[u8], callback: Option<String>) -> Vec<Doubt> {
    let length = told.model.classifier.shape().len();
    let pairs = told.answers.iter().zip(images.chunks_exact(length));
    pairs
        .filter_map(|((_, answer), image)| {
            Some(Doubt {
                reason: answers::reason(answer)?,
                model: Arc::clone(&told.model),
                name: name.to_owned(),
                picture: None,
                input: Some(image.to_vec()),
                probabilities: answer.probabilities.clone(),
                callback: callback.clone(),
                first: None,
            })
        })
        .collect()
}

/// `GET /v2`
pub async fn server() -> Json {
    Json(json!({
        "name": "serve",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["binary_tensor_data"],
    }))
}

/// `GET /v2/health/live`
pub async fn live(State(service): State<Arc<Service>>) -> Response {
    health(service.engine.is_alive(), json!({ "live": true }))
}

/// `GET /v2/health/ready`. One client wants `ready`, the specification's example says `live`.
pub async fn ready(State(service): State<Arc<Service>>) -> Response {
    health(
        service.engine.is_alive(),
        json!({ "live": true, "ready": true }),
    )
}

/// `GET /v2/models/{model}`
///
/// # Errors
/// 404 if it isn't in service.
pub async fn model(State(service): State<Arc<Service>>, named: Addressed) -> Result<Json, Failure> {
    let named = named_by(named)?;
    let (name, slot) = found(&service, &named)?;
    Ok(Json(reply::metadata(name, &*named.version_of(slot)?)))
}

/// `GET /v2/models/{model}/ready`
///
/// # Errors
/// 404 if it isn't in service.
pub async fn model_ready(
    State(service): State<Arc<Service>>,
    named: Addressed,
) -> Result<Response, Failure> {
    let named = named_by(named)?;
    let (name, _) = found(&service, &named)?;
    let ready = json!({ "name": name, "ready": true });
    Ok(health(service.engine.is_alive(), ready))
}

/// `POST /v2/repository/index`: which models there are.
pub async fn index(State(service): State<Arc<Service>>) -> Json {
    let models = service.models.iter().map(|(name, slot)| {
        let version = slot.current().version.clone();
        json!({ "name": name, "version": version, "state": "READY", "reason": "" })
    });
    Json(models.collect())
}

fn health(well: bool, said: Value) -> Response {
    match well {
        true => Json(said).into_response(),
        false => {
            Failure::internal("nothing is computed any more: start the server anew").into_response()
        }
    }
}

fn named_by(address: Addressed) -> Result<Named, Failure> {
    let Path(named) = address.map_err(|rejection| Failure::bad(rejection.body_text()))?;
    Ok(named)
}

fn found<'a>(service: &'a Service, named: &Named) -> Result<(&'a str, &'a Arc<Slot>), Failure> {
    let found = service.models.get(Some(&named.model));
    let (name, slot) =
        found.ok_or_else(|| Failure::not_found("no model of that name is in service"))?;
    named.version_of(slot)?;
    Ok((name, slot))
}

impl Named {
    /// The model that answers, if it is of the version that was asked for.
    fn version_of(&self, slot: &Slot) -> Result<Arc<Loaded>, Failure> {
        let current = slot.current();
        match &self.version {
            Some(version) if *version != current.version => Err(Failure::not_found(format!(
                "of this model version {} is in service, and no other",
                current.version
            ))),
            _ => Ok(current),
        }
    }
}

fn header_length(headers: &HeaderMap) -> Result<Option<usize>, Failure> {
    let Some(value) = headers.get(HEADER_LENGTH) else {
        return Ok(None);
    };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    let wrong = || Failure::bad("Inference-Header-Content-Length is no number of bytes");
    length.map(Some).ok_or_else(wrong)
}
