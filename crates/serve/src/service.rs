//! What all requests share.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use model::Backend;
use pictures::Budget;
use tokio::sync::Semaphore;

use crate::{
    admission::Admission,
    args::Args,
    auth::Auth,
    engine::{Batching, Engine},
    metrics::Metrics,
    models::Models,
};

/// How often a look is taken whether a model's folder was replaced.
const LOOK: Duration = Duration::from_secs(1);

/// The server, as its requests see it.
#[derive(Debug)]
pub struct Service {
    /// By name.
    pub models: Arc<Models>,
    /// Computes.
    pub engine: Engine,
    /// Lets in.
    pub admission: Admission,
    /// Knows who may.
    pub auth: Auth,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Memory for pictures that are decoded.
    pub budget: Budget,
    /// Threads for them.
    pub decoders: Semaphore,
    /// Since when.
    pub began: Instant,
}

impl Service {
    /// Loads the models and starts what works beside the requests. Within a runtime.
    ///
    /// # Errors
    /// If a model or the token file can't be read, or the backend isn't there.
    pub fn start(args: Args) -> anyhow::Result<Self> {
        let asked = args.backend.clone();
        let backend = match asked.or_else(|| std::env::var("DIGITS_BACKEND").ok()) {
            Some(name) => name.parse()?,
            None => Backend::default(),
        };
        let models = Arc::new(Models::load(&args.models, backend.device()?)?);
        let metrics = Arc::new(Metrics::new()?);
        let batching = Batching {
            images: args.max_batch,
            wait: args.wait(),
        };
        let service = Service {
            engine: Engine::start(batching, Arc::clone(&metrics)),
            admission: Admission::new(args.queue_bytes(), args.body_bytes(), args.body_time()),
            auth: Auth::new(&args)?,
            budget: Budget::new(),
            decoders: Semaphore::new(args.picture_threads().get()),
            began: Instant::now(),
            models,
            metrics,
        };
        watch(Arc::clone(&service.models))?;
        Ok(service)
    }
}

/// Looks for new models every second, and on SIGHUP at once.
fn watch(models: Arc<Models>) -> anyhow::Result<()> {
    let mut hangup = hangup().context("can't listen to signals")?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = hangup.wait() => {}
            }
            let models = Arc::clone(&models);
            // Reading and checking a model takes time that requests shouldn't wait for.
            let _ = tokio::task::spawn_blocking(move || models.refresh()).await;
        }
    });
    Ok(())
}

/// Ends on SIGTERM and Ctrl-C.
pub async fn ended() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let terminated = async {
            match signal(SignalKind::terminate()) {
                Ok(mut signal) => drop(signal.recv().await),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = interrupted => {}
            () = terminated => {}
        }
    }
    #[cfg(not(unix))]
    interrupted.await;
}

#[cfg(unix)]
struct Hangup(tokio::signal::unix::Signal);

#[cfg(unix)]
fn hangup() -> std::io::Result<Hangup> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(Hangup)
}

#[cfg(unix)]
impl Hangup {
    async fn wait(&mut self) {
        self.0.recv().await;
    }
}

#[cfg(not(unix))]
struct Hangup;

#[cfg(not(unix))]
fn hangup() -> std::io::Result<Hangup> {
    Ok(Hangup)
}

#[cfg(not(unix))]
impl Hangup {
    async fn wait(&mut self) {
        std::future::pending().await
    }
}
