//! Convolution with 3x3 filters by Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray, 2015, arXiv
//! 1509.09308, section 4.1): 16 multiplications for a tile of 2x2 outputs, where the definition has 36. Such a
//! tile is also a window of the max-pool.

use pulp::Simd;

use super::{
    block::Workspace,
    tail::{Place, finish, largest, map_at},
};
use crate::{
    conv::{
        Geometry,
        tiles::{Grid, Packed, convolve, pack_matrix},
    },
    norm::Affine,
    simd::load,
};

/// Values of a transformed tile, 4x4.
const POINTS: usize = 16;

/// Channels of which there is a multiple on either side: whole vectors, and enough that the multiplications
/// saved are worth the transforms.
const CHANNELS: usize = 16;

/// Tiles that are multiplied at a time: a full tile of the matrix product.
const TILES: usize = 11;

/// Transformed filters: for each point a matrix `[in_channels, out_channels]`.
pub(super) struct Winograd(Vec<Packed>);

impl Winograd {
    /// Whether it computes this block, and quicker.
    pub(super) fn suits(geometry: &Geometry) -> bool {
        let channels = [geometry.in_channels, geometry.out_channels];
        let whole = channels.iter().all(|count| count % CHANNELS == 0);
        let even = geometry.seen_size().iter().all(|size| size % 2 == 0);
        geometry.kernel == 3 && whole && even
    }

    /// Transforms `[out_channels, in_channels, 3, 3]`: `G g G'` of each filter `g`.
    pub(super) fn new(geometry: &Geometry, weight: &[f32], lanes: usize) -> Self {
        let (inputs, outputs) = (geometry.in_channels, geometry.out_channels);
        let transform = |[a, b, c]: [f64; 3]| [a, (a + b + c) / 2.0, (a - b + c) / 2.0, c];
        let mut points = vec![vec![0.0; inputs * outputs]; POINTS];
        for (at, filter) in weight.chunks_exact(9).enumerate() {
            let (output, input) = (at / inputs, at % inputs);
            let columns =
                [0, 1, 2].map(|x| transform([0, 1, 2].map(|y| f64::from(filter[3 * y + x]))));
            for y in 0..4 {
                for (x, value) in transform(columns.map(|column| column[y]))
                    .into_iter()
                    .enumerate()
                {
                    points[4 * y + x][input * outputs + output] = value as f32;
                }
            }
        }
        let pack = |matrix: Vec<f32>| pack_matrix(&matrix, outputs, lanes, lanes);
        Self(points.into_iter().map(pack).collect())
    }

    #[inline(always)]
    pub(super) fn run<S: Simd>(
        &self,
        simd: S,
        geometry: &Geometry,
        map: &Affine,
        input: &[f32],
        (output, place): (&mut [f32], Place),
        workspace: &mut Workspace,
    ) {
        let [rows, columns] = geometry.seen_size().map(|size| size / 2);
        let (inputs, outputs) = (geometry.in_channels, geometry.out_channels);
        let count = rows * columns;
        let groups = count.div_ceil(TILES);
        let tiles = workspace.tiles.slice(TILES * POINTS * inputs);
        let products = workspace.products.slice(POINTS * TILES * outputs);
        let mut positions = (0..rows).flat_map(|row| (0..columns).map(move |column| [row, column]));
        for group in 0..groups {
            let size = (group + 1) * count / groups - group * count / groups;
            let each = tiles.chunks_exact_mut(POINTS * inputs).take(size);
            for (tile, [row, column]) in each.zip(positions.clone()) {
                let corner = 2 * (row * geometry.row_len() + column * inputs);
                transform_input(simd, geometry, &input[corner..], tile);
            }
            let grid = Grid {
                rows: 1,
                columns: size,
                row_len: POINTS * S::F32_LANES,
                column_len: POINTS * inputs,
                stride: outputs,
            };
            for (point, filters) in self.0.iter().enumerate() {
                let products = &mut products[point * size * outputs..][..size * outputs];
                convolve(
                    simd,
                    grid,
                    &tiles[point * S::F32_LANES..],
                    filters,
                    products,
                );
            }
            let products = S::as_simd_f32s(products).0;
            let vectors = outputs / S::F32_LANES;
            for (tile, [row, column]) in (0..size).zip(&mut positions) {
                for vector in 0..vectors {
                    let channel = vector * S::F32_LANES;
                    let products = &products[tile * vectors + vector..];
                    let outputs = transform_output::<S>(simd, products, size * vectors);
                    let map_here = map_at::<S>(map, channel);
                    if geometry.pool {
                        let to = place.vector(output, [row, column], channel, S::F32_LANES);
                        finish(simd, largest(simd, outputs), map_here, map.relu, to);
                        continue;
                    }
                    for (i, value) in outputs.into_iter().enumerate() {
                        let at = [2 * row + i / 2, 2 * column + i % 2];
                        let to = place.vector(output, at, channel, S::F32_LANES);
                        finish(simd, value, map_here, map.relu, to);
                    }
                }
            }
        }
    }
}

/// `B' d B` of the 4x4 values `d` of each channel that begin at `input`, into `[vector of channels][point]`.
#[inline(always)]
fn transform_input<S: Simd>(simd: S, geometry: &Geometry, input: &[f32], to: &mut [f32]) {
    let (channels, row_len) = (geometry.in_channels, geometry.row_len());
    let transform = |[a, b, c, d]: [S::f32s; 4]| {
        [
            simd.sub_f32s(a, c),
            simd.add_f32s(b, c),
            simd.sub_f32s(c, b),
            simd.sub_f32s(b, d),
        ]
    };
    let vectors = to.chunks_exact_mut(POINTS * S::F32_LANES);
    for (to, channel) in vectors.zip((0..).step_by(S::F32_LANES)) {
        let rows = [0, 1, 2, 3].map(|y| {
            let row = &input[y * row_len + channel..];
            transform([0, 1, 2, 3].map(|x| load::<S>(&row[x * channels..])))
        });
        // By `map`, as a loop would keep the values in memory.
        let columns = [0, 1, 2, 3].map(|x| transform(rows.map(|row| row[x])));
        let to = S::as_mut_simd_f32s(to).0;
        let _: [[(); 4]; 4] =
            [0, 1, 2, 3].map(|y| [0, 1, 2, 3].map(|x| to[4 * y + x] = columns[x][y]));
    }
}

/// `A' m A` of one vector of products `m`, points `step` vectors apart: 2x2 outputs.
#[inline(always)]
fn transform_output<S: Simd>(simd: S, products: &[S::f32s], step: usize) -> [S::f32s; 4] {
    let transform = |[a, b, c, d]: [S::f32s; 4]| {
        [
            simd.add_f32s(simd.add_f32s(a, b), c),
            simd.sub_f32s(simd.sub_f32s(b, c), d),
        ]
    };
    let rows = [0, 1, 2, 3].map(|y| transform([0, 1, 2, 3].map(|x| products[(4 * y + x) * step])));
    let [left, right] = [0, 1].map(|x| transform(rows.map(|row| row[x])));
    [left[0], right[0], left[1], right[1]]
}
