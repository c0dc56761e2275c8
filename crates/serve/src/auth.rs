//! Who may do what: tokens with roles, the names the server answers to, and pages that may not ask on behalf
//! of another site.

use std::{net::IpAddr, sync::Arc};

use anyhow::{Context, bail, ensure};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{args::Args, failure::Failure, service::Service};

/// What a token allows; each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Ask what a picture shows.
    Ask,
    /// Answer what the machine leaves to people.
    Review,
}

/// Who may do what.
#[derive(Debug)]
pub struct Auth {
    /// The digest of each token: comparing digests takes as long whatever was sent.
    tokens: Option<Vec<([u8; 32], Role)>>,
    /// The names that a request may ask for; none where any will do.
    hosts: Option<Vec<String>>,
}

impl Auth {
    /// # Errors
    /// If the token file can't be read or holds anything else than tokens.
    pub fn new(args: &Args) -> anyhow::Result<Self> {
        let tokens = match &args.token_file {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("can't read {}", path.display()))?;
                Some(tokens(&text).with_context(|| path.display().to_string())?)
            }
        };
        // A page of another site whose name was made to point here isn't let in where no token keeps it out.
        let checked = args.listen.ip().is_loopback() || args.no_auth || !args.host.is_empty();
        let hosts = checked.then(|| {
            let mut hosts = args.host.clone();
            hosts.push("localhost".into());
            hosts
        });
        Ok(Auth { tokens, hosts })
    }

    fn check(&self, method: &Method, headers: &HeaderMap, least: Role) -> Result<(), Failure> {
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let host = host.unwrap_or_default();
        if let Some(hosts) = &self.hosts {
            let name = without_port(host);
            // An address was looked up nowhere, so that no site can have made it point here.
            let known = hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
                || name.parse::<IpAddr>().is_ok();
            if !known {
                let message = "this server doesn't answer to that name; --host NAME adds one";
                return Err(Failure::new(StatusCode::MISDIRECTED_REQUEST, message));
            }
        }
        let changes = !matches!(*method, Method::GET | Method::HEAD);
        if changes && from_elsewhere(headers, host) {
            let message = "a page of another site may not do that";
            return Err(Failure::new(StatusCode::FORBIDDEN, message));
        }
        let Some(tokens) = &self.tokens else {
            return Ok(());
        };
        let given = headers.get(header::AUTHORIZATION);
        let given = given.and_then(|value| value.to_str().ok()?.split_once(' '));
        // The name of the scheme is the same in any case (RFC 9110, section 11.1).
        let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let given = given.map(|(_, token)| token);
        let given: [u8; 32] = Sha256::digest(given.unwrap_or_default()).into();
        let mut role = None;
        for (token, allows) in tokens {
            if bool::from(token.ct_eq(&given)) {
                role = Some(*allows);
            }
        }
        match role {
            None => Err(Failure::new(
                StatusCode::UNAUTHORIZED,
                "a token is needed, as `Authorization: Bearer TOKEN`",
            )),
            Some(role) if role < least => Err(Failure::new(
                StatusCode::FORBIDDEN,
                "this token may ask, but not review",
            )),
            Some(_) => Ok(()),
        }
    }
}

/// Lets requests pass that may ask.
pub async fn ask(service: State<Arc<Service>>, request: Request, next: Next) -> Response {
    pass(&service, Role::Ask, request, next).await
}

/// Lets requests pass that may review.
pub async fn review(service: State<Arc<Service>>, request: Request, next: Next) -> Response {
    pass(&service, Role::Review, request, next).await
}

async fn pass(service: &Service, least: Role, request: Request, next: Next) -> Response {
    match service
        .auth
        .check(request.method(), request.headers(), least)
    {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

/// Whether a browser says that another site's page asks.
fn from_elsewhere(headers: &HeaderMap, host: &str) -> bool {
    let text =
        |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(origin) = text(header::ORIGIN) {
        let same = origin
            .split_once("://")
            .is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host));
        return !same;
    }
    let site = text(header::HeaderName::from_static("sec-fetch-site"));
    site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

fn tokens(text: &str) -> anyhow::Result<Vec<([u8; 32], Role)>> {
    let mut tokens = Vec::new();
    let lines = (1..).zip(text.lines().map(str::trim));
    for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        // Never the line itself: it is a secret.
        let Some((role, token)) = line.split_once(char::is_whitespace) else {
            bail!("line {number} is not `ask TOKEN` or `review TOKEN`");
        };
        let role = match role {
            "ask" => Role::Ask,
            "review" => Role::Review,
            _ => bail!("line {number} begins with neither `ask` nor `review`"),
        };
        let token = token.trim();
        ensure!(
            token.len() >= 16,
            "the token in line {number} has fewer than 16 characters"
        );
        tokens.push((Sha256::digest(token).into(), role));
    }
    ensure!(!tokens.is_empty(), "no token in it");
    Ok(tokens)
}
