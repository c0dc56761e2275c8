//! Dense layers: those within on bytes, the last one in `f32`.

use std::arch::x86_64::{
    __m512, __m512i, _mm512_add_ps, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps,
    _mm512_max_ps, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_setzero_si512,
};

use pulp::bytemuck::cast;

use super::{
    LANES,
    conv::{store, vectors_of},
    quantize::Filters,
};
use crate::norm::{Affine, pad};

/// A layer on rows of bytes, ready to run.
pub(super) struct Dense {
    /// `[group of four inputs][vector of outputs]`.
    weights: Vec<__m512i>,
    map: Vec<[__m512; 2]>,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

impl Dense {
    pub(super) fn new(filters: Filters) -> Self {
        let vectors = filters.outputs.div_ceil(LANES);
        let mut weights = Vec::new();
        for group in 0..filters.inputs.div_ceil(4) {
            for vector in 0..vectors {
                let input =
                    |at: usize| Some(4 * group + at).filter(|input| *input < filters.inputs);
                weights.push(cast(filters.group(vector, input)));
            }
        }
        Self {
            weights,
            map: vectors_of(&filters.map),
            inputs: filters.inputs,
            outputs: filters.outputs,
        }
    }

    /// Bytes of a row, in whole groups of four.
    pub(super) fn row_len(&self) -> usize {
        self.inputs.next_multiple_of(4)
    }

    /// Multiplies rows of bytes, each of its own step, into rows of values.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn run(&self, rows: &[u8], steps: &[f32], output: &mut [f32]) {
        let vectors = self.map.len();
        let mut first = 0;
        while first < steps.len() {
            let left = steps.len() - first;
            let count = if left >= 4 { 4 } else { 1 };
            let rows = &rows[first * self.row_len()..];
            let steps = &steps[first..];
            let output = &mut output[first * self.outputs..];
            let mut vector = 0;
            while vector < vectors {
                vector += match (count, vectors - vector) {
                    (4, 4..) => self.tile::<4, 4>(rows, steps, vector, output),
                    (4, _) => self.tile::<4, 1>(rows, steps, vector, output),
                    (_, 8..) => self.tile::<1, 8>(rows, steps, vector, output),
                    (_, 4..) => self.tile::<1, 4>(rows, steps, vector, output),
                    (_, _) => self.tile::<1, 1>(rows, steps, vector, output),
                };
            }
            first += count;
        }
    }

    /// `P` rows and `V` vectors of outputs from `first` on. Returns `V`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn tile<const P: usize, const V: usize>(
        &self,
        rows: &[u8],
        steps: &[f32],
        first: usize,
        output: &mut [f32],
    ) -> usize {
        let groups = self.inputs.div_ceil(4);
        let rows: [&[[u8; 4]]; P] =
            std::array::from_fn(|p| &rows[p * self.row_len()..].as_chunks::<4>().0[..groups]);
        let mut sums = [[_mm512_setzero_si512(); V]; P];
        let weights = self.weights.chunks_exact(self.map.len());
        for (group, weights) in weights.take(groups).enumerate() {
            let weights = &weights[first..][..V];
            for p in 0..P {
                let value = _mm512_set1_epi32(i32::from_le_bytes(rows[p][group]));
                for v in 0..V {
                    sums[p][v] = _mm512_dpbusd_epi32(sums[p][v], value, weights[v]);
                }
            }
        }
        for v in 0..V {
            let [scale, shift] = self.map[first + v];
            let output = &mut output[(first + v) * LANES..];
            let count = self.outputs - (first + v) * LANES;
            for p in 0..P {
                let scale = _mm512_mul_ps(scale, _mm512_set1_ps(steps[p]));
                let value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[p][v]), scale, shift);
                let value = _mm512_max_ps(value, _mm512_setzero_ps());
                store(value, &mut output[p * self.outputs..], count);
            }
        }
        V
    }
}

/// The layer that says what the network says.
pub(super) struct Last {
    /// `[vector of outputs][input]`.
    weights: Vec<__m512>,
    map: Vec<[__m512; 2]>,
    inputs: usize,
    outputs: usize,
    relu: bool,
}

/// Sums of which a row is made, so that they overlap: input `i` belongs to sum `i % CHAINS`.
const CHAINS: usize = 4;

impl Last {
    /// Packs `[inputs, outputs]`.
    pub(super) fn new(weight: &[f32], map: &Affine) -> Self {
        let outputs = map.scale.len();
        let mut weights = Vec::new();
        for first in (0..outputs).step_by(LANES) {
            for row in weight.chunks_exact(outputs) {
                let values = pad(&row[first..outputs.min(first + LANES)], LANES);
                weights.extend(
                    values
                        .as_chunks::<LANES>()
                        .0
                        .iter()
                        .map(|v| cast::<_, __m512>(*v)),
                );
            }
        }
        Self {
            weights,
            map: vectors_of(&[pad(&map.scale, LANES), pad(&map.shift, LANES)]),
            inputs: weight.len() / outputs,
            outputs,
            relu: map.relu,
        }
    }

    /// Multiplies rows `[count, inputs]` into rows `[count, outputs]`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn run(&self, rows: &[f32], output: &mut [f32]) {
        let rows = rows.chunks_exact(self.inputs);
        for (row, output) in rows.zip(output.chunks_exact_mut(self.outputs)) {
            let vectors = self.weights.chunks_exact(self.inputs).zip(&self.map);
            for (vector, (weights, [scale, shift])) in vectors.enumerate() {
                let mut sums = [_mm512_setzero_ps(); CHAINS];
                let (groups, rest) = row.as_chunks::<CHAINS>();
                let (weight_groups, weight_rest) = weights.as_chunks::<CHAINS>();
                for (values, weights) in groups.iter().zip(weight_groups) {
                    for i in 0..CHAINS {
                        sums[i] = _mm512_fmadd_ps(_mm512_set1_ps(values[i]), weights[i], sums[i]);
                    }
                }
                for (i, (value, weight)) in rest.iter().zip(weight_rest).enumerate() {
                    sums[i] = _mm512_fmadd_ps(_mm512_set1_ps(*value), *weight, sums[i]);
                }
                let sum = _mm512_add_ps(
                    _mm512_add_ps(sums[0], sums[1]),
                    _mm512_add_ps(sums[2], sums[3]),
                );
                let mut value = _mm512_fmadd_ps(sum, *scale, *shift);
                if self.relu {
                    value = _mm512_max_ps(value, _mm512_setzero_ps());
                }
                let first = vector * LANES;
                store(value, &mut output[first..], self.outputs - first);
            }
        }
    }
}
