//! Which pixels of a small picture are ink.

use std::iter::successors;

use crate::plane::Plane;

/// Long side of a picture in which segments are looked for: a column of it and its shifts fit the
/// bits of a number.
pub(crate) const SIDE: usize = 112;
/// Row that the first of the picture's rows has among the bits.
pub(crate) const FIRST: usize = (128 - SIDE) / 2;

/// Which pixels are ink: for each column the rows as bits.
#[derive(Clone)]
pub(crate) struct Mask {
    pub columns: Vec<u128>,
}

impl Mask {
    /// Pixels of a plane of at most [`SIDE`] rows that exceed `least`.
    pub fn above(plane: &Plane, least: f32) -> Self {
        let mut columns = vec![0; plane.width];
        for (y, row) in plane.values.chunks_exact(plane.width).enumerate() {
            for (column, value) in columns.iter_mut().zip(row) {
                *column |= u128::from(*value > least) << (FIRST + y);
            }
        }
        Self { columns }
    }

    pub fn transposed(&self, height: usize) -> Self {
        let columns = (0..height).map(|y| {
            (self.columns.iter().enumerate())
                .filter(|(_, column)| **column >> (FIRST + y) & 1 == 1)
                .fold(0, |bits, (x, _)| bits | 1 << (FIRST + x))
        });
        Self {
            columns: columns.collect(),
        }
    }

    /// First and last column and row of the ink of largest extent that hangs together, within these
    /// columns and rows; none if there is no ink.
    pub fn largest(&self, columns: (usize, usize), rows: (usize, usize)) -> Option<[usize; 4]> {
        let rows_kept = (u128::MAX >> (127 - (rows.1 - rows.0))) << (FIRST + rows.0);
        let last = columns.1.min(self.columns.len() - 1);
        if columns.0 > last {
            return None;
        }
        let mut left: Vec<u128> = vec![0; self.columns.len()];
        let within = columns.0..=last;
        for (left, column) in left[within.clone()].iter_mut().zip(&self.columns[within]) {
            *left = column & rows_kept;
        }
        let mut largest: Option<[usize; 4]> = None;
        let extent = |b: &[usize; 4]| (b[1] - b[0]).max(b[3] - b[2]);
        while let Some(x) = left.iter().position(|column| *column != 0) {
            // Grows from one pixel until nothing is added.
            let mut part = vec![0_u128; left.len()];
            part[x] = left[x] & left[x].wrapping_neg();
            loop {
                let mut grown = false;
                for x in (columns.0..=last).chain((columns.0..=last).rev()) {
                    let beside = part[x.saturating_sub(1)] | part[x] | part[(x + 1).min(last)];
                    let seed = (beside | beside << 1 | beside >> 1) & left[x];
                    // Along the column at once.
                    let whole = successors(Some(seed), |bits| {
                        let next = (bits | bits << 1 | bits >> 1) & left[x];
                        (next != *bits).then_some(next)
                    });
                    let whole = whole.last().unwrap_or(seed);
                    grown |= whole & !part[x] != 0;
                    part[x] |= whole;
                }
                if !grown {
                    break;
                }
            }
            let all = part.iter().fold(0, |all, column| all | column);
            let used = |column: &u128| *column != 0;
            let bounds = [
                part.iter().position(used).unwrap_or(x),
                part.iter().rposition(used).unwrap_or(x),
                (all.trailing_zeros() as usize).saturating_sub(FIRST),
                (127 - all.leading_zeros() as usize).saturating_sub(FIRST),
            ];
            if largest
                .as_ref()
                .is_none_or(|other| extent(&bounds) > extent(other))
            {
                largest = Some(bounds);
            }
            for (left, part) in left.iter_mut().zip(&part) {
                *left &= !part;
            }
        }
        largest
    }
}
