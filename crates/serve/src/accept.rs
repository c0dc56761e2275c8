//! Connections: how many, how long their heads may take, and how they end.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{self, Instant},
};
use tracing::{info, warn};

use crate::patient::Patient;

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// How many there may be.
    pub at_once: usize,
    /// How long the head of a request may take to arrive; also how long a connection may be idle.
    pub head: Duration,
    /// How long a client may take nothing of what is written to it.
    pub write: Duration,
}

/// Serves until a signal ends it, then calls `end` and answers what was accepted within `drain`; when that is over.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Connections,
    drain: Duration,
    end: impl FnOnce(),
) -> Instant {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(64)
        .max_buf_size(64 * 1024);
    let open = Arc::new(Semaphore::new(limits.at_once));
    let graceful = GracefulShutdown::new();
    let mut ended = std::pin::pin!(crate::service::ended());
    loop {
        // A permit before the connection: those beyond the limit wait in the kernel.
        let permit = tokio::select! {
            permit = Arc::clone(&open).acquire_owned() => permit,
            () = &mut ended => break,
        };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: others have to end first.
                    warn!(%error, "can't accept a connection");
                    time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut ended => break,
        };
        // Answers are one write; waiting for more costs 40 ms.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let stream = TokioIo::new(Patient::new(stream, limits.write));
        let connection = builder.serve_connection(stream, service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // What goes wrong on a connection is its client's to see.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    end();
    info!("ending: answering what was accepted");
    let until = Instant::now() + drain;
    match time::timeout_at(until, graceful.shutdown()).await {
        Ok(()) => info!("ended"),
        Err(_) => warn!(seconds = drain.as_secs(), "ended before all was answered"),
    }
    until
}
