//! `train --serve-device`: lends a device of this machine to runs on others.

use std::{net::TcpListener, path::Path};

use anyhow::Context as _;
use burn::server::{RemoteServer, TokenAuthorizer, WebSocketTransport};
use model::Backend;

use crate::{Args, Failure, failure::usage, lenders::read_token, progress::say};

/// Lends until a signal ends it.
///
/// # Errors
/// A [`Failure`] with one line for people.
pub(crate) fn lend(name: &str, listen: &str, token: &Path, args: &Args) -> Result<(), Failure> {
    let backend: Backend = name.parse().map_err(usage)?;
    let device = backend.device()?;
    let token = read_token(token).map_err(usage)?;
    let listener = TcpListener::bind(listen)
        .with_context(|| format!("--listen {listen}: can't listen there"))?;
    let address = listener
        .local_addr()
        .context("can't tell where it listens")?;
    let server = RemoteServer::new([device.clone()]).with_authorizer(TokenAuthorizer::new(token)?);
    let server = kernels::remote::lend(server, &device);
    if !args.quiet {
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
    let transport = WebSocketTransport::from_listener(listener);
    server.serve(transport).context("can't lend")?;
    Ok(())
}
