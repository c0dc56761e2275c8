//! What all requests share.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use model::Backend;
use pictures::Budget;
use queue::{Address, Options, Queue};
use tokio::sync::{Notify, Semaphore, broadcast};
use tracing::{error, info, warn};

use crate::{
    admission::Admission,
    args::Args,
    auth::Auth,
    callbacks::Callbacks,
    drift::Decided,
    engine::{Batching, Engine},
    gate::{self, Gate},
    metrics::Metrics,
    models::{Computing, Loaded, Models},
    second::Unseen,
    watch::Watch,
    workers::Workers,
};

/// How often a look is taken whether a model's folder was replaced.
const LOOK: Duration = Duration::from_secs(1);
/// How often old pictures are deleted.
const SWEEP: Duration = Duration::from_secs(60 * 60);

/// Answers that those who wait for one may be behind; who is further behind asks the database.
const ANSWERS: usize = 64;

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
    /// Who may be called back.
    pub callbacks: Callbacks,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Memory for pictures that are decoded.
    pub budget: Budget,
    /// Decode them.
    pub workers: Workers,
    /// Archives of answers that may be made at a time.
    pub archives: Semaphore,
    /// What waits for people.
    pub queue: Queue,
    /// First pictures in which nothing was seen.
    pub unseen: Unseen,
    /// Items that somebody answered here.
    pub answered: broadcast::Sender<String>,
    /// The server ends: whoever waits for a person is told how it stands.
    pub ending: Notify,
    /// How it fares.
    pub watch: Watch,
    /// What the models decide.
    pub decisions: Decided,
    /// Since when.
    pub began: Instant,
    over: AtomicBool,
}

impl Service {
    /// Loads the models and starts what works beside the requests. Within a runtime.
    ///
    /// # Errors
    /// If a model or the token file can't be read, or the backend isn't there.
    pub async fn start(args: Args) -> anyhow::Result<Self> {
        // First what fails without a trace.
        let auth = Auth::new(&args)?;
        let asked = args.backend.clone();
        let backend = match asked.or_else(|| std::env::var("DIGITS_BACKEND").ok()) {
            Some(name) => name.parse()?,
            None => Backend::default(),
        };
        let computing = Computing {
            device: backend.device()?,
            precision: args.precision,
        };
        let mut models = Models::load(&args.models, computing)?;
        let tests = gate::tests(&args.test_data, &models)?;
        let metrics = Arc::new(Metrics::new()?);
        let batching = Batching {
            images: args.max_batch,
            wait: args.wait(),
        };
        let queue = open(&args).await?;
        let gate = Gate::new(&args, tests, queue.clone())?;
        admit(&mut models, &gate).await?;
        let models = Arc::new(models);
        let workers = Workers::start(args.worker_threads())
            .context("can't start threads to decode pictures on")?;
        let service = Service {
            engine: Engine::start(batching, Arc::clone(&metrics))
                .context("can't start threads to compute on")?,
            admission: Admission::new(
                args.queue_bytes(),
                args.body_bytes(),
                args.body_time(),
                workers.clone(),
            ),
            auth,
            callbacks: Callbacks::new(&args.callback_hosts)?,
            budget: Budget::new(),
            archives: Semaphore::new(1),
            workers,
            queue,
            unseen: Unseen::default(),
            answered: broadcast::Sender::new(ANSWERS),
            ending: Notify::new(),
            watch: Watch::default(),
            decisions: Decided::default(),
            began: Instant::now(),
            over: AtomicBool::new(false),
            models,
            metrics,
        };
        watch(Arc::clone(&service.models), gate)?;
        Ok(service)
    }

    /// Counts what became of images of a model.
    pub fn decided(&self, name: &str, model: &Loaded, accepted: u64, deferred: u64) {
        self.metrics.decided(name, accepted, deferred);
        // What another just took the place of has no hour any more.
        let current = self.models.get(Some(name));
        if current.is_some_and(|(_, slot)| slot.current().version == model.version) {
            self.decisions.images(name, model, accepted, deferred);
        }
    }

    /// Counts what became of a picture that was judged together with a first one. It is no image as any other:
    /// second pictures are taken of what is hard, and would look like a drift.
    pub fn decided_together(&self, model: &str, accepted: bool) {
        self.metrics.decided_together(model, accepted);
    }

    /// From now on nobody waits for a person.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.ending.notify_waiters();
    }

    /// Whether the server ends.
    pub fn is_ending(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Withdraws the models that were refused before; the others are served, if there are any.
async fn admit(models: &mut Models, gate: &Gate) -> anyhow::Result<()> {
    let mut refused = Vec::new();
    for (name, slot) in models.iter() {
        if let Some(why) = gate.start(name, &slot.current()).await? {
            refused.push((name.to_owned(), why));
        }
    }
    for (name, why) in &refused {
        models.withdraw(name);
        if models.iter().next().is_none() {
            bail!("{why}");
        }
        error!("not in service: {}", why.replace(char::is_control, " "));
    }
    Ok(())
}

/// The queue, and who deletes from it what needn't be kept any longer.
async fn open(args: &Args) -> anyhow::Result<Queue> {
    let options = Options {
        second_opinion: args.second_opinion,
        ..Options::default()
    };
    let address: Address = args.database.parse()?;
    let folder = address.file().and_then(Path::parent);
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("can't create {}", folder.display()))?;
    }
    let queue = Queue::open(&args.database, options).await?;
    let (sweeping, days) = (queue.clone(), args.keep_days);
    tokio::spawn(async move {
        loop {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = now.map_or(0, |now| now.as_millis() as i64);
            match sweeping.sweep(now, days).await {
                Ok(0) => {}
                Ok(pictures) => info!(pictures, "deleted, as they were answered long enough ago"),
                Err(error) => warn!(%error, "can't delete what was answered long ago"),
            }
            tokio::time::sleep(SWEEP).await;
        }
    });
    Ok(queue)
}

/// Looks for new models every second, and on SIGHUP at once.
fn watch(models: Arc<Models>, gate: Gate) -> anyhow::Result<()> {
    let mut hangup = hangup().context("can't listen to signals")?;
    let gate = Arc::new(gate);
    tokio::spawn(async move {
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                () = hangup.wait() => true,
            };
            let (models, gate) = (Arc::clone(&models), Arc::clone(&gate));
            // Reading, checking and comparing models takes time that requests shouldn't wait for.
            let _ = tokio::task::spawn_blocking(move || models.refresh(&gate, asked)).await;
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
