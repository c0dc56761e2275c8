//! The way into functions that need instructions which not every processor has, and the one place with
//! `unsafe` code.
//!
//! Inside a function marked `#[target_feature(enable = "…")]` the intrinsics of those features are safe to
//! call. What is unsafe is to enter such a function on a processor without them. So each set of features is a
//! token here, which only a processor that has them all gives out, and what needs the features is a method of
//! the token.

#![allow(unsafe_code)]

use std::ops::Range;

use crate::{
    bf16::{pairs, product, weight_grad},
    conv::tiles::Grid,
    inference::int8::{self, Int8},
};

/// Defines a token for a set of features, and its methods: `fn name(arguments) -> output = function;`, where
/// `function` is safe and needs no feature beyond those of the token.
macro_rules! instructions {
    ($(#[$doc:meta])* $token:ident: $features:tt; $($method:tt)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $token(());

        impl $token {
            instructions!(@detect $features);
            instructions!(@methods $features $($method)*);
        }
    };
    (@detect [$($feature:tt),+]) => {
        /// The token, if this processor has the instructions.
        pub(crate) fn detect() -> Option<Self> {
            ($(std::arch::is_x86_feature_detected!($feature))&&+).then_some(Self(()))
        }
    };
    (@methods $features:tt) => {};
    (
        @methods [$($feature:tt),+]
        $(#[$doc:meta])*
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $output:ty)? = $function:path;
        $($rest:tt)*
    ) => {
        $(#[$doc])*
        pub(crate) fn $name(self, $($argument: $type),*) $(-> $output)? {
            // Safe itself, so the compiler checks that these features are all that `function` needs.
            #[target_feature($(enable = $feature),+)]
            fn inside($($argument: $type),*) $(-> $output)? {
                $function($($argument),*)
            }
            // SAFETY: `inside` is unsafe to call only where one of the features is missing, and there is
            // no token without `detect` having found each of them.
            unsafe { inside($($argument),*) }
        }
        instructions!(@methods [$($feature),+] $($rest)*);
    };
}

instructions! {
    /// AVX-512 with sums of products of bytes (VNNI).
    Vnni: ["avx512f", "avx512bw", "avx512vnni"];
    /// See [`Int8::run`].
    fn run(
        network: &Int8,
        shape: [usize; 3],
        images: &[u8],
        outputs: &mut [f32],
        means: &mut [f32],
        buffers: &mut int8::Buffers,
    ) = Int8::run;
}

instructions! {
    /// AVX-512 with sums of products of bfloat16 numbers.
    Bf16: ["avx512f", "avx512bw", "avx512bf16"];

    /// See [`pairs::zip`].
    fn zip(first: &[f32], second: &[f32], to: &mut [u32]) = pairs::zip;
    /// See [`pairs::zip_columns`].
    fn zip_columns(values: &[f32], sizes: [usize; 3], row_len: usize, to: &mut [u32]) = pairs::zip_columns;
    /// See [`pairs::neighbours`].
    fn neighbours(values: &[f32], len: usize, to: &mut [u32]) = pairs::neighbours;
    /// See [`pairs::unpool`].
    fn unpool(grads: &[f32], chosen: &[u32], width: usize, stride: usize, to: &mut [u32]) = pairs::unpool;
    /// See [`product::convolve`].
    fn convolve(
        grid: Grid,
        filled: Range<usize>,
        input: &[u32],
        weights: &[u32],
        sizes: [usize; 2],
        output: &mut [f32],
    ) = product::convolve;
    /// See [`weight_grad::add_dense`].
    fn add_dense(
        grid: Grid,
        sizes: [usize; 2],
        input: &[u32],
        grads: &[u32],
        sum: &mut [f32],
    ) = weight_grad::add_dense;
}

#[cfg(test)]
mod tests {
    use std::arch::x86_64::{_mm512_dpbusd_epi32, _mm512_reduce_add_epi32, _mm512_set1_epi8};

    instructions! {
        /// A token with a method.
        Proved: ["avx512f", "avx512vnni"];
        fn sum(left: i8, right: i8) -> i32 = sum_of_products;
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    fn sum_of_products(left: i8, right: i8) -> i32 {
        let [left, right] = [left, right].map(|byte| _mm512_set1_epi8(byte));
        let zero = std::arch::x86_64::_mm512_setzero_si512();
        _mm512_reduce_add_epi32(_mm512_dpbusd_epi32(zero, left, right))
    }

    #[test]
    fn a_token_enters_what_its_features_allow() {
        if let Some(token) = Proved::detect() {
            assert_eq!(token.sum(3, -5), 64 * -15);
        }
    }
}
