//! A convolution as it is defined, in one pass: sums in registers, the maximum of each window, the map and
//! ReLU, and one write to where the next layer reads.

use pulp::{Simd, WithSimd};

use super::tail::{Place, finish, largest, map_at};
use crate::{
    conv::{
        Geometry,
        tiles::{BLOCK, Packed, pack_forward},
    },
    norm::Affine,
};

/// Filters of any size.
pub(super) struct Direct(Packed);

impl Direct {
    pub(super) fn new(geometry: &Geometry, weight: &[f32], lanes: usize) -> Self {
        Self(pack_forward(geometry, weight, lanes))
    }

    #[inline(always)]
    pub(super) fn run<S: Simd>(
        &self,
        simd: S,
        geometry: &Geometry,
        map: &Affine,
        input: &[f32],
        (output, place): (&mut [f32], Place),
    ) {
        let (lanes, taps, kernel) = (S::F32_LANES, self.0.taps, self.0.kernel);
        let [rows, columns] = geometry.output_size();
        let weights = &self.0.weights.values()[..kernel * taps * map.scale.len()];
        for (block, weights) in weights.chunks(kernel * taps * BLOCK * lanes).enumerate() {
            let vectors = weights.len() / (kernel * taps * lanes);
            let mut first = 0;
            while first < columns {
                let tile = Tile {
                    geometry,
                    map,
                    input,
                    weights,
                    rows,
                    first,
                    channel: block * BLOCK * lanes,
                    output,
                    place,
                };
                first += tile.run(simd, columns - first, vectors);
            }
        }
    }
}

/// Some columns of output and some channels, over all rows.
struct Tile<'a> {
    geometry: &'a Geometry,
    map: &'a Affine,
    input: &'a [f32],
    /// `[kernel_row][tap][channel]` of these channels.
    weights: &'a [f32],
    rows: usize,
    /// The first column of the output.
    first: usize,
    /// The first channel.
    channel: usize,
    output: &'a mut [f32],
    place: Place,
}

/// `V` vectors of channels, each the largest of `R` rows and `R` columns of sums, of which there are `C`.
struct Sized<'a, const R: usize, const C: usize, const V: usize>(Tile<'a>);

/// The same for one vector where the input has a single channel, and a kernel of `K`.
struct Plane<'a, const R: usize, const C: usize, const K: usize>(Tile<'a>);

/// Takes the first width that isn't more than what is left, and returns it.
macro_rules! widest {
    ($simd:ident, $left:ident, $tile:ident; $($width:literal => $sized:expr),*) => {
        match $left {
            $($width.. => { $simd.vectorize($sized($tile)); $width })*
            0 => 1,
        }
    };
}

impl Tile<'_> {
    /// Computes up to `left` columns and returns how many it were.
    #[inline(always)]
    fn run<S: Simd>(self, simd: S, left: usize, vectors: usize) -> usize {
        let Geometry {
            in_channels,
            kernel,
            pool,
            ..
        } = *self.geometry;
        let tile = self;
        match (pool, vectors, in_channels, kernel) {
            (true, 1, 1, 3) => {
                widest!(simd, left, tile; 2 => Plane::<2, 4, 3>, 1 => Plane::<2, 2, 3>)
            }
            (true, 1, 1, 5) => {
                widest!(simd, left, tile; 2 => Plane::<2, 4, 5>, 1 => Plane::<2, 2, 5>)
            }
            (false, 1, 1, 3) => {
                widest!(simd, left, tile; 8 => Plane::<1, 8, 3>, 4 => Plane::<1, 4, 3>, 1 => Plane::<1, 1, 3>)
            }
            (true, 1, ..) => {
                widest!(simd, left, tile; 2 => Sized::<2, 4, 1>, 1 => Sized::<2, 2, 1>)
            }
            (true, ..) => widest!(simd, left, tile; 2 => Sized::<2, 4, 2>, 1 => Sized::<2, 2, 2>),
            (false, 1, ..) => {
                widest!(simd, left, tile; 8 => Sized::<1, 8, 1>, 4 => Sized::<1, 4, 1>, 1 => Sized::<1, 1, 1>)
            }
            (false, ..) => {
                widest!(simd, left, tile; 4 => Sized::<1, 4, 2>, 3 => Sized::<1, 3, 2>, 2 => Sized::<1, 2, 2>, 1 => Sized::<1, 1, 2>)
            }
        }
    }

    /// Writes a row of sums.
    #[inline(always)]
    fn write<S: Simd, const R: usize, const C: usize, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        maps: &[[S::f32s; 2]; V],
        sums: [[[S::f32s; V]; C]; R],
    ) {
        for x in 0..C / R {
            for v in 0..V {
                let value = match R {
                    1 => sums[0][x][v],
                    _ => largest(simd, [0, 1, 2, 3].map(|at| sums[at / 2][2 * x + at % 2][v])),
                };
                let channel = self.channel + v * S::F32_LANES;
                let position = [row, self.first + x];
                let to = self
                    .place
                    .vector(self.output, position, channel, S::F32_LANES);
                finish(simd, value, maps[v], self.map.relu, to);
            }
        }
    }
}

impl<const R: usize, const C: usize, const V: usize> WithSimd for Sized<'_, R, C, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(mut tile) = self;
        let (lanes, taps) = (S::F32_LANES, tile.geometry.tap_len());
        let (row_len, column_len) = (tile.geometry.row_len(), tile.geometry.in_channels);
        let maps: [_; V] = std::array::from_fn(|v| map_at::<S>(tile.map, tile.channel + v * lanes));
        let input = &tile.input[R * tile.first * column_len..];
        for y in 0..tile.rows {
            let mut sums = [[[simd.splat_f32s(0.0); V]; C]; R];
            for k in 0..tile.geometry.kernel {
                let mut values = [[&input[..0]; C]; R];
                for (r, values) in values.iter_mut().enumerate() {
                    let row = &input[(R * y + r + k) * row_len..];
                    for (c, values) in values.iter_mut().enumerate() {
                        *values = &row[c * column_len..][..taps];
                    }
                }
                let weights = &tile.weights[k * taps * V * lanes..];
                for tap in 0..taps {
                    let weights = S::as_simd_f32s(&weights[tap * V * lanes..][..V * lanes]).0;
                    for r in 0..R {
                        for c in 0..C {
                            let value = simd.splat_f32s(values[r][c][tap]);
                            for v in 0..V {
                                sums[r][c][v] =
                                    simd.mul_add_e_f32s(value, weights[v], sums[r][c][v]);
                            }
                        }
                    }
                }
            }
            tile.write(simd, y, &maps, sums);
        }
    }
}

impl<const R: usize, const C: usize, const K: usize> WithSimd for Plane<'_, R, C, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(mut tile) = self;
        let row_len = tile.geometry.row_len();
        let maps = [map_at::<S>(tile.map, tile.channel)];
        let input = &tile.input[R * tile.first..];
        let weights = S::as_simd_f32s(&tile.weights[..K * K * S::F32_LANES]).0;
        for y in 0..tile.rows {
            let mut sums = [[[simd.splat_f32s(0.0)]; C]; R];
            for k in 0..K {
                for (r, sums) in sums.iter_mut().enumerate() {
                    let values = &input[(R * y + r + k) * row_len..][..C + K - 1];
                    for tap in 0..K {
                        for (c, sum) in sums.iter_mut().enumerate() {
                            let value = simd.splat_f32s(values[c + tap]);
                            sum[0] = simd.mul_add_e_f32s(value, weights[k * K + tap], sum[0]);
                        }
                    }
                }
            }
            tile.write(simd, y, &maps, sums);
        }
    }
}
