//! How the server fares: the last hour by the minute, and whether more is left to people than validation
//! promised.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::extract::State;
use serde_json::{Value, json};

use crate::{failure::Failure, json::Json, reviews::failed, service::Service};

/// Minutes that are remembered.
const MINUTES: usize = 60;
/// Times of requests that are remembered.
const TIMES: usize = 2048;
/// Standard errors by which the share of deferred images has to differ from what was promised, to be called
/// a drift: by chance alone it does in one look of 16,000.
const SIGNIFICANT: f64 = 4.0;

/// What is remembered.
#[derive(Debug, Default)]
pub struct Watch(Mutex<Seen>);

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
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let at = now.unwrap_or(Duration::ZERO).as_secs() / 60;
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        while seen.minutes.len() > MINUTES {
            seen.minutes.pop_front();
        }
    }
}

/// The share of images deferred in the last hour beside the one that validation promised, and whether they
/// differ by more than chance.
fn drift(images: u64, deferred: u64, expected: f64) -> (Option<f64>, bool) {
    if images == 0 {
        return (None, false);
    }
    let (n, share) = (images as f64, deferred as f64 / images as f64);
    // At least one image's worth, so that a promise of none isn't broken by one.
    let error = (expected * (1.0 - expected) / n).sqrt().max(1.0 / n);
    (Some(share), (share - expected).abs() > SIGNIFICANT * error)
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
    let (name, slot) = service
        .models
        .get(None)
        .ok_or_else(|| Failure::internal("no model is in service"))?;
    let model = slot.current();
    let deferral = &model.classifier.calibration().deferral;
    let promised = (deferral.n > 0).then_some(1.0 - deferral.coverage);
    let seen = service
        .watch
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let (images, deferred) = seen
        .minutes
        .iter()
        .fold((0, 0), |(images, deferred), minute| {
            (images + minute.images, deferred + minute.deferred)
        });
    let expected = promised.unwrap_or(0.0);
    let (now, significant) = drift(images, deferred, expected);
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
        "promised_share": promised,
        "drift": { "now": now, "expected": expected, "significant": promised.is_some() && significant },
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
