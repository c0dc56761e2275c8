//! Inputs, products and gradients of all tiles of a band, one vector of channels at a time.
//!
//! Each is an operation of its own, so that the compiler keeps its many places in registers.

use pulp::{Simd, WithSimd};

use super::{PLACES, tiles};
use crate::conv::forward::Grid;

/// The 16 parts of transformed tiles, each as long as the others.
struct Places<T>([T; PLACES]);

#[inline(always)]
fn places<V>(values: &[V]) -> Places<&[V]> {
    let len = values.len() / PLACES;
    let mut rest = values;
    Places([(); PLACES].map(|()| {
        let (place, after) = rest.split_at(len);
        rest = after;
        place
    }))
}

#[inline(always)]
fn places_mut<V>(values: &mut [V]) -> Places<&mut [V]> {
    let len = values.len() / PLACES;
    let mut rest = values;
    Places([(); PLACES].map(|()| {
        let (place, after) = std::mem::take(&mut rest).split_at_mut(len);
        rest = after;
        place
    }))
}

impl<V: Copy> Places<&[V]> {
    /// One row of a tile.
    #[inline(always)]
    fn get(&self, row: usize, tile: usize) -> [V; 4] {
        let [p0, p1, p2, p3] = [0, 1, 2, 3].map(|column| self.0[4 * row + column]);
        [p0[tile], p1[tile], p2[tile], p3[tile]]
    }
}

impl<V> Places<&mut [V]> {
    /// Overwrites one row of a tile.
    #[inline(always)]
    fn put(&mut self, row: usize, tile: usize, [v0, v1, v2, v3]: [V; 4]) {
        self.0[4 * row][tile] = v0;
        self.0[4 * row + 1][tile] = v1;
        self.0[4 * row + 2][tile] = v2;
        self.0[4 * row + 3][tile] = v3;
    }
}

/// `Bt d`.
#[inline(always)]
fn by_input<S: Simd>(simd: S, [d0, d1, d2, d3]: [S::f32s; 4]) -> [S::f32s; 4] {
    [
        simd.sub_f32s(d0, d2),
        simd.add_f32s(d1, d2),
        simd.sub_f32s(d2, d1),
        simd.sub_f32s(d1, d3),
    ]
}

/// `Bt d B` of every tile into `[place][tile][channel]`.
pub(super) struct InputTransform<'a> {
    pub(super) grid: Grid,
    pub(super) input: &'a [f32],
    pub(super) to: &'a mut [f32],
}

impl WithSimd for InputTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // All lengths in vectors of channels.
        let channels = self.grid.column_len / S::F32_LANES;
        let row_len = self.grid.row_len / S::F32_LANES;
        let (down, right) = (tiles(self.grid.rows), tiles(self.grid.columns));
        let input = S::as_simd_f32s(self.input).0;
        let mut places = places_mut(S::as_mut_simd_f32s(self.to).0);
        let under = (2 * right + 2) * channels;
        for y in 0..down {
            let rows = &input[2 * y * row_len..];
            let rows = [
                &rows[..under],
                &rows[row_len..][..under],
                &rows[2 * row_len..][..under],
                &rows[3 * row_len..][..under],
            ];
            for x in 0..right {
                for c in 0..channels {
                    let at = 2 * x * channels + c;
                    let [c0, c1, c2, c3] = [
                        by_input(simd, rows.map(|row| row[at])),
                        by_input(simd, rows.map(|row| row[at + channels])),
                        by_input(simd, rows.map(|row| row[at + 2 * channels])),
                        by_input(simd, rows.map(|row| row[at + 3 * channels])),
                    ];
                    let tile = (y * right + x) * channels + c;
                    places.put(0, tile, by_input(simd, [c0[0], c1[0], c2[0], c3[0]]));
                    places.put(1, tile, by_input(simd, [c0[1], c1[1], c2[1], c3[1]]));
                    places.put(2, tile, by_input(simd, [c0[2], c1[2], c2[2], c3[2]]));
                    places.put(3, tile, by_input(simd, [c0[3], c1[3], c2[3], c3[3]]));
                }
            }
        }
    }
}

/// `At m`.
#[inline(always)]
fn by_output<S: Simd>(simd: S, [m0, m1, m2, m3]: [S::f32s; 4]) -> [S::f32s; 2] {
    [
        simd.add_f32s(simd.add_f32s(m0, m1), m2),
        simd.sub_f32s(simd.sub_f32s(m1, m2), m3),
    ]
}

/// `At m A` of every tile, the outputs.
pub(super) struct OutputTransform<'a> {
    pub(super) grid: Grid,
    pub(super) products: &'a [f32],
    pub(super) to: &'a mut [f32],
}

impl WithSimd for OutputTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Grid { rows, columns, .. } = self.grid;
        let channels = self.grid.stride / S::F32_LANES;
        let (down, right) = (tiles(rows), tiles(columns));
        let places = places(S::as_simd_f32s(self.products).0);
        let output = S::as_mut_simd_f32s(self.to).0;
        for y in 0..down {
            let (top, bottom) =
                output[2 * y * columns * channels..].split_at_mut(columns * channels);
            let below = 2 * y + 1 < rows;
            for x in 0..right {
                let beside = 2 * x + 1 < columns;
                for c in 0..channels {
                    let tile = (y * right + x) * channels + c;
                    let [h0, h1, h2, h3] = [
                        by_output(simd, places.get(0, tile)),
                        by_output(simd, places.get(1, tile)),
                        by_output(simd, places.get(2, tile)),
                        by_output(simd, places.get(3, tile)),
                    ];
                    let [left_top, left_bottom] = by_output(simd, [h0[0], h1[0], h2[0], h3[0]]);
                    let [right_top, right_bottom] = by_output(simd, [h0[1], h1[1], h2[1], h3[1]]);
                    let at = 2 * x * channels + c;
                    top[at] = left_top;
                    if beside {
                        top[at + channels] = right_top;
                    }
                    if below {
                        bottom[at] = left_bottom;
                    }
                    if below && beside {
                        bottom[at + channels] = right_bottom;
                    }
                }
            }
        }
    }
}

/// `A g`.
#[inline(always)]
fn by_grads<S: Simd>(simd: S, [g0, g1]: [S::f32s; 2]) -> [S::f32s; 4] {
    [
        g0,
        simd.add_f32s(g0, g1),
        simd.sub_f32s(g0, g1),
        simd.sub_f32s(simd.splat_f32s(0.0), g1),
    ]
}

/// `A g At` of every tile of output gradients into `[place][tile][channel]`.
pub(super) struct GradsTransform<'a> {
    pub(super) grid: Grid,
    pub(super) grads: &'a [f32],
    pub(super) row_len: usize,
    pub(super) to: &'a mut [f32],
}

impl WithSimd for GradsTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Grid { rows, columns, .. } = self.grid;
        let channels = self.grid.stride / S::F32_LANES;
        let row_len = self.row_len / S::F32_LANES;
        let (down, right) = (tiles(rows), tiles(columns));
        let grads = S::as_simd_f32s(self.grads).0;
        let mut places = places_mut(S::as_mut_simd_f32s(self.to).0);
        let zero = simd.splat_f32s(0.0);
        for y in 0..down {
            let top = &grads[2 * y * row_len..][..columns * channels];
            let below = 2 * y + 1 < rows;
            // Without a row below, the same one in its place is not looked at.
            let bottom = if below {
                (2 * y + 1) * row_len
            } else {
                2 * y * row_len
            };
            let bottom = &grads[bottom..][..columns * channels];
            for x in 0..right {
                let beside = 2 * x + 1 < columns;
                for c in 0..channels {
                    let at = 2 * x * channels + c;
                    let mut g = [[top[at], zero], [zero; 2]];
                    if beside {
                        g[1][0] = top[at + channels];
                    }
                    if below {
                        g[0][1] = bottom[at];
                    }
                    if below && beside {
                        g[1][1] = bottom[at + channels];
                    }
                    let (l, r) = (by_grads(simd, g[0]), by_grads(simd, g[1]));
                    let tile = (y * right + x) * channels + c;
                    places.put(0, tile, by_grads(simd, [l[0], r[0]]));
                    places.put(1, tile, by_grads(simd, [l[1], r[1]]));
                    places.put(2, tile, by_grads(simd, [l[2], r[2]]));
                    places.put(3, tile, by_grads(simd, [l[3], r[3]]));
                }
            }
        }
    }
}
