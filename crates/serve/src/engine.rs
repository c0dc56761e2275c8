//! The threads that compute, one for each core. Requests that are there at the same time are computed together,
//! and a large one in pieces, on as many cores as are free.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use model::{Answer, Output};
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::sync::oneshot;
use tracing::error;

use crate::{
    failure::Failure,
    metrics::Metrics,
    models::{Loaded, Slot},
};

/// Pieces that may wait. Their bytes are bounded by what is admitted; this bounds those of no bytes.
const WAITING: usize = 4096;
/// Images of a piece: enough that a core computes them at its best, few enough that the others get some.
const PIECE: usize = 64;

/// What a model said of the images of one request.
#[derive(Debug)]
pub struct Told {
    /// The model: the same for all of them.
    pub model: Arc<Loaded>,
    /// What the networks made of each image, and what follows from it.
    pub answers: Vec<(Output, Answer)>,
}

struct Job {
    /// Settled when the request comes in, so that all of its pieces have the same.
    model: Arc<Loaded>,
    /// `[images, channels, height, width]`
    images: Vec<u8>,
    reply: oneshot::Sender<Vec<(Output, Answer)>>,
}

/// How much is computed together.
#[derive(Clone, Copy, Debug)]
pub struct Batching {
    /// Images at most.
    pub images: usize,
    /// How long a request waits for others that are on their way.
    pub wait: Duration,
}

/// The way to the threads that compute.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    /// A pool of one thread for each: parallel sections of the kernels stay on the core that began them.
    _lanes: Arc<Vec<ThreadPool>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// Requests that are here as a whole and not yet in the queue.
    on_the_way: AtomicUsize,
    /// Threads that compute.
    alive: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Threads that wait for jobs.
    idle: usize,
}

/// Counts a request as on its way, until it is dropped.
#[derive(Debug)]
pub struct Underway(Arc<Shared>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.on_the_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start(batching: Batching, metrics: Arc<Metrics>) -> Result<Self, ThreadPoolBuildError> {
        let shared = Arc::new(Shared::default());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let lanes = (0..cores).map(|core| {
            let pool = ThreadPoolBuilder::new()
                .num_threads(1)
                .thread_name(move |_| format!("compute-{core}"))
                .build()?;
            let lane = Lane {
                shared: Arc::clone(&shared),
                batching,
                metrics: Arc::clone(&metrics),
            };
            shared.alive.fetch_add(1, Ordering::Relaxed);
            pool.spawn(move || lane.work());
            Ok(pool)
        });
        Ok(Engine {
            _lanes: Arc::new(lanes.collect::<Result<_, _>>()?),
            shared: Arc::clone(&shared),
        })
    }

    /// Whether it computes.
    pub fn is_alive(&self) -> bool {
        self.shared.alive.load(Ordering::Relaxed) > 0
    }

    /// Counts a request, whose body is here, as on its way to [`Self::ask`].
    pub fn underway(&self) -> Underway {
        self.shared.on_the_way.fetch_add(1, Ordering::Relaxed);
        Underway(Arc::clone(&self.shared))
    }

    /// What the model in a slot says of `images`, `[images, channels, height, width]`.
    ///
    /// # Errors
    /// 503 if too much is waiting, 500 if computing failed.
    pub async fn ask(
        &self,
        slot: &Slot,
        images: Vec<u8>,
        underway: Underway,
    ) -> Result<Told, Failure> {
        let model = slot.current();
        let most = PIECE * model.classifier.shape().len();
        if images.len() <= most {
            let answer = self.push(&model, images)?;
            drop(underway);
            let answers = answer.await.map_err(|_| Failure::internal(LOST))?;
            return Ok(Told { model, answers });
        }
        let pieces = images.chunks(most);
        let pieces: Vec<_> = pieces
            .map(|piece| self.push(&model, piece.to_vec()))
            .collect::<Result<_, _>>()?;
        drop((images, underway));
        let mut answers = Vec::new();
        for piece in pieces {
            answers.append(&mut piece.await.map_err(|_| Failure::internal(LOST))?);
        }
        Ok(Told { model, answers })
    }

    fn push(
        &self,
        model: &Arc<Loaded>,
        images: Vec<u8>,
    ) -> Result<oneshot::Receiver<Vec<(Output, Answer)>>, Failure> {
        let (reply, answer) = oneshot::channel();
        let mut queue = self.shared.queue();
        if queue.jobs.len() >= WAITING {
            return Err(Failure::busy());
        }
        queue.jobs.push_back(Job {
            model: Arc::clone(model),
            images,
            reply,
        });
        let idle = queue.idle > 0;
        drop(queue);
        if idle {
            self.shared.arrived.notify_one();
        }
        Ok(answer)
    }
}

const LOST: &str = "computing the answer failed; the server's log says more";

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the threads.
struct Lane {
    shared: Arc<Shared>,
    batching: Batching,
    metrics: Arc<Metrics>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lane {
    fn work(&self) {
        loop {
            let jobs = self.gather();
            // Whatever happens to a batch, the next one is computed.
            if catch_unwind(AssertUnwindSafe(|| self.compute(jobs))).is_err() {
                error!("computing a batch failed; its requests are refused");
            }
        }
    }

    /// The requests that are computed together: of one model, and those that are about to arrive, too.
    fn gather(&self) -> Vec<Job> {
        let mut queue = self.shared.queue();
        while queue.jobs.is_empty() {
            queue.idle += 1;
            let woken = self.shared.arrived.wait(queue);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
        let mut jobs = Vec::new();
        let mut images = 0;
        let mut until = None;
        loop {
            if self.take(&mut queue, &mut jobs, &mut images)
                || self.shared.on_the_way.load(Ordering::Relaxed) == 0
            {
                return jobs;
            }
            drop(queue);
            let now = Instant::now();
            if now >= *until.get_or_insert(now + self.batching.wait) {
                return jobs;
            }
            // Those on the way may need this core.
            std::thread::yield_now();
            queue = self.shared.queue();
        }
    }

    /// Moves jobs from the queue to a batch; whether no more have their place in it.
    fn take(&self, queue: &mut Queue, jobs: &mut Vec<Job>, images: &mut usize) -> bool {
        while let Some(next) = queue.jobs.front() {
            let size = next.images.len() / next.model.classifier.shape().len();
            let other = |first: &Job| !Arc::ptr_eq(&first.model, &next.model);
            if jobs.first().is_some_and(other)
                || (!jobs.is_empty() && *images + size > self.batching.images)
            {
                // Whoever put them there may have woken this thread only.
                self.shared.arrived.notify_one();
                return true;
            }
            *images += size;
            jobs.extend(queue.jobs.pop_front());
        }
        *images >= self.batching.images
    }

    fn compute(&self, mut jobs: Vec<Job>) {
        // Whoever left needs no answer.
        jobs.retain(|job| !job.reply.is_closed());
        let Some(first) = jobs.first() else {
            return;
        };
        let model = Arc::clone(&first.model);
        let length = model.classifier.shape().len();
        let together;
        let images = match &jobs[..] {
            [only] => &only.images,
            all => {
                together = all
                    .iter()
                    .map(|job| &job.images[..])
                    .collect::<Vec<_>>()
                    .concat();
                &together
            }
        };
        self.metrics.batch(images.len() / length);
        // Bytes were counted on the way in, by the same shape: a slot never changes it.
        let Ok(outputs) = model.classifier.outputs(images) else {
            return;
        };
        let mut outputs = outputs.into_iter();
        for job in jobs {
            let images = job.images.chunks_exact(length);
            let answers = images
                .zip(&mut outputs)
                .map(|(image, output)| {
                    let answer = model.classifier.decide(image, &output);
                    (output, answer)
                })
                .collect();
            // Whoever left meanwhile needs no answer.
            let _ = job.reply.send(answers);
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} jobs", self.jobs.len())
    }
}
