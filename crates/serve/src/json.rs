//! Answers in JSON.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::Value;

/// An answer in JSON.
#[derive(Debug)]
pub struct Json(pub Value);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        // One of the protocol's clients wants just this type, without a charset.
        let kind = [(header::CONTENT_TYPE, "application/json")];
        (kind, self.0.to_string()).into_response()
    }
}
