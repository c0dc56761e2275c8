//! From `f32` to pairs of bf16 values.
//!
//! Two values that one instruction multiplies and adds lie in one `u32`, the first in its lower half.
//! Each is the nearest bf16 value, ties to even; what is subnormal becomes zero.

use std::arch::x86_64::*;

use pulp::bytemuck::cast;

/// Floats in one vector, and pairs in one.
pub(super) const LANES: usize = 16;

/// `to[i]` becomes the pair of `first[i]` and `second[i]`, which are zero where the slices end.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) fn zip(first: &[f32], second: &[f32], to: &mut [u32]) {
    let whole = to.len().min(first.len()).min(second.len()) / LANES * LANES;
    let (to, to_rest) = to.split_at_mut(whole);
    let (firsts, _) = first.as_chunks::<LANES>();
    let (seconds, _) = second.as_chunks::<LANES>();
    let (to, _) = to.as_chunks_mut::<LANES>();
    for ((to, first), second) in to.iter_mut().zip(firsts).zip(seconds) {
        *to = zip_vectors(first, second);
    }
    for (i, to) in to_rest.chunks_mut(LANES).enumerate() {
        let [first, second] = [first, second].map(|values| some(values, whole + i * LANES));
        to.copy_from_slice(&zip_vectors(&first, &second)[..to.len()]);
    }
}

/// Pairs of columns of `values`, `[rows, columns, stride]`, into `to`, `[rows, column pairs, stride]`; an odd
/// last column is paired with zeros. `stride` is a number of whole vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) fn zip_columns(values: &[f32], columns: usize, stride: usize, to: &mut [u32]) {
    let (even, odd) = (columns / 2 * 2 * stride, columns % 2 * stride);
    let rows = values.chunks_exact(columns * stride);
    let to_rows = to.chunks_exact_mut(even / 2 + odd);
    for (row, to) in rows.zip(to_rows) {
        let (to, to_odd) = to.split_at_mut(even / 2);
        let (row, odd) = row.split_at(even);
        let columns = row.chunks_exact(2 * stride);
        for (columns, to) in columns.zip(to.chunks_exact_mut(stride)) {
            let (first, second) = columns.split_at(stride);
            let (first, _) = first.as_chunks::<LANES>();
            let (second, _) = second.as_chunks::<LANES>();
            let (to, _) = to.as_chunks_mut::<LANES>();
            for ((to, first), second) in to.iter_mut().zip(first).zip(second) {
                *to = zip_vectors(first, second);
            }
        }
        zip(odd, &[], to_odd);
    }
}

/// Pairs of neighbours in each row of `values`, `[rows, len]`, into `to`, `[rows, pairs]`; an odd last value is
/// paired with zero.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) fn neighbours(values: &[f32], len: usize, to: &mut [u32]) {
    if len.is_multiple_of(2) {
        row_neighbours(values, to);
        return;
    }
    let to = to.chunks_exact_mut(len.div_ceil(2));
    for (values, to) in values.chunks_exact(len).zip(to) {
        row_neighbours(values, to);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn row_neighbours(values: &[f32], to: &mut [u32]) {
    let (whole, rest) = values.as_chunks::<{ 2 * LANES }>();
    let (to, to_rest) = to.split_at_mut(whole.len() * LANES);
    let (to, _) = to.as_chunks_mut::<LANES>();
    for (to, values) in to.iter_mut().zip(whole) {
        *to = neighbours_of_vectors(values);
    }
    for to in to_rest.chunks_mut(LANES) {
        to.copy_from_slice(&neighbours_of_vectors(&some(rest, 0))[..to.len()]);
    }
}

/// The values from `start` on, then zeros.
fn some<const N: usize>(values: &[f32], start: usize) -> [f32; N] {
    let mut some = [0.0; N];
    let values = values.get(start..).unwrap_or_default();
    let count = values.len().min(N);
    some[..count].copy_from_slice(&values[..count]);
    some
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn zip_vectors(first: &[f32; LANES], second: &[f32; LANES]) -> [u32; LANES] {
    // The values of one vector in order, then those of the other.
    let both = _mm512_cvtne2ps_pbh(cast(*second), cast(*first));
    let mut order = [0u16; 2 * LANES];
    for (i, place) in order.iter_mut().enumerate() {
        *place = (i / 2 + i % 2 * LANES) as u16;
    }
    cast(_mm512_permutexvar_epi16(cast(order), cast(both)))
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn neighbours_of_vectors(values: &[f32; 2 * LANES]) -> [u32; LANES] {
    let [low, high]: [[f32; LANES]; 2] = cast(*values);
    cast(_mm512_cvtne2ps_pbh(cast(high), cast(low)))
}
