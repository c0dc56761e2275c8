//! The threads that compute, one for each core. Requests that are there at the same time are computed together,
//! and a large one in pieces, on as many cores as are free.

mod lane;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use model::{Answer, Output};
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::sync::oneshot;

use crate::{
    admission::Room, engine::lane::Lane, failure::Failure, metrics::Metrics, models::Loaded,
};

/// Pieces that may wait. Their bytes are bounded by what is admitted; this bounds those of no bytes.
const WAITING: usize = 4096;
/// How long a request may have to wait, as far as can be told; beyond it, its client had better come back later.
const LONGEST_WAIT: f64 = 3.0;
/// Images of a piece: enough that a core computes them at its best, few enough that the others get some.
const PIECE: usize = 64;

/// What a model said of the images of one request.
#[derive(Debug)]
pub struct Told {
    /// The model: the same for all of them.
    pub model: Arc<Loaded>,
    /// What the networks made of each image, and what follows from it.
    pub answers: Answers,
}

struct Job {
    /// Settled when the request comes in, so that all of its pieces have the same.
    model: Arc<Loaded>,
    /// `[images, channels, height, width]`
    images: Vec<u8>,
    reply: oneshot::Sender<Answers>,
    /// Kept until they are computed, also if the client leaves.
    _room: Room,
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
    /// Images of the jobs.
    images: usize,
    /// Seconds that an image took of late, on one thread.
    pace: f64,
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

    /// What a model says of `images`, `[images, channels, height, width]`.
    ///
    /// # Errors
    /// 503 if it would wait too long, 500 if computing failed.
    pub async fn ask(
        &self,
        model: Arc<Loaded>,
        images: Vec<u8>,
        room: &Room,
        underway: Underway,
    ) -> Result<Told, Failure> {
        let most = PIECE * model.classifier.shape().len();
        let pieces = match images.len() <= most {
            true => vec![images],
            false => images.chunks(most).map(<[u8]>::to_vec).collect(),
        };
        let pieces = self.push(&model, pieces, room)?;
        drop(underway);
        let mut answers = Vec::new();
        for piece in pieces {
            let said = piece.await.map_err(|_| Failure::internal(LOST))?;
            match answers.is_empty() {
                true => answers = said,
                false => answers.extend(said),
            }
        }
        Ok(Told { model, answers })
    }

    fn push(
        &self,
        model: &Arc<Loaded>,
        pieces: Vec<Vec<u8>>,
        room: &Room,
    ) -> Result<Vec<oneshot::Receiver<Answers>>, Failure> {
        let length = model.classifier.shape().len();
        let mut answers = Vec::with_capacity(pieces.len());
        let mut queue = self.shared.queue();
        let threads = self.shared.alive.load(Ordering::Relaxed).max(1);
        // Whoever comes first waits for nobody.
        if queue.jobs.len() >= WAITING
            || queue.images as f64 * queue.pace > LONGEST_WAIT * threads as f64
        {
            return Err(Failure::busy());
        }
        for images in pieces {
            let (reply, answer) = oneshot::channel();
            answers.push(answer);
            queue.images += images.len() / length;
            queue.jobs.push_back(Job {
                model: Arc::clone(model),
                images,
                reply,
                _room: room.clone(),
            });
        }
        let idle = queue.idle;
        drop(queue);
        for _ in 0..idle.min(answers.len()) {
            self.shared.arrived.notify_one();
        }
        Ok(answers)
    }
}

/// Of each image what the network says, and what is made of it.
type Answers = Vec<(Output, Answer)>;

const LOST: &str = "computing the answer failed; the server's log says more";

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} jobs", self.jobs.len())
    }
}
