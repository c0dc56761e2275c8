//! 2x2 max-pool of stride 2 over a channels-last image, and its inverse.
//!
//! Channels are the vector, so the four values of a window are four loads and nothing is shuffled.
//! The first of equal values wins, and a NaN wins over everything: NaN in, NaN out.

use pulp::Simd;

use crate::simd::{load, store};

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

/// Puts each pooled gradient back to where its value came from; everything else becomes zero.
#[inline(always)]
pub(crate) fn unpool<S: Simd>(
    simd: S,
    windows: Windows,
    pooled: &[f32],
    chosen: &[u32],
    image: &mut [f32],
) {
    let Windows {
        height,
        width,
        stride,
    } = windows;
    let out_row = width / 2 * stride;
    let zero = simd.splat_f32s(0.0);
    for y in 0..height / 2 {
        let rows = &mut image[2 * y * width * stride..][..2 * width * stride];
        let (top, bottom) = rows.split_at_mut(width * stride);
        let pooled = &pooled[y * out_row..][..out_row];
        let chosen = &chosen[y * out_row..][..out_row];
        for x in 0..width / 2 {
            let top = &mut top[2 * x * stride..][..2 * stride];
            let bottom = &mut bottom[2 * x * stride..][..2 * stride];
            for c in (0..stride).step_by(S::F32_LANES) {
                let grad = load::<S>(&pooled[x * stride + c..]);
                let position = S::as_simd_u32s(&chosen[x * stride + c..][..S::F32_LANES]).0[0];
                let at = |i: u32| {
                    simd.select_f32s(simd.equal_u32s(position, simd.splat_u32s(i)), grad, zero)
                };
                store::<S>(&mut top[c..], at(0));
                store::<S>(&mut top[stride + c..], at(1));
                store::<S>(&mut bottom[c..], at(2));
                store::<S>(&mut bottom[stride + c..], at(3));
            }
        }
        if width % 2 == 1 {
            top[(width - 1) * stride..].fill(0.0);
            bottom[(width - 1) * stride..].fill(0.0);
        }
    }
    if height % 2 == 1 {
        image[(height - 1) * width * stride..][..width * stride].fill(0.0);
    }
}
