//! A convolution block on bytes.

use std::arch::x86_64::{
    __m512, __m512i, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_max_epi32,
    _mm512_max_ps, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_setzero_si512,
};

use pulp::bytemuck::cast;

use super::{LANES, quantize::Filters};
use crate::conv::Geometry;

/// Vectors of channels that are computed together.
const BLOCK: usize = 2;

/// Bytes that may be read beyond an image: a group of four begins at its last one.
const SLACK: usize = 3;

/// Convolution, max-pool and map, ready to run.
pub(super) struct Conv {
    pub(super) geometry: Geometry,
    /// `[block][kernel_row][group of four taps][vector of the block]`.
    weights: Vec<__m512i>,
    /// Groups of a kernel row.
    groups: usize,
    /// Scale and shift of each vector.
    map: Vec<[__m512; 2]>,
}

impl Conv {
    pub(super) fn new(geometry: Geometry, filters: Filters) -> Self {
        let (kernel, channels) = (geometry.kernel, geometry.in_channels);
        let groups = geometry.tap_len().div_ceil(4);
        let vectors = filters.outputs.div_ceil(LANES);
        let mut weights = Vec::new();
        for first in (0..vectors).step_by(BLOCK) {
            for row in 0..kernel {
                for group in 0..groups {
                    for vector in first..vectors.min(first + BLOCK) {
                        let input = |at: usize| {
                            let tap = 4 * group + at;
                            let (column, channel) = (tap / channels, tap % channels);
                            (column < kernel).then_some((channel * kernel + row) * kernel + column)
                        };
                        weights.push(cast(filters.group(vector, input)));
                    }
                }
            }
        }
        Self {
            geometry,
            weights,
            groups,
            map: vectors_of(&filters.map),
        }
    }

    /// Bytes that it reads from: an image with its border, and some that don't count.
    pub(super) fn input_len(&self) -> usize {
        self.geometry.bordered_size()[0] * self.geometry.row_len() + SLACK
    }

    /// Whether the input has a single channel and the kernel a side.
    fn is_plane(&self, kernel: usize) -> bool {
        (self.geometry.in_channels, self.geometry.kernel) == (1, kernel)
    }

    /// Computes one image, `[height, width, in_channels]` bytes of a step with their border, into values
    /// `[height, width, out_channels]`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn run(&self, input: &[u8], step: f32, output: &mut [f32]) {
        let Geometry { kernel, pool, .. } = self.geometry;
        let [_, columns] = self.geometry.output_size();
        let blocks = self.weights.chunks(kernel * self.groups * BLOCK);
        for (block, weights) in blocks.enumerate() {
            let vectors = weights.len() / (kernel * self.groups);
            let mut first = 0;
            while first < columns {
                let tile = Tile {
                    block: self,
                    input,
                    step,
                    weights,
                    first,
                    vector: block * BLOCK,
                    output: &mut *output,
                };
                first += match (pool, vectors, columns - first) {
                    (true, 1, 2..) if self.is_plane(3) => tile.run_plane::<4, 3, 1>(),
                    (true, 1, _) if self.is_plane(3) => tile.run_plane::<2, 3, 1>(),
                    (true, 1, 2..) if self.is_plane(5) => tile.run_plane::<4, 5, 2>(),
                    (true, 1, _) if self.is_plane(5) => tile.run_plane::<2, 5, 2>(),
                    (true, 1, 2..) => tile.run::<2, 4, 1>(),
                    (true, 1, _) => tile.run::<2, 2, 1>(),
                    (true, _, 2..) => tile.run::<2, 4, 2>(),
                    (true, _, _) => tile.run::<2, 2, 2>(),
                    (false, 1, 8..) => tile.run::<1, 8, 1>(),
                    (false, 1, 4..) => tile.run::<1, 4, 1>(),
                    (false, 1, _) => tile.run::<1, 1, 1>(),
                    (false, _, 4..) => tile.run::<1, 4, 2>(),
                    (false, _, 3) => tile.run::<1, 3, 2>(),
                    (false, _, 2) => tile.run::<1, 2, 2>(),
                    (false, _, _) => tile.run::<1, 1, 2>(),
                };
            }
        }
    }
}

/// Scale and shift by vectors.
pub(super) fn vectors_of([scale, shift]: &[Vec<f32>; 2]) -> Vec<[__m512; 2]> {
    let (scale, shift) = (scale.as_chunks::<LANES>().0, shift.as_chunks::<LANES>().0);
    let pairs = scale.iter().zip(shift);
    pairs
        .map(|(scale, shift)| [cast(*scale), cast(*shift)])
        .collect()
}

/// Some columns of output and some vectors of channels, over all rows.
struct Tile<'a> {
    block: &'a Conv,
    input: &'a [u8],
    step: f32,
    weights: &'a [__m512i],
    /// The first column of the output.
    first: usize,
    /// The first vector.
    vector: usize,
    output: &'a mut [f32],
}

impl Tile<'_> {
    /// Outputs are the largest of `R` rows and `R` columns of sums, of which there are `C`, for `V` vectors of
    /// channels. Returns their number in a row.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn run<const R: usize, const C: usize, const V: usize>(mut self) -> usize {
        let Conv {
            geometry, groups, ..
        } = self.block;
        let groups = *groups;
        let (row_len, column_len) = (geometry.row_len(), geometry.in_channels);
        let input = &self.input[R * self.first * column_len..];
        let maps = self.maps();
        for y in 0..geometry.output_size()[0] {
            let mut sums = [[[_mm512_setzero_si512(); V]; C]; R];
            for (k, weights) in self.weights.chunks_exact(groups * V).enumerate() {
                let mut values = [[&[][..]; C]; R];
                for r in 0..R {
                    let row = &input[(R * y + r + k) * row_len..];
                    for c in 0..C {
                        values[r][c] = &row[c * column_len..].as_chunks::<4>().0[..groups];
                    }
                }
                for group in 0..groups {
                    let weights = &weights[group * V..][..V];
                    for r in 0..R {
                        for c in 0..C {
                            let value = _mm512_set1_epi32(i32::from_le_bytes(values[r][c][group]));
                            for v in 0..V {
                                sums[r][c][v] =
                                    _mm512_dpbusd_epi32(sums[r][c][v], value, weights[v]);
                            }
                        }
                    }
                }
            }
            self.write(y, &maps, sums);
        }
        C / R
    }

    /// The same before a pool where the input has a single channel and the kernel a side of `K`, a row of which has
    /// `G` groups of four: its few weights stay in registers.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn run_plane<const C: usize, const K: usize, const G: usize>(mut self) -> usize {
        let row_len = self.block.geometry.row_len();
        let input = &self.input[2 * self.first..];
        let weights = &self.weights[..K * G];
        let maps = self.maps();
        for y in 0..self.block.geometry.output_size()[0] {
            let mut sums = [[[_mm512_setzero_si512(); 1]; C]; 2];
            for k in 0..K {
                for r in 0..2 {
                    let row = &input[(2 * y + r + k) * row_len..][..C + 4 * G - 1];
                    for c in 0..C {
                        for group in 0..G {
                            let bytes = row[c + 4 * group..].as_chunks::<4>().0[0];
                            let value = _mm512_set1_epi32(i32::from_le_bytes(bytes));
                            let sum = &mut sums[r][c][0];
                            *sum = _mm512_dpbusd_epi32(*sum, value, weights[k * G + group]);
                        }
                    }
                }
            }
            self.write(y, &maps, sums);
        }
        C / 2
    }

    /// What sums become, for each vector.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn maps<const V: usize>(&self) -> [[__m512; 2]; V] {
        let step = _mm512_set1_ps(self.step);
        let maps: [[__m512; 2]; V] = std::array::from_fn(|v| self.block.map[self.vector + v]);
        maps.map(|[scale, shift]| [_mm512_mul_ps(scale, step), shift])
    }

    /// Writes a row of outputs.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn write<const R: usize, const C: usize, const V: usize>(
        &mut self,
        row: usize,
        maps: &[[__m512; 2]; V],
        sums: [[[__m512i; V]; C]; R],
    ) {
        let channels = self.block.geometry.out_channels;
        let [_, columns] = self.block.geometry.output_size();
        for x in 0..C / R {
            let position = (row * columns + self.first + x) * channels;
            for v in 0..V {
                let sum = match R {
                    1 => sums[0][x][v],
                    _ => _mm512_max_epi32(
                        _mm512_max_epi32(sums[0][2 * x][v], sums[0][2 * x + 1][v]),
                        _mm512_max_epi32(sums[R - 1][2 * x][v], sums[R - 1][2 * x + 1][v]),
                    ),
                };
                let [scale, shift] = maps[v];
                let value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, shift);
                let value = _mm512_max_ps(value, _mm512_setzero_ps());
                let channel = (self.vector + v) * LANES;
                let to = &mut self.output[position + channel..];
                store(value, to, channels - channel);
            }
        }
    }
}

/// Writes the first `count` values of a vector, or all if there are fewer.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn store(value: __m512, to: &mut [f32], count: usize) {
    let values: [f32; LANES] = cast(value);
    if count >= LANES {
        to[..LANES].copy_from_slice(&values);
    } else {
        to[..count].copy_from_slice(&values[..count]);
    }
}
