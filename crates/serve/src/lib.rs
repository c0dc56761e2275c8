//! The server behind the binary `serve`, for programs that ask it without a network. The way of a request is in
//! `http.rs`.

#![forbid(unsafe_code)]

mod accept;
mod admission;
mod answered;
pub mod args;
mod auth;
mod callbacks;
mod doubt;
mod drift;
mod engine;
mod export;
mod failure;
mod form;
mod gate;
pub mod http;
mod json;
mod metrics;
mod models;
mod next;
mod packed;
mod pages;
mod patient;
mod predict;
mod replacement;
mod reviews;
mod second;
pub mod service;
mod v2;
mod watch;
mod workers;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use tokio::{
    net::{TcpListener, TcpSocket},
    time,
};
use tracing::{info, warn};

use crate::{
    args::{Args, Command},
    service::Service,
};

/// Does what the command line says, until a signal ends it.
///
/// # Errors
/// If the address, a model, the token file or the database can't be used.
pub fn run(args: Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Looking up a host can't be cut short.
        .max_blocking_threads(4 + callbacks::AT_ONCE)
        .build()
        .context("can't start threads to listen on")?;
    if let Some(Command::Export(export)) = &args.command {
        return runtime.block_on(export.run());
    }
    let ended = runtime.block_on(async {
        let listener =
            listen(args.listen).with_context(|| format!("can't listen on {}", args.listen))?;
        let address = listener.local_addr().context("can't tell the address")?;
        let drain = args.drain();
        let limits = args.connections();
        let service = Arc::new(Service::start(args).await?);
        callbacks::start(&service);
        tell(&service, address);
        let router = http::router(Arc::clone(&service));
        let until = accept::serve(listener, router, limits, drain, || service.end()).await;
        // A database that doesn't answer isn't waited for any longer; what it acknowledged is kept.
        if time::timeout_at(until, service.queue.close())
            .await
            .is_err()
        {
            warn!("ended before the database was closed");
        }
        Ok(())
    });
    // What was accepted is answered; a model that is being compared isn't waited for.
    runtime.shutdown_background();
    ended
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    // As many as come at once: who finds no place waits a second before it tries again.
    socket.listen(4096)
}

/// What to open, on standard output: for people, and for programs that wait until it is there.
fn tell(service: &Service, address: SocketAddr) {
    for (name, slot) in service.models.iter() {
        let model = slot.current();
        let precision = model.classifier.precision();
        info!(model = name, version = %model.version, %precision, "in service");
    }
    let database = service.queue.database();
    println!("draw a digit:       http://{address}/");
    println!("decide what waits:  http://{address}/review (in {database})");
    println!("how it fares:       http://{address}/status");
    println!("ask from programs:  http://{address}/v2 (Open Inference Protocol)");
    println!("ask with pictures:  http://{address}/predict");
}
