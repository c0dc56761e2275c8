//! Pages for people, compiled in: they need nothing from elsewhere.

use axum::{
    extract::Path,
    http::header,
    response::{Html, IntoResponse, Response},
};

use crate::failure::Failure;

/// `GET /`
pub async fn index() -> Html<&'static str> {
    Html(include_str!("../pages/index.html"))
}

/// `GET /openapi.json`
pub async fn openapi() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, include_str!("../pages/openapi.json")).into_response()
}

/// `GET /assets/{file}`
///
/// # Errors
/// 404 if there is no such file.
pub async fn asset(Path(file): Path<String>) -> Result<Response, Failure> {
    let script = "text/javascript; charset=utf-8";
    let (kind, text) = match &file[..] {
        "style.css" => (
            "text/css; charset=utf-8",
            include_str!("../pages/style.css"),
        ),
        "common.js" => (script, include_str!("../pages/common.js")),
        "draw.js" => (script, include_str!("../pages/draw.js")),
        _ => return Err(Failure::not_found("there is no such file")),
    };
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
