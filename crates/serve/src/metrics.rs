//! What is counted, as Prometheus reads it.

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use queue::Counts;

/// The counters of a server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    batches: Histogram,
    images: IntCounterVec,
    pairs: IntCounterVec,
    in_flight: IntGauge,
    refused: IntCounter,
    callbacks: IntCounterVec,
    queue: IntGaugeVec,
    queue_reachable: IntGauge,
}

impl Metrics {
    /// # Errors
    /// Never but by a fault of the program: two counters of one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("serve_requests_total", "Requests by route and status."),
            &["route", "status"],
        )?;
        let buckets = vec![
            0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0,
        ];
        let options = HistogramOpts::new(
            "serve_request_seconds",
            "From the head of a request to its answer.",
        );
        let seconds = HistogramVec::new(options.buckets(buckets), &["route"])?;
        let options = HistogramOpts::new("serve_batch_images", "Images computed together.");
        let buckets = vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];
        let batches = Histogram::with_opts(options.buckets(buckets))?;
        let images = IntCounterVec::new(
            Opts::new(
                "serve_images_total",
                "Images by model and what became of them.",
            ),
            &["model", "decision"],
        )?;
        let pairs = IntCounterVec::new(
            Opts::new(
                "serve_pairs_total",
                "Second pictures that were judged together with the first, by model and what became of them.",
            ),
            &["model", "decision"],
        )?;
        registry.register(Box::new(pairs.clone()))?;
        let in_flight = IntGauge::new("serve_requests_in_flight", "Requests being answered.")?;
        let refused = IntCounter::new(
            "serve_refused_total",
            "Requests that were told to come back later.",
        )?;
        let callbacks = IntCounterVec::new(
            Opts::new("serve_callbacks_total", "Callbacks by how they went."),
            &["result"],
        )?;
        let queue = IntGaugeVec::new(
            Opts::new("serve_queue_items", "Items of the review queue by state."),
            &["state"],
        )?;
        let queue_reachable = IntGauge::new(
            "serve_queue_reachable",
            "Whether the review queue could be counted; if not, what it held before is told.",
        )?;
        registry.register(Box::new(queue.clone()))?;
        registry.register(Box::new(queue_reachable.clone()))?;
        registry.register(Box::new(callbacks.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(batches.clone()))?;
        registry.register(Box::new(images.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        Ok(Metrics {
            registry,
            requests,
            seconds,
            batches,
            images,
            pairs,
            in_flight,
            refused,
            callbacks,
            queue,
            queue_reachable,
        })
    }

    /// A request came in; it is in flight until what this returns is dropped, also if its client leaves.
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// A request was answered. `route` is a pattern, never what a client wrote; `refused` says that there was no
    /// room for it.
    pub fn end(&self, route: &str, status: u16, refused: bool, seconds: f64) {
        let mut buffer = [0; 3];
        let status = digits(status, &mut buffer);
        self.requests.with_label_values(&[route, status]).inc();
        self.seconds.with_label_values(&[route]).observe(seconds);
        if refused {
            self.refused.inc();
        }
    }

    /// So many images were computed together.
    pub fn batch(&self, images: usize) {
        self.batches.observe(images as f64);
    }

    /// What became of images of a model: accepted, or left to a person.
    pub fn decided(&self, model: &str, accepted: u64, deferred: u64) {
        let count = |decision| self.images.with_label_values(&[model, decision]);
        count("accepted").inc_by(accepted);
        count("deferred").inc_by(deferred);
    }

    /// Somebody was called back, or it failed.
    pub fn called(&self, done: bool) {
        let result = if done { "done" } else { "failed" };
        self.callbacks.with_label_values(&[result]).inc();
    }

    /// What became of a second picture of a model: accepted, or left to a person.
    pub fn decided_together(&self, model: &str, accepted: bool) {
        let decision = if accepted { "accepted" } else { "deferred" };
        self.pairs.with_label_values(&[model, decision]).inc();
    }

    /// How many items the review queue holds, if it could be counted.
    pub fn queue(&self, counts: Option<Counts>) {
        self.queue_reachable.set(counts.is_some().into());
        let Some(counts) = counts else { return };
        for (state, items) in [
            ("open", counts.open),
            ("leased", counts.leased),
            ("done", counts.done),
            ("disputed", counts.disputed),
        ] {
            let items = i64::try_from(items).unwrap_or(i64::MAX);
            self.queue.with_label_values(&[state]).set(items);
        }
    }

    /// All of it, in Prometheus' text format.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory doesn't fail.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

/// A request in flight.
#[derive(Debug)]
pub struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Three digits, without an allocation.
fn digits(status: u16, buffer: &mut [u8; 3]) -> &str {
    *buffer = [status / 100, status / 10 % 10, status % 10].map(|digit| b'0' + (digit % 10) as u8);
    std::str::from_utf8(buffer).unwrap_or("000")
}
