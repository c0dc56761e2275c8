//! How the server fares, for people and for Prometheus.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::header,
    response::IntoResponse,
};
use queue::{Counts, Queue};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time;

use crate::{failure::Failure, json::Json, reviews::failed, service::Service};

/// Times of requests that are remembered.
const TIMES: usize = 2048;
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

/// Which model's decisions are asked for; without, the first's.
#[derive(Debug, Deserialize)]
pub struct Which {
    model: Option<String>,
}

#[derive(Debug, Default)]
struct Seen {
    times: VecDeque<f64>,
    requests: [u64; 3],
}

impl Watch {
    /// A request was answered with `status`, or refused for want of room; after so many seconds, if it asked
    /// what a model says.
    pub fn request(&self, status: u16, refused: bool, seconds: Option<f64>) {
        let mut seen = self.lock();
        let kind = match status {
            _ if refused => 2,
            400.. => 1,
            _ => 0,
        };
        seen.requests[kind] += 1;
        let Some(seconds) = seconds else { return };
        if seen.times.len() == TIMES {
            seen.times.pop_front();
        }
        seen.times.push_back(seconds);
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

/// `GET /metrics`
pub async fn metrics(State(service): State<Arc<Service>>) -> impl IntoResponse {
    service
        .metrics
        .queue(service.watch.counts(&service.queue).await);
    // Without a fault of the program it is always there.
    let drift = service.decisions.text(&service.models).unwrap_or_default();
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let text = service.metrics.text() + &drift;
    ([(header::CONTENT_TYPE, kind)], text)
}

/// `GET /api/status`
///
/// # Errors
/// 404 if there is no such model, 503 if the queue can't be reached.
pub async fn status(
    State(service): State<Arc<Service>>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json, Failure> {
    let Query(Which { model }) = which.map_err(|rejection| Failure::bad(rejection.body_text()))?;
    let mut all = service.models.iter();
    let found = match &model {
        Some(name) => service.models.get(Some(name)),
        // The first of the command line may have been refused.
        None => service.models.get(None).or_else(|| all.next()),
    };
    let (name, slot) =
        found.ok_or_else(|| Failure::not_found("no model of that name is in service"))?;
    let counts = service
        .queue
        .counts()
        .await
        .map_err(|error| failed(&error))?;
    let agreement = service.queue.agreement().await;
    let agreement = agreement.map_err(|error| failed(&error))?;
    let model = slot.current();
    let record = service.decisions.record(name, &model);
    let drift = record.drift(&model);
    let seen = service.watch.lock();
    let mut times: Vec<f64> = seen.times.iter().copied().collect();
    times.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let at = (share * times.len() as f64) as usize;
        times
            .get(at.min(times.len().saturating_sub(1)))
            .map(|seconds| 1000.0 * seconds)
    };
    let history: Value = record
        .minutes
        .iter()
        .map(|minute| {
            json!({
                "at": 60_000 * minute.at, "images": minute.images, "deferred": minute.deferred,
            })
        })
        .collect();
    let share = (record.images > 0).then(|| record.deferred as f64 / record.images as f64);
    Ok(Json(json!({
        "model": name,
        "version": model.version,
        "replacement": slot.last(),
        "uptime_s": service.began.elapsed().as_secs(),
        "requests": { "ok": seen.requests[0], "error": seen.requests[1], "refused": seen.requests[2] },
        "latency_ms": { "p50": quantile(0.5), "p99": quantile(0.99) },
        "images": record.images,
        "accepted": record.images - record.deferred,
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
