//! The way of a request, from its route to its answer.
//!
//! ```text
//! accept.rs     a connection, within limits
//!   └ counted   its time and status are counted, a fault in it is caught
//!     └ auth    may this client do that?
//!       └ a handler
//!           admission.rs    is there room? then its body is read
//!           v2, predict.rs  bytes become images, or the request is told what is wrong with them
//!           engine.rs       images of several requests are computed together
//!           second.rs       what two pictures of the same thing say together
//!           v2, predict.rs  what came of it, as the client asked for it
//!           doubt.rs        what the machine leaves to people is put into the queue
//! ```
//!
//! Beside requests, `callbacks.rs` tells those who wait elsewhere what people answered.

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{error, info};

use crate::{
    auth, export,
    failure::{Failure, Refused},
    pages, predict, reviews,
    service::Service,
    v2, watch,
};

/// All routes.
pub fn router(service: Arc<Service>) -> Router {
    let open = Router::new()
        .route("/", get(pages::index))
        .route("/review", get(pages::review))
        .route("/status", get(pages::status))
        .route("/assets/{file}", get(pages::asset))
        .route("/openapi.json", get(pages::openapi))
        .route("/v2/health/live", get(v2::live))
        .route("/v2/health/ready", get(v2::ready));
    // Clients of the Open Inference Protocol call /v2 with and without a slash at the end.
    let asking = Router::new()
        .route("/v2", get(v2::server))
        .route("/v2/", get(v2::server))
        .route("/v2/models/{model}", get(v2::model))
        .route("/v2/models/{model}/ready", get(v2::model_ready))
        .route("/v2/models/{model}/infer", post(v2::infer))
        .route("/v2/models/{model}/versions/{version}", get(v2::model))
        .route(
            "/v2/models/{model}/versions/{version}/ready",
            get(v2::model_ready),
        )
        .route(
            "/v2/models/{model}/versions/{version}/infer",
            post(v2::infer),
        )
        .route("/v2/repository/index", post(v2::index))
        .route("/api/model", get(predict::about))
        .route("/predict", post(predict::picture))
        .route("/predict/pixels", post(predict::pixels))
        .route("/reviews/{id}", get(reviews::state))
        .layer(from_fn_with_state(Arc::clone(&service), auth::ask));
    let reviewing = Router::new()
        .route("/metrics", get(watch::metrics))
        .route("/api/status", get(watch::status))
        .route("/review/next", post(reviews::next))
        .route("/review/export", get(export::archive))
        .route("/review/undo", post(reviews::undo))
        .route("/review/{id}/answer", post(reviews::answer))
        .route("/review/{id}/skip", post(reviews::skip))
        .route("/review/{id}/renew", post(reviews::renew))
        .layer(from_fn_with_state(Arc::clone(&service), auth::review));
    open.merge(asking)
        .merge(reviewing)
        .fallback(|| async {
            Failure::not_found(
                "there is nothing at this address; /openapi.json lists what there is",
            )
        })
        .method_not_allowed_fallback(|| async {
            let message = "this address takes another method; /openapi.json tells which";
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, message)
        })
        .layer(middleware::map_response(sealed))
        .layer(CatchPanicLayer::custom(|_| {
            error!("a request failed by a fault of the server");
            Failure::internal("the server failed at this request").into_response()
        }))
        .layer(from_fn_with_state(Arc::clone(&service), counted))
        .with_state(service)
}

/// Counts a request. What a client wrote stays out of labels and log: its route is a pattern of ours.
async fn counted(service: State<Arc<Service>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let underway = service.metrics.begin();
    let response = next.run(request).await;
    let (seconds, status) = (began.elapsed().as_secs_f64(), response.status().as_u16());
    let refused = response.extensions().get::<Refused>().is_some();
    drop(underway);
    service.metrics.end(&route, status, refused, seconds);
    // Others may wait for a person, which says nothing of the server.
    let asks = route.ends_with("/infer") || route.starts_with("/predict");
    service
        .watch
        .request(status, refused, asks.then_some(seconds));
    tracing::debug!(%method, route, status, milliseconds = 1000.0 * seconds, "answered");
    if status >= 500 && status != 503 {
        info!(%method, route, status, "failed");
    }
    response
}

/// What every answer says to browsers: it is what it says it is, and loads nothing from elsewhere.
async fn sealed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                  connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
