//! What the processor could do: fused multiply-adds that depend on nothing but themselves.

use std::{hint::black_box, time::Instant};

use pulp::{Arch, Simd, WithSimd};

/// Multiply-adds to each sum in one run of the loop, which then takes less than a millisecond.
const STEPS: usize = 100_000;

/// The loop with a certain number of independent sums.
#[derive(Clone, Copy, Debug)]
pub struct Loop {
    run: fn() -> usize,
}

/// What was done by repeating a loop.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Floating-point operations in all, two for each multiply-add.
    pub operations: f64,
    /// Operations per second of the fastest run.
    pub fastest: f64,
}

/// The quicker of two loops.
///
/// A sum waits some cycles for its last multiply-add, while the processor could begin several in each
/// cycle. That takes many sums, but not more than its registers hold: 16 of them or 32.
pub fn best() -> Loop {
    let [few, many] = [
        || Arch::new().dispatch(Sums::<12>),
        || Arch::new().dispatch(Sums::<24>),
    ]
    .map(|run: fn() -> usize| Loop { run });
    if few.repeat(50).fastest > many.repeat(50).fastest {
        few
    } else {
        many
    }
}

impl Loop {
    /// Runs it so many times on this thread.
    pub fn repeat(self, runs: usize) -> Work {
        let mut work = Work {
            operations: 0.0,
            fastest: 0.0,
        };
        for _ in 0..runs {
            let started = Instant::now();
            let operations = (self.run)() as f64;
            let speed = operations / started.elapsed().as_secs_f64();
            work.operations += operations;
            work.fastest = work.fastest.max(speed);
        }
        work
    }
}

/// One run with `COUNT` sums, in the widest vectors of the processor. Gives the number of operations.
struct Sums<const COUNT: usize>;

impl<const COUNT: usize> WithSimd for Sums<COUNT> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let [factor, addend] = black_box([0.999, 0.001]).map(|value| simd.splat_f32s(value));
        let mut sums = [simd.splat_f32s(1.0); COUNT];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, addend);
            }
        }
        black_box(sums);
        2 * STEPS * COUNT * S::F32_LANES
    }
}
