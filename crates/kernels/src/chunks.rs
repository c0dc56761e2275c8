//! How a batch is cut into chunks of images, and how the chunks run.

use rayon::prelude::*;

/// Most chunks of a batch: enough for any small machine, few enough for cheap partial sums.
const MOST: usize = 32;

/// Images of one chunk. It depends on the batch alone, never on the number of threads, so that sums
/// over chunks are the same bits everywhere.
pub(crate) fn images_per_chunk(batch: usize) -> usize {
    batch.div_ceil(MOST).max(1)
}

/// Cuts `values`, `[batch, image_len]`, into chunks; an empty slice gives empty chunks.
pub(crate) fn cut<T>(values: &[T], image_len: usize, batch: usize) -> impl Iterator<Item = &[T]> {
    let per_chunk = images_per_chunk(batch);
    (0..batch).step_by(per_chunk).map(move |first| {
        let end = (first + per_chunk).min(batch);
        if values.is_empty() {
            values
        } else {
            &values[first * image_len..end * image_len]
        }
    })
}

/// Mutable [`cut`].
pub(crate) fn cut_mut<T>(mut values: &mut [T], image_len: usize, batch: usize) -> Vec<&mut [T]> {
    let per_chunk = images_per_chunk(batch);
    let mut chunks = Vec::with_capacity(MOST);
    for first in (0..batch).step_by(per_chunk) {
        let len = (per_chunk.min(batch - first) * image_len).min(values.len());
        let (chunk, rest) = values.split_at_mut(len);
        chunks.push(chunk);
        values = rest;
    }
    chunks
}

/// Runs every job, in parallel if there are several, and returns the results in order.
pub(crate) fn run<T: Send, R: Send>(
    mut jobs: Vec<T>,
    work: impl Fn(T) -> R + Sync + Send,
) -> Vec<R> {
    match jobs.pop() {
        // Handing a single job to another thread would cost more than a small image takes.
        Some(job) if jobs.is_empty() => vec![work(job)],
        Some(job) => {
            jobs.push(job);
            jobs.into_par_iter().with_max_len(1).map(work).collect()
        }
        None => Vec::new(),
    }
}
