//! A dense layer of some rows.

use pulp::{Simd, WithSimd};

use super::tail::{finish, map_at};
use crate::{
    conv::tiles::{BLOCK, Grid, Packed, convolve, pack_matrix},
    norm::{Affine, apply},
    scratch::Buffer,
    simd::padded,
};

/// A dense layer, ready to run.
pub(super) struct Dense {
    weights: Packed,
    /// Padded to whole vectors.
    map: Affine,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

impl Dense {
    /// Packs a matrix `[inputs, outputs]`.
    pub(super) fn new(weight: &[f32], map: &Affine, lanes: usize) -> Self {
        let outputs = map.scale.len();
        let inputs = weight.len() / outputs;
        Self {
            weights: pack_matrix(weight, outputs, inputs, lanes),
            map: map.padded(lanes),
            inputs,
            outputs,
        }
    }

    /// Multiplies rows `[count, inputs]` into rows `[count, outputs]`.
    #[inline(always)]
    pub(super) fn run<S: Simd>(
        &self,
        simd: S,
        input: &[f32],
        output: &mut [f32],
        products: &mut Buffer,
    ) {
        let (count, stride) = (
            input.len() / self.inputs,
            padded(self.outputs, S::F32_LANES),
        );
        if count == 1 {
            let blocks = 4 * BLOCK * S::F32_LANES;
            for first in (0..stride).step_by(blocks) {
                let row = Row {
                    layer: self,
                    input,
                    output,
                    first,
                };
                row.run(simd, blocks.min(stride - first) / S::F32_LANES);
            }
            return;
        }
        let grid = Grid {
            rows: 1,
            columns: count,
            row_len: 0,
            column_len: self.inputs,
            stride,
        };
        let products = products.slice(count * stride);
        convolve(simd, grid, input, &self.weights, products);
        apply(simd, &self.map, (products, stride), (output, self.outputs));
    }
}

/// A single row, which is as quick as its weights arrive: many of them are asked for at a time.
struct Row<'a> {
    layer: &'a Dense,
    input: &'a [f32],
    output: &'a mut [f32],
    /// The first output.
    first: usize,
}

/// `B` blocks of `V` vectors of outputs.
struct Sized<'a, const B: usize, const V: usize>(Row<'a>);

impl Row<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S, vectors: usize) {
        match vectors {
            8 => simd.vectorize(Sized::<4, 2>(self)),
            _ => {
                let first = self.first;
                for vector in (0..vectors).step_by(BLOCK) {
                    let row = Row {
                        first: first + vector * S::F32_LANES,
                        output: &mut *self.output,
                        ..self
                    };
                    match vectors - vector {
                        1 => simd.vectorize(Sized::<1, 1>(row)),
                        _ => simd.vectorize(Sized::<1, 2>(row)),
                    }
                }
            }
        }
    }
}

impl<const B: usize, const V: usize> WithSimd for Sized<'_, B, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(Row {
            layer,
            input,
            output,
            first,
        }) = self;
        let Dense {
            map,
            inputs,
            outputs,
            ..
        } = layer;
        let width = V * S::F32_LANES;
        let weights = &layer.weights.weights.values()[first * inputs..];
        let blocks: [&[f32]; B] =
            std::array::from_fn(|b| &weights[b * inputs * width..][..inputs * width]);
        let mut sums = [[simd.splat_f32s(0.0); V]; B];
        for (i, value) in input.iter().enumerate() {
            let value = simd.splat_f32s(*value);
            for b in 0..B {
                let weights = S::as_simd_f32s(&blocks[b][i * width..][..width]).0;
                for v in 0..V {
                    sums[b][v] = simd.mul_add_e_f32s(value, weights[v], sums[b][v]);
                }
            }
        }
        for (vector, sum) in sums.into_iter().flatten().enumerate() {
            let channel = first + vector * S::F32_LANES;
            let to = &mut output[channel..*outputs.min(&(channel + S::F32_LANES))];
            finish(simd, sum, map_at::<S>(map, channel), map.relu, to);
        }
    }
}
