//! From `f32` to pairs of bf16 values.
//!
//! Two values that one instruction multiplies and adds lie in one `u32`, the first in its lower half.
//! Each is the nearest bf16 value, ties to even; what is subnormal becomes zero.

use std::arch::x86_64::*;

use pulp::bytemuck::cast;

use super::LANES;

/// `to[i]` becomes the pair of `first[i]` and `second[i]`, which are zero where the slices end.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) fn zip(first: &[f32], second: &[f32], to: &mut [u32]) {
    let mut start = to.len().min(first.len()).min(second.len()) / LANES * LANES;
    zip_whole(&first[..start], &second[..start], &mut to[..start]);
    while start < to.len() {
        let end = to.len().min(start + LANES);
        let pairs = zip_vectors(&some(first, start), &some(second, start));
        to[start..end].copy_from_slice(&pairs[..end - start]);
        start = end;
    }
}

/// Pairs of columns of `values`, `[rows, columns, stride]` with rows `row_len` values apart, into `to`, `[rows,
/// column pairs, stride]`; an odd last column is paired with zeros. `stride` is a number of whole vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) fn zip_columns(
    values: &[f32],
    [rows, columns, stride]: [usize; 3],
    row_len: usize,
    to: &mut [u32],
) {
    let (pairs, even) = (columns.div_ceil(2), columns / 2);
    for y in 0..rows {
        let row = &values[y * row_len..][..columns * stride];
        let to = &mut to[y * pairs * stride..][..pairs * stride];
        for x in 0..even {
            let (first, second) = row[2 * x * stride..][..2 * stride].split_at(stride);
            zip_whole(first, second, &mut to[x * stride..][..stride]);
        }
        zip(&row[2 * even * stride..], &[], &mut to[even * stride..]);
    }
}

/// The gradient by what lay before a 2x2 max-pool, in pairs of columns: `grads` and `chosen`, `[rows, width,
/// stride]` of the pool's outputs, into `to`, `[2 * rows, width, stride]`. `stride` is a number of whole vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) fn unpool(grads: &[f32], chosen: &[u32], width: usize, stride: usize, to: &mut [u32]) {
    let row = width * stride;
    for y in 0..grads.len() / row {
        let (upper, lower) = to[2 * y * row..][..2 * row].split_at_mut(row);
        let (upper, lower) = (
            upper.as_chunks_mut::<LANES>().0,
            lower.as_chunks_mut::<LANES>().0,
        );
        let grads = grads[y * row..][..row].as_chunks::<LANES>().0;
        let chosen = chosen[y * row..][..row].as_chunks::<LANES>().0;
        for i in 0..grads.len() {
            let both = _mm512_cvtne2ps_pbh(_mm512_setzero_ps(), cast(grads[i]));
            let left = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(cast(both)));
            let chosen = cast(chosen[i]);
            upper[i] = cast(of_places(left, chosen, 0));
            lower[i] = cast(of_places(left, chosen, 2));
        }
    }
}

/// Pairs of the values that chose the place `first` of a window, in their first half, and the next place.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn of_places(values: __m512i, chosen: __m512i, first: i32) -> __m512i {
    let left = _mm512_cmpeq_epi32_mask(chosen, _mm512_set1_epi32(first));
    let right = _mm512_cmpeq_epi32_mask(chosen, _mm512_set1_epi32(first + 1));
    let pairs = _mm512_maskz_mov_epi32(left, values);
    _mm512_mask_slli_epi32::<16>(pairs, right, values)
}

/// [`zip`] for slices of the same number of whole vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn zip_whole(first: &[f32], second: &[f32], to: &mut [u32]) {
    let (to, _) = to.as_chunks_mut::<LANES>();
    let (first, second) = (first.as_chunks::<LANES>().0, second.as_chunks::<LANES>().0);
    let (first, second) = (&first[..to.len()], &second[..to.len()]);
    for i in 0..to.len() {
        to[i] = zip_vectors(&first[i], &second[i]);
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
    let pairs = len.div_ceil(2);
    for row in 0..values.len() / len {
        let values = &values[row * len..][..len];
        row_neighbours(values, &mut to[row * pairs..][..pairs]);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn row_neighbours(values: &[f32], to: &mut [u32]) {
    let (whole, rest) = values.as_chunks::<{ 2 * LANES }>();
    let (to, to_rest) = to.split_at_mut(whole.len() * LANES);
    let (to, _) = to.as_chunks_mut::<LANES>();
    for i in 0..to.len() {
        to[i] = neighbours_of_vectors(&whole[i]);
    }
    if !to_rest.is_empty() {
        let pairs = neighbours_of_vectors(&some(rest, 0));
        to_rest.copy_from_slice(&pairs[..to_rest.len()]);
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

#[inline]
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

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn neighbours_of_vectors(values: &[f32; 2 * LANES]) -> [u32; LANES] {
    let [low, high]: [[f32; LANES]; 2] = cast(*values);
    cast(_mm512_cvtne2ps_pbh(cast(high), cast(low)))
}
