//! Pictures that come in a form.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest as _, Multipart, Request, multipart::MultipartError},
    http::{HeaderMap, header},
};

use crate::failure::Failure;

/// The picture that a body is, or that is the field `picture` of the form that it is, or its only file.
///
/// # Errors
/// 400 if the form is damaged, has none, or several that might be meant.
pub async fn picture(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Failure> {
    if !is_multipart(headers) {
        return Ok(body);
    }
    let mut request = Request::new(Body::from(body));
    *request.headers_mut() = headers.clone();
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|rejection| Failure::bad(rejection.body_text()))?;
    let bad = |error: MultipartError| Failure::bad(error.body_text());
    let (mut named, mut files) = (Vec::new(), Vec::new());
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let kind = match (field.name(), field.file_name()) {
            (Some("picture"), _) => &mut named,
            (_, Some(_)) => &mut files,
            _ => continue,
        };
        kind.push(field.bytes().await.map_err(bad)?);
    }
    let mut found = if named.is_empty() { files } else { named };
    match (found.pop(), found.is_empty()) {
        (Some(picture), true) => Ok(picture),
        (Some(_), false) => Err(Failure::bad(
            "the form has several pictures: send one to a request, as the field `picture`",
        )),
        (None, _) => Err(Failure::bad("the form has no field `picture`")),
    }
}

fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data"))
}
