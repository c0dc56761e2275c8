//! Keeping threads from falling asleep between short parallel sections.

use std::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Most threads that are kept awake beside the one that works: a batch is cut into no more than twice as many chunks,
/// and each that looks for work costs the others a little.
const MOST: usize = 15;

/// Between two looks for work.
const SPINS: usize = 50;

/// Without work for so long, a thread only naps between its looks: what goes on is no series of short sections.
const PATIENCE: Duration = Duration::from_millis(2);

const NAP: Duration = Duration::from_micros(100);

/// Runs `work`, and keeps the other threads of rayon's pool awake meanwhile, so that each parallel section of it begins
/// at once.
///
/// Rayon's threads fall asleep after some 30 looks for work, and waking one takes longer than a small operation does: a
/// training step on a small network pauses for about that long between its operations. The threads of OpenMP stay
/// awake unasked (`GOMP_SPINCOUNT`, `KMP_BLOCKTIME`). It costs processor time in those pauses, though whoever else wants
/// the core gets it, and nothing changes in the results.
///
/// On a thread that belongs to no pool it only runs `work`.
///
/// ```
/// let steps = rayon::scope(|_| kernels::awake(|| (0..100).map(|step| step % 7).sum::<i32>()));
/// assert_eq!(steps, 295);
/// ```
pub fn awake<R>(work: impl FnOnce() -> R) -> R {
    let (here, threads) = (rayon::current_thread_index(), rayon::current_num_threads());
    let Some(here) = here.filter(|_| threads > 1) else {
        return work();
    };
    let done = &AtomicBool::new(false);
    rayon::in_place_scope(|scope| {
        let _done = Done(done);
        scope.spawn_broadcast(move |_, context| {
            let after_this = (context.index() + threads - here) % threads;
            if (1..=MOST).contains(&after_this) {
                look_for_work(done);
            }
        });
        work()
    })
}

/// Ends the looking, also where the work panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn look_for_work(done: &AtomicBool) {
    let mut last = Instant::now();
    while !done.load(Ordering::Relaxed) {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            last = Instant::now();
        } else if last.elapsed() < PATIENCE {
            (0..SPINS).for_each(|_| spin_loop());
            thread::yield_now();
        } else {
            thread::sleep(NAP);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{panic::catch_unwind, sync::atomic::AtomicUsize};

    use rayon::prelude::*;

    use super::*;

    /// A parallel section with a job for each thread, all of which wait for each other: how many met.
    fn section() -> usize {
        let (threads, met) = (rayon::current_num_threads(), AtomicUsize::new(0));
        let began = Instant::now();
        (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
            met.fetch_add(1, Ordering::Relaxed);
            while met.load(Ordering::Relaxed) < threads && began.elapsed().as_secs() < 60 {
                thread::yield_now();
            }
        });
        met.into_inner()
    }

    fn pool(threads: usize) -> rayon::ThreadPool {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap_or_else(|error| panic!("threads can't be started: {error}"))
    }

    #[test]
    fn threads_that_are_kept_awake_take_part_in_parallel_sections() {
        let met = pool(3).install(|| {
            awake(|| {
                let first = section();
                // Long enough for naps.
                thread::sleep(4 * PATIENCE);
                [first, section()]
            })
        });
        assert_eq!(met, [3, 3]);
    }

    #[test]
    fn it_can_be_called_within_itself_and_on_a_single_thread_and_outside_a_pool() {
        let twice = || awake(|| awake(section));
        assert_eq!(pool(2).install(twice), 2);
        assert_eq!(pool(1).install(twice), 1);
        assert_eq!(twice(), rayon::current_num_threads());
    }

    #[test]
    fn a_panic_ends_it() {
        let caught = pool(2).install(|| catch_unwind(|| awake(|| panic!("in the work"))));
        assert!(caught.is_err());
    }
}
