//! Pictures: what `digits predict --json` says, over HTTP.

use std::{path::Path, sync::Arc};

use answers::{Answer, Finding, Input};
use axum::{
    body::Bytes,
    extract::{Query, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use pictures::FrameError;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    admission::{Admitted, Room},
    doubt::{self, Doubt},
    failure::Failure,
    form,
    json::Json,
    models::{Loaded, Slot},
    next::{Do, Next},
    second::{First, Together},
    service::Service,
};

/// What can be asked for besides.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The model; without, the first.
    model: Option<String>,
    /// Whether to tell what the network sees.
    #[serde(default)]
    pixels: bool,
    /// Whether a person is to look at what the machine leaves to people.
    #[serde(default = "yes")]
    review: bool,
    /// Whom to tell what the person says.
    #[serde(skip)]
    callback: Option<String>,
    /// The first picture of the same thing.
    #[serde(skip)]
    first: Option<First>,
}

impl Asked {
    /// Reads what the headers ask for.
    async fn read(
        &mut self,
        service: &Service,
        model: &str,
        headers: &HeaderMap,
    ) -> Result<(), Failure> {
        self.callback = service.callbacks.of(headers)?;
        self.first = First::of(headers, model, &service.unseen, &service.queue).await?;
        let person = self.callback.is_some() || self.first.is_some();
        if person && !self.review {
            let message = "review=false asks no person, but X-Callback-Url and X-First are for where one may be asked";
            return Err(Failure::bad(message));
        }
        Ok(())
    }
}

fn yes() -> bool {
    true
}

type Options = Result<Query<Asked>, axum::extract::rejection::QueryRejection>;

/// `POST /predict`
///
/// # Errors
/// By its status.
pub async fn picture(
    State(service): State<Arc<Service>>,
    options: Options,
    request: Request,
) -> Result<Response, Failure> {
    let mut asked = asked(options)?;
    let (name, slot) = slot(&service, &asked)?;
    let (parts, body) = request.into_parts();
    asked.read(&service, name, &parts.headers).await?;
    let Admitted { body, room } = service.admission.read(&parts.headers, body).await?;
    let bytes = form::picture(&parts.headers, body).await?;
    // From here on one model, whatever takes its place meanwhile.
    let model = slot.current();
    let input = decoded(&service, &model, bytes.clone(), &room).await?;
    let images = match &input {
        Ok(Input::Image(pixels, _)) => Some(pixels.clone()),
        _ => None,
    };
    let told = match images {
        Some(images) => {
            let underway = service.engine.underway();
            let model = Arc::clone(&model);
            Some(service.engine.ask(model, images, &room, underway).await?)
        }
        None => None,
    };
    let answers = told.into_iter().flat_map(|told| told.answers);
    let mut classes = answers.map(|(_, answer)| answer);
    let answer = Answer::new(Path::new("picture"), input, &mut classes);
    let picture = Some(&bytes[..]);
    let response = reply(&service, (name, &model), answer, asked, picture, &room).await?;
    Ok(room.until_written(response))
}

/// `POST /predict/pixels`: the bytes of one image as the network takes it.
///
/// # Errors
/// By its status.
pub async fn pixels(
    State(service): State<Arc<Service>>,
    options: Options,
    request: Request,
) -> Result<Response, Failure> {
    let mut asked = asked(options)?;
    let (name, slot) = slot(&service, &asked)?;
    let (parts, body) = request.into_parts();
    asked.read(&service, name, &parts.headers).await?;
    let Admitted { body, room } = service.admission.read(&parts.headers, body).await?;
    let underway = service.engine.underway();
    let model = slot.current();
    let shape = model.classifier.shape();
    if body.len() != shape.len() {
        return Err(Failure::bad(format!(
            "{} bytes are not an image of {shape}: send {}, channel by channel, row by row",
            body.len(),
            shape.len()
        )));
    }
    let images = body.to_vec();
    let told = service.engine.ask(model, images, &room, underway).await?;
    let input = Ok(Input::Image(body.to_vec(), None));
    let mut classes = told.answers.into_iter().map(|(_, answer)| answer);
    let answer = Answer::new(Path::new("pixels"), input, &mut classes);
    let response = reply(&service, (name, &told.model), answer, asked, None, &room).await?;
    Ok(room.until_written(response))
}

/// `GET /api/model`
///
/// # Errors
/// 404 if there is no such model.
pub async fn about(State(service): State<Arc<Service>>, options: Options) -> Result<Json, Failure> {
    let (name, slot) = slot(&service, &asked(options)?)?;
    let model = slot.current();
    let classifier = &model.classifier;
    let shape = classifier.shape();
    let deferral = &classifier.calibration().deferral;
    Ok(Json(json!({
        "name": name,
        "models": service.models.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "version": model.version,
        "classes": classifier.classes(),
        "input": [shape.channels, shape.height, shape.width],
        "picture": classifier.manifest().picture,
        "threshold": deferral.threshold,
        "certified": deferral.certified,
        "promise": model.promise(),
        "accuracy": classifier.manifest().metrics.get("validation.accuracy"),
    })))
}

/// What is said of a picture, and what follows from it.
async fn reply(
    service: &Service,
    (name, model): (&str, &Arc<Loaded>),
    mut answer: Answer<'_>,
    asked: Asked,
    picture: Option<&[u8]>,
    room: &Room,
) -> Result<Response, Failure> {
    let together = match &asked.first {
        None => Together::Alone,
        Some(first) => first.judge(model, &mut answer)?,
    };
    let reason = together.reason().or(answer.reason());
    let next = Next::of(&answer, together);
    let before = asked.first.as_ref().and_then(First::review);
    let mut review = None;
    let person = asked.review && next.what == Do::Wait;
    // A second that goes into the queue uses the first up there, in one step.
    if let Some(first) = &asked.first
        && next.what != Do::Retake
        && !(person && first.review().is_some())
    {
        first.pair(&service.unseen, &service.queue).await?;
    }
    if let (true, Some(reason)) = (person, reason) {
        let probabilities = answer.class().map(|class| class.probabilities.clone());
        let doubt = Doubt {
            model: Arc::clone(model),
            name: name.to_owned(),
            picture: picture.and_then(|bytes| Some((bytes.to_vec(), doubt::kind(bytes)?))),
            input: answer.pixels().map(<[u8]>::to_vec),
            probabilities: probabilities.unwrap_or_default(),
            reason,
            callback: asked.callback,
            first: before.map(str::to_owned),
        };
        review = doubt::defer(service, vec![doubt], room.clone())
            .await?
            .pop();
    }
    let accepted = answer.accepted();
    match together {
        Together::Alone => {
            let deferred = answer.class().is_some() && !accepted;
            service.decided(name, model, accepted.into(), deferred.into());
        }
        _ => service.decided_together(name, accepted),
    }
    // What another picture of the same thing can be judged with.
    let first = match (next.what, &asked.first) {
        (Do::Retake, Some(first)) => Some(first.id.clone()),
        (Do::Retake, None) if asked.review => Some(service.unseen.remember(&service.queue)?),
        (Do::Wait, _) if before.is_none() => review.clone(),
        _ => None,
    };
    let mut json = answer.json(model.classifier.classes());
    if let Value::Object(fields) = &mut json {
        fields.remove("file");
        fields.insert("model".into(), name.into());
        fields.insert("version".into(), model.version.clone().into());
        fields.insert("next".into(), next.json(reason));
        fields.insert("review".into(), review.into());
        fields.insert("first".into(), first.into());
        fields.insert("reason".into(), reason.into());
        let with = before.filter(|_| together != Together::Alone);
        fields.insert("judged_with".into(), with.into());
        if asked.pixels {
            let pixels = answer.pixels().map(|pixels| BASE64_STANDARD.encode(pixels));
            fields.insert("pixels".into(), pixels.into());
        }
    }
    let status = match answer.finding {
        Finding::Unreadable(_) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    Ok((status, Json(json)).into_response())
}

fn asked(options: Options) -> Result<Asked, Failure> {
    match options {
        Ok(Query(asked)) => Ok(asked),
        Err(rejection) => Err(Failure::bad(rejection.body_text())),
    }
}

fn slot<'a>(service: &'a Service, asked: &Asked) -> Result<(&'a str, &'a Arc<Slot>), Failure> {
    let found = service.models.get(asked.model.as_deref());
    found.ok_or_else(|| Failure::not_found("no model of that name is in service"))
}

/// What there is to classify in a picture.
async fn decoded(
    service: &Arc<Service>,
    model: &Arc<Loaded>,
    bytes: Bytes,
    room: &Room,
) -> Result<Result<Input, FrameError>, Failure> {
    let (shared, model) = (Arc::clone(service), Arc::clone(model));
    let room = room.clone();
    // It goes on if the client leaves, and keeps its room.
    let decoding = service.workers.run(move || {
        let input = Input::read(&bytes, "the picture", &model.classifier, &shared.budget);
        drop(room);
        input
    });
    decoding.await
}
