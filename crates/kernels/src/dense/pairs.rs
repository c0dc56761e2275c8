//! The weight gradient of a dense layer with products in bf16.

use super::{
    ROWS,
    backward::INPUTS,
    chunk::{PANEL, rows},
};
use crate::{bf16::Bf16, chunks::run, recycle::Recycled};

/// The weight gradient over pairs of rows, `[inputs, stride]`.
pub(super) fn weight_grad(
    bf16: Bf16,
    inputs: usize,
    stride: usize,
    input: &[f32],
    grads: &[f32],
    sum: &mut [f32],
) {
    let pairs = (grads.len() / stride).div_ceil(2);
    let mut input_pairs = Recycled::new(pairs * inputs);
    let mut grad_pairs = Recycled::new(pairs * stride);
    let jobs = input
        .chunks(ROWS * inputs)
        .zip(input_pairs.chunks_mut(ROWS / 2 * inputs))
        .zip(grads.chunks(ROWS * stride))
        .zip(grad_pairs.chunks_mut(ROWS / 2 * stride))
        .collect();
    run(jobs, |(((input, input_pairs), grads), grad_pairs)| {
        zip_rows(bf16, inputs, input, input_pairs);
        zip_rows(bf16, stride, grads, grad_pairs);
    });

    let jobs = sum.chunks_mut(INPUTS * stride).enumerate().collect();
    run(jobs, |(i, sum): (usize, &mut [f32])| {
        let taps = sum.len() / stride;
        sum.fill(0.0);
        let grads = grad_pairs.chunks(PANEL * stride);
        for (grads, input) in grads.zip(input_pairs.chunks(PANEL * inputs)) {
            let grid = rows(grads.len() / stride, inputs, stride);
            bf16.add_dense(grid, [1, taps], &input[i * INPUTS..], grads, sum);
        }
    });
}

/// Pairs of rows of `len` values; an odd last row is paired with zeros.
fn zip_rows(bf16: Bf16, len: usize, values: &[f32], to: &mut [u32]) {
    let rows = values.chunks(2 * len);
    for (rows, to) in rows.zip(to.chunks_exact_mut(len)) {
        let (first, second) = rows.split_at(len);
        bf16.zip(first, second, to);
    }
}
