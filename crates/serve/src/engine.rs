//! The thread that computes. Requests that are there at the same time are computed together, and a request
//! that others are following closely waits for them a moment.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};

use model::{Answer, Output};
use tokio::sync::oneshot;
use tracing::error;

use crate::{
    failure::Failure,
    metrics::Metrics,
    models::{Loaded, Slot},
};

/// Requests that may wait. Their bytes are bounded by what is admitted; this bounds those of no bytes.
const WAITING: usize = 4096;

/// What a model said of the images of one request.
#[derive(Debug)]
pub struct Told {
    /// The model: the same for all of them.
    pub model: Arc<Loaded>,
    /// What the networks made of each image, and what follows from it.
    pub answers: Vec<(Output, Answer)>,
}

struct Job {
    slot: Arc<Slot>,
    /// `[images, channels, height, width]`
    images: Vec<u8>,
    reply: oneshot::Sender<Told>,
}

/// How much is computed together.
#[derive(Clone, Copy, Debug)]
pub struct Batching {
    /// Images at most, but for a request of more.
    pub images: usize,
    /// How long a request waits for others that are on their way.
    pub wait: Duration,
}

/// The way to the thread that computes.
#[derive(Clone, Debug)]
pub struct Engine {
    jobs: SyncSender<Job>,
    /// Requests that are here as a whole and not yet answered.
    inside: Arc<AtomicUsize>,
    alive: Arc<AtomicBool>,
}

/// Counts a request as on its way, until it is dropped.
#[derive(Debug)]
pub struct Underway(Arc<AtomicUsize>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Engine {
    /// Starts the thread: one of rayon's, on which a parallel section begins and ends without waking another.
    pub fn start(batching: Batching, metrics: Arc<Metrics>) -> Self {
        let (jobs, waiting) = sync_channel(WAITING);
        let engine = Engine {
            jobs,
            inside: Arc::default(),
            alive: Arc::new(AtomicBool::new(true)),
        };
        let (inside, alive) = (Arc::clone(&engine.inside), Arc::clone(&engine.alive));
        rayon::spawn(move || {
            let bench = Bench {
                waiting,
                batching,
                inside,
                metrics,
            };
            // Whatever happens to a batch, the next one is computed.
            while catch_unwind(AssertUnwindSafe(|| bench.work())).is_err() {
                error!("computing a batch failed; its requests are refused");
            }
            alive.store(false, Ordering::Relaxed);
        });
        engine
    }

    /// Whether it computes.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// Counts a request, whose body is here, as on its way to [`Self::ask`].
    pub fn underway(&self) -> Underway {
        self.inside.fetch_add(1, Ordering::Relaxed);
        Underway(Arc::clone(&self.inside))
    }

    /// What the model in a slot says of `images`, `[images, channels, height, width]`.
    ///
    /// # Errors
    /// 503 if too much is waiting, 500 if computing failed.
    pub async fn ask(&self, slot: &Arc<Slot>, images: Vec<u8>) -> Result<Told, Failure> {
        let (reply, answer) = oneshot::channel();
        let slot = Arc::clone(slot);
        match self.jobs.try_send(Job {
            slot,
            images,
            reply,
        }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(Failure::busy()),
            Err(TrySendError::Disconnected(_)) => return Err(Failure::internal(LOST)),
        }
        answer.await.map_err(|_| Failure::internal(LOST))
    }
}

const LOST: &str = "computing the answer failed; the server's log says more";

struct Bench {
    waiting: Receiver<Job>,
    batching: Batching,
    inside: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Bench {
    fn work(&self) {
        while let Ok(first) = self.waiting.recv() {
            let mut jobs = self.gather(first);
            while let Some(first) = jobs.first() {
                let slot = Arc::clone(&first.slot);
                let (same, others) = jobs
                    .into_iter()
                    .partition(|job| Arc::ptr_eq(&job.slot, &slot));
                jobs = others;
                self.compute(&slot, same);
            }
        }
    }

    /// The requests that are computed together with the first.
    fn gather(&self, first: Job) -> Vec<Job> {
        let size = |job: &Job| job.images.len() / job.slot.current().classifier.shape().len();
        let mut images = size(&first);
        let mut jobs = vec![first];
        let until = Instant::now() + self.batching.wait;
        while images < self.batching.images {
            let next = match self.waiting.try_recv() {
                Ok(job) => Ok(job),
                // Nobody else is on the way.
                Err(_) if self.inside.load(Ordering::Relaxed) <= jobs.len() => break,
                Err(_) => self
                    .waiting
                    .recv_timeout(until.saturating_duration_since(Instant::now())),
            };
            match next {
                Ok(job) => {
                    images += size(&job);
                    jobs.push(job);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        jobs
    }

    fn compute(&self, slot: &Slot, mut jobs: Vec<Job>) {
        // Whoever left needs no answer.
        jobs.retain(|job| !job.reply.is_closed());
        let model = slot.current();
        let length = model.classifier.shape().len();
        let images: Vec<u8> = jobs.iter().flat_map(|job| &job.images).copied().collect();
        self.metrics.batch(images.len() / length);
        // Bytes were counted on the way in, by the same shape: a slot never changes it.
        let Ok(outputs) = model.classifier.outputs(&images) else {
            return;
        };
        let mut outputs = outputs.into_iter();
        for job in jobs {
            let answers = job
                .images
                .chunks_exact(length)
                .zip(&mut outputs)
                .map(|(image, output)| {
                    let answer = model.classifier.decide(image, &output);
                    (output, answer)
                })
                .collect();
            // Whoever left meanwhile needs no answer.
            let _ = job.reply.send(Told {
                model: Arc::clone(&model),
                answers,
            });
        }
    }
}
