//! Pictures that come in a form.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest as _, Multipart, Request, multipart::MultipartError},
    http::{HeaderMap, header},
};

use crate::failure::Failure;

/// The picture that a body is, or that is the field `picture` or the first file of the form that it is.
///
/// # Errors
/// 400 if the form is damaged or has none.
pub async fn picture(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Failure> {
    if !is_multipart(headers) {
        return Ok(body);
    }
    let mut request = Request::new(Body::from(body));
    *request.headers_mut() = headers.clone();
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|rejection| Failure::bad(rejection.body_text()))?;
    let bad = |error: MultipartError| Failure::bad(error.body_text());
    while let Some(field) = form.next_field().await.map_err(bad)? {
        if field.name() == Some("picture") || field.file_name().is_some() {
            return field.bytes().await.map_err(bad);
        }
    }
    Err(Failure::bad("the form has no field `picture`"))
}

fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data"))
}
