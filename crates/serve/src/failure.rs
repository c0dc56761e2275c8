//! Why a request isn't answered, as its client reads it.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// A status and a sentence.
#[derive(Clone, Debug)]
pub struct Failure {
    status: StatusCode,
    message: String,
    refused: bool,
}

/// Marks, among the extensions of an answer, that its request was refused for want of room.
#[derive(Clone, Copy, Debug)]
pub struct Refused;

impl Failure {
    /// A failure with a status of its own.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Failure {
            status,
            message: message.into(),
            refused: false,
        }
    }

    /// 400: the request can't be understood.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 400: JSON that doesn't say what it should.
    pub fn json(error: &serde_json::Error) -> Self {
        // It may quote a text of the client's, of any length.
        let said = error.to_string();
        let start: String = said.chars().take(300).collect();
        let more = if start.len() < said.len() { "…" } else { "" };
        Self::bad(format!("the JSON of the request: {start}{more}"))
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 409: somebody else was there first.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// 503: something that the server needs isn't there now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// 413: a body of more than `most` bytes.
    pub fn too_large(most: usize) -> Self {
        let message = format!("a request may have {most} bytes; send fewer images at a time");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// 503: no room now.
    pub fn busy() -> Self {
        let message = "the server has as much to do as it can hold; try again in a second";
        Failure {
            refused: true,
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }

    /// 408: a body that didn't arrive.
    pub fn slow(time: Duration) -> Self {
        let message = format!("the body didn't arrive within {} s", time.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, message)
    }

    /// 500: a fault of the server's.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        // One of the protocol's clients reads the message only where the type is just this.
        let kind = [(header::CONTENT_TYPE, "application/json")];
        let body = json!({ "error": self.message }).to_string();
        let mut response = (self.status, kind, body).into_response();
        if self.refused {
            response.extensions_mut().insert(Refused);
        }
        let headers = response.headers_mut();
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
