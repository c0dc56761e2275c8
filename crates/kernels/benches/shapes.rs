//! Images per second of one block, by shape and by instruction set, and the share of the multiply-adds that the
//! processor could do meanwhile: the table of the README.
//!
//! `cargo bench -p kernels --no-default-features --bench shapes`; `RAYON_NUM_THREADS=1` for one thread.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{hint::black_box, time::Instant};

use kernels::{
    Affine, Isa, Normalization,
    conv::{ConvBlock, Geometry, Statistics},
};
use pulp::{Arch, Simd, WithSimd};

/// Height, width and channels of the input, channels of the output, kernel, padding, and whether a pool follows.
const SHAPES: [([usize; 6], bool); 6] = [
    ([28, 28, 1, 16, 5, 0], true),
    ([12, 12, 16, 32, 3, 0], true),
    ([5, 5, 32, 64, 3, 0], false),
    ([14, 14, 32, 64, 3, 1], true),
    ([32, 32, 3, 64, 3, 1], true),
    ([64, 64, 1, 32, 3, 1], true),
];

const BATCH: usize = 128;
/// Seconds that each figure is measured for.
const LONG: f64 = 0.3;

fn main() {
    // On a thread of the pool, as a training loop should be: none has to be woken for each operation.
    rayon::scope(|_| table());
}

fn table() {
    let sets = Isa::available();
    let peaks: Vec<Option<f64>> = sets.iter().map(|isa| peak(isa.name())).collect();
    println!(
        "{} threads, batches of {BATCH}",
        rayon::current_num_threads()
    );
    for (isa, peak) in sets.iter().zip(&peaks) {
        if let Some(peak) = peak {
            println!(
                "{}: {:.1} GFLOP/s of multiply-adds that wait for nothing",
                isa.name(),
                2e-9 * peak
            );
        }
    }
    println!(
        "\n| block | instruction set | inference, images/s | share | training, images/s | share |"
    );
    println!("|---|---|---|---|---|---|");
    let mut spread: f64 = 0.0;
    for (shape, pool) in SHAPES {
        for (isa, peak) in sets.iter().zip(&peaks) {
            let mut example = Example::new(shape, pool, *isa);
            let inference = measure(|| example.infer());
            let training = measure(|| example.train());
            spread = spread.max(inference.spread).max(training.spread);
            let cell = |measured: &Measured, operations: usize| {
                let images = BATCH as f64 / measured.seconds;
                let share = peak.map_or("–".into(), |peak| {
                    format!("{:.0} %", 100.0 * images * operations as f64 / peak)
                });
                format!("{} | {share}", thousands(images))
            };
            println!(
                "| {} | {} | {} | {} |",
                name(shape, pool),
                isa.name(),
                cell(&inference, example.operations),
                cell(&training, example.training_operations()),
            );
        }
    }
    println!(
        "\nMedians; half of all runs lie within {:.0} % of theirs, or less.",
        100.0 * spread
    );
}

fn name([height, width, from, to, kernel, padding]: [usize; 6], pool: bool) -> String {
    let padded = if padding > 0 { " padded" } else { "" };
    let pool = if pool { ", pool" } else { "" };
    format!("{height}×{width}×{from} to {to}, {kernel}×{kernel}{padded}{pool}")
}

fn thousands(value: f64) -> String {
    match (value / 1000.0).round() as u64 {
        0 => format!("{value:.0}"),
        thousands => format!("{thousands},{:03}", (value.round() as u64) % 1000),
    }
}

struct Example {
    block: ConvBlock,
    pool: bool,
    /// Multiply-adds of the convolution of one image.
    operations: usize,
    input: Vec<f32>,
    weight: Vec<f32>,
    map: Affine,
    output: Vec<f32>,
    output_grad: Vec<f32>,
    /// Absent for the first layer of a network, whose input needs no gradient.
    input_grad: Option<Vec<f32>>,
}

impl Example {
    fn new([height, width, from, to, kernel, padding]: [usize; 6], pool: bool, isa: Isa) -> Self {
        let geometry = Geometry::new([height, width, from], to, kernel, padding, pool).unwrap();
        let inputs = BATCH * geometry.input_len();
        let outputs = BATCH * geometry.output_len();
        Example {
            block: ConvBlock::on(geometry, isa),
            pool,
            operations: geometry.conv_len() / to * geometry.weight_len(),
            input: random(inputs, 1),
            weight: random(geometry.weight_len(), 2),
            map: Affine {
                scale: random(to, 3),
                shift: random(to, 4),
                relu: true,
            },
            output: vec![0.0; outputs],
            output_grad: random(outputs, 5),
            input_grad: (from > 3).then(|| vec![0.0; inputs]),
        }
    }

    /// Those of the forward pass and of the gradients; of these, a pool makes three quarters zero, which nobody
    /// computes.
    fn training_operations(&self) -> usize {
        let gradients = if self.input_grad.is_some() { 2 } else { 1 };
        let computed = if self.pool { 4 } else { 1 };
        self.operations + gradients * self.operations / computed
    }

    /// Convolution, max-pool, scale, shift and ReLU.
    fn infer(&mut self) {
        self.block
            .forward(&self.input, &self.weight, &self.map, &mut self.output, None)
            .unwrap();
    }

    /// Convolution, max-pool, batch normalization and ReLU, and their gradients.
    fn train(&mut self) {
        let norm = Normalization {
            gamma: &self.map.scale,
            beta: &self.map.shift,
            epsilon: 1e-5,
            relu: true,
        };
        let statistics = Statistics::Pooled;
        let (input, weight) = (&self.input, &self.weight);
        let kept = self
            .block
            .forward_train(input, weight, &norm, statistics, &mut self.output)
            .unwrap();
        let input_grad = self.input_grad.as_deref_mut();
        let gradients = self
            .block
            .backward_train(input, weight, &norm, &kept, &self.output_grad, input_grad)
            .unwrap();
        black_box(gradients);
    }
}

/// From -0.5 to 0.5, by Marsaglia's xorshift.
fn random(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 - 0.5
        })
        .collect()
}

struct Measured {
    /// The median.
    seconds: f64,
    /// Half the distance of the quartiles, of the median.
    spread: f64,
}

fn measure(mut run: impl FnMut()) -> Measured {
    (0..3).for_each(|_| run());
    let mut seconds = Vec::new();
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < LONG || seconds.len() < 5 {
        let started = Instant::now();
        run();
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let at = |quarter: usize| seconds[seconds.len() * quarter / 4];
    Measured {
        seconds: at(2),
        spread: (at(3) - at(1)) / at(2) / 2.0,
    }
}

/// Multiply-adds per second of all threads together, in the vectors of an instruction set, if it is known here.
fn peak(name: &str) -> Option<f64> {
    let arch = match name {
        "scalar" => Arch::Scalar,
        #[cfg(target_arch = "x86_64")]
        "avx2" => Arch::V3(pulp::x86::V3::try_new()?),
        #[cfg(target_arch = "x86_64")]
        "avx512" => Arch::V4(pulp::x86::V4::try_new()?),
        #[cfg(target_arch = "aarch64")]
        "neon" => Arch::Neon(pulp::aarch64::Neon::try_new()?),
        _ => return None,
    };
    let fastest = |run: &dyn Fn() -> usize| {
        let speeds = (0..200).map(|_| {
            let started = Instant::now();
            run() as f64 / started.elapsed().as_secs_f64()
        });
        speeds.fold(0.0, f64::max)
    };
    let threads = rayon::broadcast(|_| {
        let few = fastest(&|| arch.dispatch(Sums::<12>));
        few.max(fastest(&|| arch.dispatch(Sums::<24>)))
    });
    Some(threads.iter().sum())
}

/// A loop with so many independent sums: enough to keep the processor busy, but no more than it has registers.
struct Sums<const COUNT: usize>;

impl<const COUNT: usize> WithSimd for Sums<COUNT> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        const STEPS: usize = 20_000;
        let [factor, addend] = black_box([0.999, 0.001]).map(|value| simd.splat_f32s(value));
        let mut sums = [simd.splat_f32s(1.0); COUNT];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, addend);
            }
        }
        black_box(sums);
        STEPS * COUNT * S::F32_LANES
    }
}
