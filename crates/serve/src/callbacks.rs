//! Callbacks: whoever left something to people can be told what they said, at an address of a host that the
//! operator allows. Plain http, as everything here: hosts of one's own network.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use axum::{
    body::Body,
    http::{
        HeaderMap, Request, StatusCode, Uri, header,
        uri::{Authority, PathAndQuery},
    },
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use queue::Reviewed;
use tokio::{net::TcpStream, task::JoinSet, time};
use tracing::{info, warn};

use crate::{failure::Failure, reviews, service::Service};

/// The header of a request that names an address.
const HEADER: &str = "x-callback-url";
/// How long a host may take from the first packet to the status of its answer.
const TIME: Duration = Duration::from_secs(10);
/// How many are called at a time.
pub const AT_ONCE: usize = 16;
/// How often the queue is asked what is due: another server may have the answer.
const LOOK: Duration = Duration::from_secs(1);
/// How long a queue is left alone that can't be reached.
const PAUSE: Duration = Duration::from_secs(10);
/// Bytes that the head of an answer may have. Its body stays unread.
const HEAD: usize = 16 * 1024;

/// The hosts that may be called.
#[derive(Debug)]
pub struct Callbacks {
    hosts: Vec<(String, u16)>,
}

/// A host that may be called, and what is there.
struct Target {
    host: String,
    port: u16,
    authority: Authority,
    path: PathAndQuery,
}

impl Callbacks {
    /// From `HOST` or `HOST:PORT` each; without a port it is 80.
    ///
    /// # Errors
    /// If one is neither.
    pub fn new(given: &[String]) -> anyhow::Result<Self> {
        let host = |given: &String| {
            let authority = given.parse().ok();
            let place = authority.as_ref().and_then(place);
            place.with_context(|| format!("--callback-hosts {given}: not HOST or HOST:PORT"))
        };
        Ok(Callbacks {
            hosts: given.iter().map(host).collect::<Result<_, _>>()?,
        })
    }

    /// The address that a request wants called, if it may be.
    ///
    /// # Errors
    /// 400, with the reason why it may not.
    pub fn of(&self, headers: &HeaderMap) -> Result<Option<String>, Failure> {
        let Some(value) = headers.get(HEADER) else {
            return Ok(None);
        };
        let address = value.to_str().map_err(|_| Failure::bad(NO_ADDRESS))?;
        self.check(address).map(Some)
    }

    /// The address, if it may be called.
    ///
    /// # Errors
    /// 400, with the reason why it may not.
    pub fn check(&self, address: &str) -> Result<String, Failure> {
        self.target(address)
            .map(|_| address.to_owned())
            .map_err(Failure::bad)
    }

    fn target(&self, address: &str) -> Result<Target, &'static str> {
        if self.hosts.is_empty() {
            return Err(
                "this server calls nobody back: ask /reviews/{id}, or have it started with --callback-hosts",
            );
        }
        let uri: Uri = address.parse().map_err(|_| NO_ADDRESS)?;
        let parts = uri.into_parts();
        match parts.scheme.as_ref().map(|scheme| scheme.as_str()) {
            Some("http") => {}
            Some("https") => {
                return Err(
                    "callbacks are plain http, to hosts of one's own network: give an http address there",
                );
            }
            _ => return Err(NO_ADDRESS),
        }
        let authority = parts.authority.ok_or(NO_ADDRESS)?;
        let (host, port) = place(&authority).ok_or(NO_ADDRESS)?;
        if !self.hosts.contains(&(host.clone(), port)) {
            return Err(
                "callbacks to that host and port are not allowed: --callback-hosts names those that are",
            );
        }
        let path = parts.path_and_query;
        let path = path.unwrap_or(PathAndQuery::from_static("/"));
        if !path.as_str().starts_with('/') {
            return Err(NO_ADDRESS);
        }
        Ok(Target {
            host,
            port,
            authority,
            path,
        })
    }
}

const NO_ADDRESS: &str = "a callback is an address as http://HOST:PORT/PATH, without a user";

/// Host, in lower case, and port.
fn place(authority: &Authority) -> Option<(String, u16)> {
    let (host, port) = (authority.host(), authority.port_u16());
    let rest = authority.as_str().strip_prefix(host)?;
    let whole = match port {
        None => rest.is_empty(),
        Some(_) => rest.starts_with(':'),
    };
    (whole && !host.is_empty()).then(|| (host.to_ascii_lowercase(), port.unwrap_or(80)))
}

/// Calls back as long as the server runs, if anybody may be called.
pub fn start(service: &Arc<Service>) {
    if service.callbacks.hosts.is_empty() {
        return;
    }
    let service = Arc::clone(service);
    tokio::spawn(async move {
        let mut calls = JoinSet::new();
        while !service.is_ending() {
            let mut answered = service.answered.subscribe();
            while calls.try_join_next().is_some() {}
            // No more than can be called at once: those in hand are this server's for a short time only.
            let room = (AT_ONCE - calls.len()) as u32;
            match service.queue.callbacks_due(room).await {
                Ok(due) => {
                    for (id, address, reviewed) in due {
                        let service = Arc::clone(&service);
                        calls.spawn(
                            async move { deliver(&service, &id, &address, &reviewed).await },
                        );
                    }
                }
                Err(error) => {
                    let error = error.to_string().replace(char::is_control, " ");
                    warn!(error, "can't see who is to be called back");
                    time::sleep(PAUSE).await;
                }
            }
            if calls.len() == AT_ONCE {
                calls.join_next().await;
                continue;
            }
            tokio::select! {
                _ = answered.recv() => {}
                () = time::sleep(LOOK) => {}
            }
        }
    });
}

/// One call. What is recorded of it decides whether it is made again.
async fn deliver(service: &Service, id: &str, address: &str, reviewed: &Reviewed) {
    let told = reviews::told(reviewed).to_string();
    // The operator may allow less than when it was asked for.
    let called = match service.callbacks.target(address) {
        Ok(target) => call(target, told).await,
        Err(refused) => Err(anyhow::anyhow!(refused)),
    };
    match &called {
        Ok(()) => info!(id, "called back"),
        Err(error) => {
            let error = format!("{error:#}").replace(char::is_control, " ");
            warn!(id, error, "a callback failed");
        }
    }
    service.metrics.called(called.is_ok());
    if let Err(error) = service.queue.called_back(id, called.is_ok()).await {
        let error = error.to_string().replace(char::is_control, " ");
        warn!(
            id,
            error, "can't note how a callback went: it may be made again"
        );
    }
}

/// Posts what people said. No proxy, no redirect; the name is looked up once, and what it stood for then is
/// what is called.
async fn call(target: Target, told: String) -> anyhow::Result<()> {
    let host = target.host.trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((host, target.port)).await;
    let found: Vec<SocketAddr> = found.context("the host isn't known")?.collect();
    let request = Request::post(Uri::from(target.path))
        .header(header::HOST, target.authority.as_str())
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            header::USER_AGENT,
            concat!("serve/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::CONNECTION, "close")
        .body(Body::from(told))?;
    let exchange = async {
        let stream = TcpStream::connect(&found[..]).await?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD).max_headers(64);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        // Ended when it is dropped, with what of the answer hasn't been read.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        anyhow::Ok(sender.send_request(request).await?.status())
    };
    let status: StatusCode = time::timeout(TIME, exchange)
        .await
        .with_context(|| format!("no answer within {} s", TIME.as_secs()))??;
    ensure!(status.is_success(), "it answered {}", status.as_u16());
    Ok(())
}
