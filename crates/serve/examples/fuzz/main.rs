//! Bodies that no client would send, by the million, through everything that stands between a body and its answer.
//!
//! `cargo run --release -p serve --example fuzz -- --count 10000000`. Each body is a valid one with random changes:
//! JSON, the binary extension, forms, pictures, single images, answers of reviewers, some of them compressed, and
//! now and then one of nearly all the bytes that a body may have. It fails on a panic, on an answer that says the
//! server failed, on an error that isn't JSON, on more than 512 MB, and if time is over before the count is
//! reached and no time was given; the body and its head are then in a file. The same seed, the same bodies, but
//! for the ids and leases that the queue gave.

mod cases;

use std::{
    collections::VecDeque,
    convert::Infallible,
    path::PathBuf,
    pin::Pin,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody, to_bytes},
    http::Request,
};
use clap::Parser;
use hyper::body::Frame;
use serde_json::Value;
use serve::{args::Args, http, service::Service};
use tower::ServiceExt as _;

use crate::cases::{Case, Known, Random, Seeds};

/// The most memory that may be needed, in bytes.
const MOST_MEMORY: u64 = 512_000_000;
/// Seconds that it takes at most if no other number is given.
const MOST_SECONDS: u64 = 3600;

#[derive(Parser)]
struct Options {
    /// Bodies
    #[arg(long, default_value_t = 10_000_000)]
    count: usize,
    /// Seconds after which it is enough, whatever was done [default: fail if the count takes more than 3600]
    #[arg(long)]
    seconds: Option<u64>,
    /// Seed of all random choices
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Checkpoint folder
    #[arg(long, default_value = "artifacts/pretrained")]
    checkpoint: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(said) => {
            println!("fuzz: seed {}: {said}", options.seed);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            println!("fuzz: seed {}: FAILED: {problem}", options.seed);
            ExitCode::FAILURE
        }
    }
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What all tasks share.
struct Shared {
    router: Router,
    seeds: Seeds,
    known: Mutex<Known>,
    next: AtomicUsize,
    over: AtomicBool,
    /// Answers by the hundred of their status.
    statuses: [AtomicUsize; 6],
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

fn run(options: &Options) -> Result<String, Failed> {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        usual(panic);
    }));
    let folder = tempfile::tempdir()?;
    let checkpoint = format!("model={}", options.checkpoint.display());
    let database = folder.path().join("reviews.sqlite").display().to_string();
    let args = Args::parse_from(["serve", &checkpoint, "--database", &database]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let began = Instant::now();
    let ends = began + Duration::from_secs(options.seconds.unwrap_or(MOST_SECONDS));
    let (shared, count) = runtime.block_on(async {
        let service = Arc::new(Service::start(args).await?);
        let seeds = Seeds::new()?;
        // A picture of 81 megapixels was drawn: from here on the peak is the server's.
        if cfg!(target_os = "linux") {
            std::fs::write("/proc/self/clear_refs", "5")?;
        }
        let shared = Arc::new(Shared {
            router: http::router(service),
            seeds,
            known: Mutex::default(),
            next: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            statuses: Default::default(),
        });
        let (count, seed) = (options.count, options.seed);
        let tasks: Vec<_> = (0..8)
            .map(|_| tokio::spawn(work(Arc::clone(&shared), count, seed, ends)))
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok::<_, Failed>((shared, count))
    })?;
    let memory = most_memory().unwrap_or(0);
    let statuses = shared
        .statuses
        .each_ref()
        .map(|count| count.load(Ordering::Relaxed));
    let done: usize = statuses.iter().sum();
    let panics = PANICS.load(Ordering::Relaxed);
    if panics > 0 {
        return Err(format!("{panics} panics").into());
    }
    if memory > MOST_MEMORY {
        return Err(format!("{} MB of memory", memory / 1_000_000).into());
    }
    if done < count && options.seconds.is_none() {
        let problem =
            format!("{done} of {count} bodies in {MOST_SECONDS} s, all of them answered well");
        return Err(problem.into());
    }
    Ok(format!(
        "{done} of {count} bodies, {} answered, {} refused as wrong, {} told to come back; 0 panics, {} MB at most, {} s",
        statuses[2],
        statuses[4],
        statuses[5],
        memory / 1_000_000,
        began.elapsed().as_secs()
    ))
}

async fn work(shared: Arc<Shared>, count: usize, seed: u64, ends: Instant) -> Result<(), Failed> {
    loop {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= count || shared.over.load(Ordering::Relaxed) || Instant::now() > ends {
            return Ok(());
        }
        let mut random = Random(seed ^ (number as u64).wrapping_mul(0xd134_2543_de82_ef95));
        let case = {
            let known = shared.known.lock().unwrap_or_else(PoisonError::into_inner);
            let known = known.clone();
            shared.seeds.case(&known, &mut random)?
        };
        if let Err(problem) = ask(&shared, &case).await {
            shared.over.store(true, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("fuzz-{seed}-{number}"));
            std::fs::write(&path, case.body.concat())?;
            let (uri, lines) = (case.uri, case.lines);
            let path = path.display();
            return Err(
                format!("body {number} to {uri} with {lines:?}: {problem}; see {path}").into(),
            );
        }
    }
}

async fn ask(shared: &Shared, case: &Case) -> Result<(), Failed> {
    let length: usize = case.body.iter().map(Bytes::len).sum();
    let mut request = Request::post(&case.uri)
        .header("host", "127.0.0.1")
        .header("content-length", length);
    for (name, value) in &case.lines {
        request = request.header(*name, value);
    }
    let request = request.body(Body::new(Pieces(case.body.clone().into())))?;
    let panics = PANICS.load(Ordering::Relaxed);
    let response = shared.router.clone().oneshot(request).await?;
    let status = response.status().as_u16();
    shared.statuses[usize::from(status / 100).min(5)].fetch_add(1, Ordering::Relaxed);
    let body = to_bytes(response.into_body(), 1 << 24).await?;
    if PANICS.load(Ordering::Relaxed) > panics {
        return Err("a panic".into());
    }
    if status >= 500 && status != 503 {
        return Err(format!("status {status}").into());
    }
    if status < 400 {
        if let Ok(said) = serde_json::from_slice(&body) {
            let mut known = shared.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.learn(&said);
        }
    } else {
        let said: Value = serde_json::from_slice(&body)?;
        let line = said["error"]
            .as_str()
            .ok_or("an error without a sentence")?;
        if line.is_empty() || line.contains('\n') {
            return Err(format!("an error that is no line: {line:?}").into());
        }
    }
    Ok(())
}

/// A body that arrives piece by piece.
struct Pieces(VecDeque<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// The most memory since it was forgotten, in bytes.
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(1024 * kilobytes)
}
