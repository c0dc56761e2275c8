//! 2x2 max-pool of stride 2 over a channels-last image, and its inverse.
//!
//! Channels are the vector, so the four values of a window are four loads and nothing is shuffled.
//! The first of equal values wins, and a NaN wins over everything: NaN in, NaN out.

use pulp::Simd;

use crate::{
    norm::NormRest,
    simd::{load, store},
};

/// Height, width and padded channels of the image before the pool.
#[derive(Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) stride: usize,
}

/// Takes the largest value of each window; with `TRACK`, also its position `0..4` in reading order.
#[inline(always)]
pub(crate) fn max_pool<S: Simd, const TRACK: bool>(
    simd: S,
    windows: Windows,
    image: &[f32],
    pooled: &mut [f32],
    chosen: &mut [u32],
) {
    let Windows {
        height,
        width,
        stride,
    } = windows;
    let out_row = width / 2 * stride;
    for y in 0..height / 2 {
        let (top, bottom) =
            image[2 * y * width * stride..][..2 * width * stride].split_at(width * stride);
        let pooled = &mut pooled[y * out_row..][..out_row];
        let chosen = if TRACK {
            &mut chosen[y * out_row..][..out_row]
        } else {
            &mut []
        };
        for x in 0..width / 2 {
            let top = &top[2 * x * stride..][..2 * stride];
            let bottom = &bottom[2 * x * stride..][..2 * stride];
            for c in (0..stride).step_by(S::F32_LANES) {
                let mut best = load::<S>(&top[c..]);
                let mut position = simd.splat_u32s(0);
                let others = [
                    load::<S>(&top[stride + c..]),
                    load::<S>(&bottom[c..]),
                    load::<S>(&bottom[stride + c..]),
                ];
                for (i, value) in others.into_iter().enumerate() {
                    // Not `value <= best`, which a NaN already found would lose again.
                    let is_number = simd.equal_f32s(value, value);
                    let wins = simd.or_m32s(
                        simd.greater_than_f32s(value, best),
                        simd.not_m32s(is_number),
                    );
                    best = simd.select_f32s(wins, value, best);
                    if TRACK {
                        position = simd.select_u32s(wins, simd.splat_u32s(i as u32 + 1), position);
                    }
                }
                store::<S>(&mut pooled[x * stride + c..], best);
                if TRACK {
                    S::as_mut_simd_u32s(&mut chosen[x * stride + c..][..S::F32_LANES]).0[0] =
                        position;
                }
            }
        }
    }
}

/// Puts each pooled gradient back to where its value came from, into rows of `row_len` values, and adds what a
/// normalization before the pool gives to every position. Without one everything else becomes zero.
#[inline(always)]
pub(crate) fn unpool<S: Simd, const NORM: bool>(
    simd: S,
    windows: Windows,
    (pooled, chosen): (&[f32], &[u32]),
    rest: Option<NormRest<'_>>,
    (image, row_len): (&mut [f32], usize),
) {
    let Windows {
        height,
        width,
        stride,
    } = windows;
    let out_row = width / 2 * stride;
    let zero = simd.splat_f32s(0.0);
    for c in (0..stride).step_by(S::F32_LANES) {
        let factors = match rest {
            Some(rest) if NORM => rest.factors::<S>(c),
            _ => [zero; 3],
        };
        for y in 0..height / 2 {
            let (top, bottom) = image[2 * y * row_len..].split_at_mut(row_len);
            let rows = [&mut top[..width * stride], &mut bottom[..width * stride]];
            let pooled = &pooled[y * out_row..][..out_row];
            let chosen = &chosen[y * out_row..][..out_row];
            for x in 0..width / 2 {
                let grad = load::<S>(&pooled[x * stride + c..]);
                let position = S::as_simd_u32s(&chosen[x * stride + c..][..S::F32_LANES]).0[0];
                for window in 0..4 {
                    let x = 2 * x + window % 2;
                    let wins = simd.equal_u32s(position, simd.splat_u32s(window as u32));
                    let mut value = simd.select_f32s(wins, grad, zero);
                    if NORM && let Some(rest) = rest {
                        let position = (2 * y + window / 2) * width + x;
                        value = simd.add_f32s(value, rest.at(simd, factors, position, c));
                    }
                    store::<S>(&mut rows[window / 2][x * stride + c..], value);
                }
            }
        }
        // What no window covers: the last column and the last row, if their number is odd.
        for y in 0..height {
            let covered = if y < height / 2 * 2 { width / 2 * 2 } else { 0 };
            for x in covered..width {
                let value = match rest {
                    Some(rest) if NORM => rest.at(simd, factors, y * width + x, c),
                    _ => zero,
                };
                store::<S>(&mut image[y * row_len + x * stride + c..], value);
            }
        }
    }
}
