//! Pages for people, compiled in: they need nothing from elsewhere.

use axum::{
    extract::Path,
    http::header,
    response::{Html, IntoResponse, Response},
};

use crate::failure::Failure;

/// A file of the pages, by its name.
macro_rules! page {
    ($name:literal) => {
        include_str!(concat!("../pages/", $name))
    };
}

/// `GET /`
pub async fn index() -> Html<&'static str> {
    Html(page!("index.html"))
}

/// `GET /review`
pub async fn review() -> Html<&'static str> {
    Html(page!("review.html"))
}

/// `GET /status`
pub async fn status() -> Html<&'static str> {
    Html(page!("status.html"))
}

/// `GET /openapi.json`
pub async fn openapi() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, page!("openapi.json")).into_response()
}

/// `GET /assets/{file}`
///
/// # Errors
/// 404 if there is no such file.
pub async fn asset(Path(file): Path<String>) -> Result<Response, Failure> {
    let text = match &file[..] {
        "style.css" => page!("style.css"),
        "common.js" => page!("common.js"),
        "draw.js" => page!("draw.js"),
        "insist.js" => page!("insist.js"),
        "keys.js" => page!("keys.js"),
        "leases.js" => page!("leases.js"),
        "outbox.js" => page!("outbox.js"),
        "paper.js" => page!("paper.js"),
        "person.js" => page!("person.js"),
        "review.js" => page!("review.js"),
        "status.js" => page!("status.js"),
        _ => return Err(Failure::not_found("there is no such file")),
    };
    let kind = match file.ends_with(".css") {
        true => "text/css; charset=utf-8",
        false => "text/javascript; charset=utf-8",
    };
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
