//! `train --serve-device`: lends a device of this machine to runs on others.

use std::{net::TcpListener, panic, path::Path};

use anyhow::Context as _;
use burn::server::{
    AuthorizationRequest, PeerAuthorizer, RemoteServer, TokenAuthorizer, WebSocketTransport,
};
use model::Backend;
use socket2::SockRef;

use crate::{
    Args, Failure,
    failure::usage,
    interrupt::Interrupt,
    lenders::{message, read_token},
    progress::say,
};

/// Lends until a signal ends the process.
///
/// # Errors
/// A [`Failure`] with one line for people.
pub(crate) fn lend(name: &str, token: &Path, args: &Args) -> Result<(), Failure> {
    let (listen, quiet) = (&args.listen, args.quiet);
    let backend: Backend = name.parse().map_err(usage)?;
    let device = backend.device()?;
    let authorizer = TokenAuthorizer::new(read_token(token).map_err(usage)?)?;
    let listener = TcpListener::bind(listen)
        .with_context(|| format!("--listen {listen}: can't listen there"))?;
    // Connections have what their listener has. Otherwise the second of two answers waits until the first is
    // acknowledged, which takes 40 ms.
    SockRef::from(&listener)
        .set_tcp_nodelay(true)
        .context("can't have answers sent at once")?;
    let address = listener
        .local_addr()
        .context("can't tell where it listens")?;
    let interrupt = Interrupt::listen().context("can't listen to signals")?;
    let _leaving = interrupt.leave_at_once("no longer lending".to_owned());
    // One line for a session that asked for nonsense, which ends; the others go on.
    panic::set_hook(Box::new(|info| {
        say(format_args!(
            "warning: a session has ended: {}",
            message(info.payload()).replace('\n', " ")
        ));
    }));
    let server = RemoteServer::new([device.clone()]).with_authorizer(
        move |request: AuthorizationRequest<'_>| {
            let client = request.client;
            let allowed = authorizer.authorize(request);
            match &allowed {
                Err(reason) => say(format_args!("refused: {client}: {reason}")),
                Ok(()) if !quiet => say(format_args!("lent to {client}")),
                Ok(()) => {}
            }
            allowed
        },
    );
    let server = kernels::remote::lend(server, &device);
    if !quiet {
        say(format_args!(
            "lending {backend} on remote://{address}, {} threads; end with Ctrl-C",
            rayon::current_num_threads()
        ));
    }
    if !address.ip().is_loopback() {
        say(format_args!(
            "warning: what crosses the network isn't encrypted, the token included: anyone on the way can read and \
             change it; docs/remote.md says how ssh or WireGuard protect it"
        ));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_io()
        .enable_time()
        .build()
        .context("can't start threads")?;
    let transport = WebSocketTransport::from_listener(listener);
    runtime
        .block_on(server.serve_async(transport))
        .context("can't lend")?;
    Ok(())
}
