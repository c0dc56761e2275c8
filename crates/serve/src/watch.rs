//! How the server fares: the last hour by the minute, and whether more is left to people than validation
//! promised.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{extract::State, http::header, response::IntoResponse};
use queue::{Counts, Queue};
use serde_json::{Value, json};
use tokio::time;

use crate::{failure::Failure, json::Json, models::Loaded, reviews::failed, service::Service};

/// Minutes that are remembered.
const MINUTES: u64 = 60;
/// Times of requests that are remembered.
const TIMES: usize = 2048;
/// Standard errors by which the share of deferred images has to differ from what was promised, to be called
/// a drift: by chance alone it does in one look of 16,000.
const SIGNIFICANT: f64 = 4.0;

/// How long the counts of the queue are taken for its counts: counting looks at every item.
const COUNTED: Duration = Duration::from_secs(5);
/// How long counting them may keep Prometheus waiting.
const COUNTING: Duration = Duration::from_secs(2);

/// What is remembered.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Mutex<Seen>,
    /// What was in the queue, and when.
    counts: tokio::sync::Mutex<Option<(Instant, Option<Counts>)>>,
}

/// The share of images that was left to people in the last hour, beside the one that validation promised.
#[derive(Debug)]
pub struct Drift {
    /// None without images.
    pub now: Option<f64>,
    /// None if nothing was promised.
    pub promised: Option<f64>,
    /// Whether they differ by more than chance.
    pub significant: bool,
}

#[derive(Debug, Default)]
struct Seen {
    minutes: VecDeque<Minute>,
    times: VecDeque<f64>,
    requests: [u64; 3],
    images: u64,
    deferred: u64,
}

#[derive(Clone, Copy, Debug)]
struct Minute {
    /// Since 1970.
    at: u64,
    images: u64,
    deferred: u64,
}

impl Watch {
    /// A request was answered with `status` after so many seconds.
    pub fn request(&self, status: u16, seconds: f64) {
        let mut seen = self.lock();
        let kind = match status {
            503 => 2,
            400.. => 1,
            _ => 0,
        };
        seen.requests[kind] += 1;
        if seen.times.len() == TIMES {
            seen.times.pop_front();
        }
        seen.times.push_back(seconds);
    }

    /// Images were decided on.
    pub fn images(&self, accepted: u64, deferred: u64) {
        let at = minute();
        let mut seen = self.seen();
        let images = accepted + deferred;
        seen.images += images;
        seen.deferred += deferred;
        match seen.minutes.back_mut().filter(|minute| minute.at == at) {
            Some(minute) => {
                minute.images += images;
                minute.deferred += deferred;
            }
            None => seen.minutes.push_back(Minute {
                at,
                images,
                deferred,
            }),
        }
    }

    /// What was seen, of which the last hour is by the minute.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        let mut seen = self.lock();
        seen.pass(minute());
        seen
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in the queue, or was a few seconds ago; none if it can't be reached.
    async fn counts(&self, queue: &Queue) -> Option<Counts> {
        let mut counts = self.counts.lock().await;
        if let Some((at, counts)) = *counts
            && at.elapsed() < COUNTED
        {
            return counts;
        }
        let counted = time::timeout(COUNTING, queue.counts()).await;
        let counted = counted.ok().and_then(Result::ok);
        *counts = Some((Instant::now(), counted));
        counted
    }
}

impl Seen {
    /// Forgets what is longer ago than an hour.
    fn pass(&mut self, minute: u64) {
        let minutes = &mut self.minutes;
        while minutes
            .front()
            .is_some_and(|first| first.at + MINUTES <= minute)
        {
            minutes.pop_front();
        }
    }

    fn drift(&self, promised: Option<f64>) -> Drift {
        let sum = |of: fn(&Minute) -> u64| self.minutes.iter().map(of).sum::<u64>() as f64;
        let (n, deferred) = (sum(|minute| minute.images), sum(|minute| minute.deferred));
        let now = (n > 0.0).then(|| deferred / n);
        let beyond = |(share, promised): (f64, f64)| {
            // At least one image's worth, so that a promise of none isn't broken by one.
            let error = (promised * (1.0 - promised) / n).sqrt().max(1.0 / n);
            (share - promised).abs() > SIGNIFICANT * error
        };
        Drift {
            now,
            promised,
            significant: now.zip(promised).is_some_and(beyond),
        }
    }
}

/// Minutes since 1970.
fn minute() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or(Duration::ZERO).as_secs() / 60
}

/// The share of its validation images that a model leaves to people, where its threshold was fitted on any.
fn promised(model: &Loaded) -> Option<f64> {
    let deferral = &model.classifier.calibration().deferral;
    (deferral.n > 0).then_some(1.0 - deferral.coverage)
}

/// `GET /metrics`
pub async fn metrics(State(service): State<Arc<Service>>) -> impl IntoResponse {
    service
        .metrics
        .queue(service.watch.counts(&service.queue).await);
    if let Some((_, slot)) = service.models.get(None) {
        let promised = promised(&slot.current());
        service.metrics.drift(&service.watch.seen().drift(promised));
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], service.metrics.text())
}

/// `GET /api/status`
///
/// # Errors
/// 503 if the queue can't be reached.
pub async fn status(State(service): State<Arc<Service>>) -> Result<Json, Failure> {
    let counts = service
        .queue
        .counts()
        .await
        .map_err(|error| failed(&error))?;
    let agreement = service.queue.agreement().await;
    let agreement = agreement.map_err(|error| failed(&error))?;
    let first = service
        .models
        .get(None)
        .or_else(|| service.models.iter().next());
    let (name, slot) = first.ok_or_else(|| Failure::internal("no model is in service"))?;
    let model = slot.current();
    let seen = service.watch.seen();
    let drift = seen.drift(promised(&model));
    let mut times: Vec<f64> = seen.times.iter().copied().collect();
    times.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let at = (share * times.len() as f64) as usize;
        times
            .get(at.min(times.len().saturating_sub(1)))
            .map(|seconds| 1000.0 * seconds)
    };
    let history: Value = seen
        .minutes
        .iter()
        .map(|minute| {
            json!({
                "at": 60_000 * minute.at, "images": minute.images, "deferred": minute.deferred,
            })
        })
        .collect();
    let share = (seen.images > 0).then(|| seen.deferred as f64 / seen.images as f64);
    Ok(Json(json!({
        "model": name,
        "version": model.version,
        "replacement": slot.last(),
        "uptime_s": service.began.elapsed().as_secs(),
        "requests": { "ok": seen.requests[0], "error": seen.requests[1], "refused": seen.requests[2] },
        "latency_ms": { "p50": quantile(0.5), "p99": quantile(0.99) },
        "images": seen.images,
        "accepted": seen.images - seen.deferred,
        "deferred_share": share,
        "promised_share": drift.promised,
        "drift": {
            "now": drift.now, "expected": drift.promised.unwrap_or(0.0), "significant": drift.significant,
        },
        "history": history,
        "queue": {
            "open": counts.open, "leased": counts.leased, "done": counts.done, "disputed": counts.disputed,
        },
        "agreement": agreement.map(|agreement| json!({
            "pairs": agreement.pairs, "agreed": agreement.agreed, "kappa": agreement.kappa,
        })),
        "memory_mb": memory_mb(),
    })))
}

/// The memory of this process, where the system tells.
fn memory_mb() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024.0 / 1e6)
}
