//! A thread that computes: what it takes together, and how.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Instant,
};

use tracing::error;

use super::{Batching, Job, Queue, Shared};
use crate::metrics::Metrics;

/// One of the threads.
pub struct Lane {
    pub shared: Arc<Shared>,
    pub batching: Batching,
    pub metrics: Arc<Metrics>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lane {
    /// Computes what there is, for ever.
    pub fn work(&self) {
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
            queue.images -= size;
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
        let count = images.len() / length;
        self.metrics.batch(count);
        let began = Instant::now();
        // Bytes were counted on the way in, by the same shape: a slot never changes it.
        let outputs = match model.classifier.outputs(images) {
            Ok(outputs) => outputs,
            Err(error) => {
                error!(%error, "computing a batch failed; its requests are refused");
                return;
            }
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
        if count > 0 {
            let pace = began.elapsed().as_secs_f64() / count as f64;
            let mut queue = self.shared.queue();
            queue.pace += 0.1 * (pace - queue.pace);
        }
    }
}
