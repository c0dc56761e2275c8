//! What is measured, and how long.

use std::{hint::black_box, time::Instant};

use burn::{
    optim::GradientsParams,
    tensor::{Device, Distribution, Tensor},
};
use data::{LabelledImages, Loader, Normalization};

use crate::{
    contender::{Answering, Contender},
    fma,
};

/// Images per batch where nothing is learned, as in `train`.
const EVALUATION_BATCH: usize = 500;

/// Images per second.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// Per second on the clock.
    pub wall: f64,
    /// Per second of processor time, all threads added up: hardly moved by what else the machine does.
    /// Linux only.
    pub cpu: Option<f64>,
}

struct Stopwatch {
    started: Instant,
    cpu: Option<f64>,
}

impl Stopwatch {
    fn start() -> Self {
        Stopwatch {
            cpu: cpu_seconds(),
            started: Instant::now(),
        }
    }

    fn speed(&self, images: usize) -> Speed {
        let per = |seconds: f64| images as f64 / seconds;
        Speed {
            wall: per(self.started.elapsed().as_secs_f64()),
            cpu: self.cpu.zip(cpu_seconds()).map(|(from, to)| per(to - from)),
        }
    }
}

/// Processor time of this process so far, from `/proc/self/stat` (proc(5): fields 14 and 15, in
/// hundredths of a second).
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = |index| fields.split_whitespace().nth(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// How much work is timed, and how much is done before.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Timed training steps.
    pub steps: usize,
    /// Training steps before them.
    pub warm_up: usize,
    /// Images per training step.
    pub batch: usize,
    /// Timed passes over all test images.
    pub passes: usize,
    /// Timed answers to a single image.
    pub answers: usize,
}

impl Effort {
    /// Images per second of training: gathering a shuffled batch, forward, backward, AdamW.
    pub fn train(
        &self,
        contender: Contender,
        images: &LabelledImages,
        normalization: &Normalization,
    ) -> Speed {
        let device = contender.device.clone().autodiff();
        let loader = Loader::whole(images.clone(), normalization, self.batch, &device).shuffled(0);
        let mut batches = (1..).flat_map(|epoch| loader.epoch(epoch));
        let mut optimizer = contender.optimizer();
        let mut network = contender.network.clone();
        let mut trained = 0;
        let mut watch = Stopwatch::start();
        for step in 0..self.warm_up + self.steps {
            if step == self.warm_up {
                (trained, watch) = (0, Stopwatch::start());
            }
            let Some(Ok(batch)) = batches.next() else {
                break;
            };
            let logits = contender.forward(&network, batch.images);
            let loss = contender.loss(logits, &batch.labels);
            let grads = loss.backward();
            let grads = GradientsParams::from_grads(grads, &network);
            network = optimizer.step(1e-3, network, grads);
            trained += batch.labels.len();
        }
        watch.speed(trained)
    }

    /// Images per second from bytes to logits, in batches of 500.
    pub fn inference(&self, answering: &Answering, images: &LabelledImages) -> Speed {
        let batch_len = EVALUATION_BATCH * images.shape().len();
        let pass = || {
            for batch in images.pixels().chunks(batch_len) {
                black_box(answering.logits(batch));
            }
        };
        pass();
        let watch = Stopwatch::start();
        (0..self.passes).for_each(|_| pass());
        watch.speed(self.passes * images.len())
    }

    /// Median milliseconds from the bytes of one image to its logits.
    pub fn latency(&self, answering: &Answering, images: &LabelledImages) -> f64 {
        let answer = |index: usize| {
            let started = Instant::now();
            black_box(answering.logits(images.image(index % images.len())));
            1e3 * started.elapsed().as_secs_f64()
        };
        (0..self.answers / 4).for_each(|index| _ = answer(index));
        median((0..self.answers).map(answer).collect())
    }
}

/// GFLOP/s of a 512x512 by 512x512 product in f32, the fastest of many.
pub fn peak(device: &Device) -> f64 {
    const SIDE: usize = 512;
    let [a, b] = [0, 1].map(|_| Tensor::<2>::random([SIDE, SIDE], Distribution::Default, device));
    let seconds = (0..100).map(|_| {
        let started = Instant::now();
        black_box(a.clone().matmul(b.clone()));
        started.elapsed().as_secs_f64()
    });
    2e-9 * (SIDE * SIDE * SIDE) as f64 / seconds.fold(f64::INFINITY, f64::min)
}

/// GFLOP/s of fused multiply-adds that depend on nothing but themselves.
#[derive(Clone, Copy, Debug)]
pub struct FmaPeak {
    /// Of one thread while the others rest, in its fastest moment.
    pub thread: f64,
    /// Of all threads at once: the sum of each one's fastest moment.
    pub wall: f64,
    /// Of all threads at once, per second of processor time, from start to end. Linux only.
    pub cpu: Option<f64>,
}

/// What the processor can do, by multiply-adds, width of its vectors and clock.
pub fn fma_peak() -> FmaPeak {
    /// Runs of the loop: under a second.
    const RUNS: usize = 1000;
    let width = fma::best();
    let thread = width.repeat(RUNS).fastest;
    let started = cpu_seconds();
    let threads = rayon::broadcast(|_| width.repeat(RUNS));
    let cpu = started.zip(cpu_seconds()).map(|(from, to)| to - from);
    let operations: f64 = threads.iter().map(|work| work.operations).sum();
    FmaPeak {
        thread: 1e-9 * thread,
        wall: 1e-9 * threads.iter().map(|work| work.fastest).sum::<f64>(),
        cpu: cpu.map(|seconds| 1e-9 * operations / seconds),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
