//! The binary `serve`: see `serve --help`. The way of a request is in `http.rs`.

mod accept;
mod admission;
mod args;
mod auth;
mod engine;
mod export;
mod failure;
mod http;
mod json;
mod metrics;
mod models;
mod next;
mod pages;
mod predict;
mod reviews;
mod service;
mod v2;
mod watch;

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::Parser;
use tracing::info;

use crate::{
    args::{Args, Command},
    service::Service,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_max_level(args.log)
        .with_writer(std::io::stderr)
        .with_ansi(args.colours())
        .with_target(false)
        .init();
    if let Err(error) = args.check() {
        return fail(&error, 2);
    }
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

/// One line for people, and the exit code.
fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    let mut line = error.to_string();
    // Most messages name their cause themselves.
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    eprintln!("error: {}", line.replace(char::is_control, " "));
    ExitCode::from(code)
}

fn run(args: Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(args.picture_threads().get() + 4)
        .build()
        .context("can't start threads to listen on")?;
    if let Some(Command::Export(export)) = &args.command {
        return runtime.block_on(export.run());
    }
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("can't listen on {}", args.listen))?;
        let address = listener.local_addr().context("can't tell the address")?;
        let drain = args.drain();
        let limits = args.connections();
        let service = Arc::new(Service::start(args).await?);
        tell(&service, address);
        let router = http::router(Arc::clone(&service));
        accept::serve(listener, router, limits, drain, || service.end()).await;
        service.queue.close().await;
        Ok(())
    })
}

/// What to open, on standard output: for people, and for programs that wait until it is there.
fn tell(service: &Service, address: SocketAddr) {
    for (name, slot) in service.models.iter() {
        let model = slot.current();
        info!(model = name, version = %model.version, "in service");
    }
    let database = service.queue.database();
    println!("draw a digit:       http://{address}/");
    println!("decide what waits:  http://{address}/review (in {database})");
    println!("how it fares:       http://{address}/status");
    println!("ask from programs:  http://{address}/v2 (Open Inference Protocol)");
    println!("ask with pictures:  http://{address}/predict");
}
