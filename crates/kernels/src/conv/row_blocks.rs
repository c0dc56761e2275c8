//! Filters cut into blocks of kernel rows whose values stay in registers.

use pulp::Simd;

use super::Geometry;
use crate::simd::sums_in_registers;

/// Cuts a filter `[kernel_row][tap]` into blocks `(rows, vectors)` that fit into registers, and calls
/// `f(rows, vectors, first_row, first_tap)` for each.
#[inline(always)]
pub(crate) fn for_row_blocks<S: Simd>(
    geometry: &Geometry,
    mut f: impl FnMut(usize, usize, usize, usize),
) {
    let budget = const { sums_in_registers::<S>() };
    let vectors = geometry.tap_len().div_ceil(S::F32_LANES);
    let mut row = 0;
    while row < geometry.kernel {
        let rows = match geometry.kernel - row {
            5.. => 5,
            3 | 4 => 3,
            _ => 1,
        };
        let blocks = vectors.div_ceil((budget / rows).min(8));
        for block in 0..blocks {
            let (first, end) = (block * vectors / blocks, (block + 1) * vectors / blocks);
            f(rows, end - first, row, first * S::F32_LANES);
        }
        row += rows;
    }
}

/// Runs `$sized::<K, N>` for run-time sizes that [`for_row_blocks`] can produce.
macro_rules! run_row_block {
    ($simd:ident, $rows:ident, $vectors:ident, $sized:ident, $op:expr) => {
        run_row_block!($simd, $rows, $vectors, $sized, $op;
            1 1, 1 2, 1 3, 1 4, 1 5, 1 6, 1 7, 1 8,
            3 1, 3 2, 3 3, 3 4, 3 5, 3 6, 3 7,
            5 1, 5 2, 5 3, 5 4)
    };
    ($simd:ident, $rows:ident, $vectors:ident, $sized:ident, $op:expr; $($k:literal $n:literal),*) => {{
        let budget = const { crate::simd::sums_in_registers::<S>() };
        match ($rows, $vectors) {
            $(($k, $n) if $k * $n <= budget => $simd.vectorize($sized::<$k, $n>($op)),)*
            _ => unreachable!("blocks are cut to the register count"),
        }
    }};
}
pub(crate) use run_row_block;
