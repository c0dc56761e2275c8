//! Instruction sets, and the few vector helpers that every kernel uses.
//!
//! Kernels are written once, generic over [`pulp::Simd`], and compiled for every instruction set; the
//! best one that the processor has is chosen at run time. [`Isa::available`] lists the others, so that
//! tests can force each of them.

use pulp::{Arch, Simd, WithSimd};

use crate::{bf16::Bf16, precision::Precision};

/// An instruction set that this processor has, and what it computes products in.
#[derive(Clone, Copy, Debug)]
pub struct Isa {
    arch: Arch,
    precision: Precision,
}

impl Isa {
    /// The best instruction set of this processor.
    pub fn best() -> Self {
        Self::of(Arch::new())
    }

    /// The best instruction set of this processor for products of a precision.
    pub fn best_for(precision: Precision) -> Self {
        Self {
            precision,
            ..Self::best()
        }
    }

    /// Every instruction set of this processor that the kernels are compiled for, plain scalar code first.
    pub fn available() -> Vec<Self> {
        let mut sets = vec![Self::of(Arch::Scalar)];
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        {
            sets.extend(pulp::x86::V3::try_new().map(|simd| Self::of(Arch::V3(simd))));
            sets.extend(pulp::x86::V4::try_new().map(|simd| Self::of(Arch::V4(simd))));
        }
        #[cfg(target_arch = "aarch64")]
        sets.extend(pulp::aarch64::Neon::try_new().map(|simd| Self::of(Arch::Neon(simd))));
        sets
    }

    fn of(arch: Arch) -> Self {
        Self {
            arch,
            precision: Precision::F32,
        }
    }

    /// The instructions for products in bf16, if those are asked for.
    pub(crate) fn bf16(self) -> Option<Bf16> {
        self.precision.instructions()
    }

    /// The name to print: `scalar`, `avx2`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        match self.arch {
            Arch::Scalar => "scalar",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V3(_) => "avx2",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V4(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Arch::Neon(_) => "neon",
            _ => "other",
        }
    }

    /// Runs an operation compiled for this instruction set.
    pub(crate) fn run<Op: WithSimd>(self, op: Op) -> Op::Output {
        self.arch.dispatch(op)
    }

    /// Floats in one vector.
    pub(crate) fn lanes(self) -> usize {
        struct Lanes;
        impl WithSimd for Lanes {
            type Output = usize;
            fn with_simd<S: Simd>(self, _: S) -> usize {
                S::F32_LANES
            }
        }
        self.run(Lanes)
    }
}

/// Vectors that one tile may keep as sums, so that they stay in registers beside what is multiplied.
///
/// Of 32 registers 22 is the most for which the compiler was seen to keep every sum in one.
pub(crate) const fn sums_in_registers<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 22 } else { 12 }
}

/// `channels` rounded up to whole vectors: the channel stride of all scratch memory.
pub(crate) fn padded(channels: usize, lanes: usize) -> usize {
    channels.div_ceil(lanes) * lanes
}

/// The first vector of `slice`, which must hold at least one.
#[inline(always)]
pub(crate) fn load<S: Simd>(slice: &[f32]) -> S::f32s {
    S::as_simd_f32s(&slice[..S::F32_LANES]).0[0]
}

/// Overwrites the first vector of `slice`, which must hold at least one.
#[inline(always)]
pub(crate) fn store<S: Simd>(slice: &mut [f32], value: S::f32s) {
    S::as_mut_simd_f32s(&mut slice[..S::F32_LANES]).0[0] = value;
}

/// Up to one vector from the front of `slice`; missing lanes are zero.
#[inline(always)]
pub(crate) fn load_some<S: Simd>(simd: S, slice: &[f32]) -> S::f32s {
    if slice.len() >= S::F32_LANES {
        load::<S>(slice)
    } else {
        simd.partial_load_f32s(slice)
    }
}

/// Overwrites up to one vector at the front of `slice`.
#[inline(always)]
pub(crate) fn store_some<S: Simd>(simd: S, slice: &mut [f32], value: S::f32s) {
    if slice.len() >= S::F32_LANES {
        store::<S>(slice, value);
    } else {
        simd.partial_store_f32s(slice, value);
    }
}

/// `max(value, 0)` that keeps NaN.
#[inline(always)]
pub(crate) fn relu<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.less_than_f32s(value, zero), zero, value)
}
