//! Filters and their gradients between the two forms: plain numbers, once for a batch.

use super::PLACES;
use crate::scratch::Buffer;

/// `(w0, w1, w2)` to `G w`.
fn filter_transform([w0, w1, w2]: [f32; 3]) -> [f32; 4] {
    let (outer, inner) = (0.5 * (w0 + w2), 0.5 * w1);
    [w0, outer + inner, outer - inner, w2]
}

/// `(u0, .., u3)` to the transpose of `G` times `u`: its gradient.
fn filter_gradient([u0, u1, u2, u3]: [f32; 4]) -> [f32; 3] {
    let (sum, difference) = (0.5 * (u1 + u2), 0.5 * (u1 - u2));
    [u0 + sum, difference, sum + u3]
}

/// Transforms filters given as `weight(row, column, in_channel, out_channel)` into
/// `[place][in_channel][out_channel]`.
pub(crate) fn transform_filters(
    [inputs, outputs]: [usize; 2],
    weight: impl Fn(usize, usize, usize, usize) -> f32,
) -> Buffer {
    let len = inputs * outputs;
    let mut filters = Buffer::zeroed(PLACES * len);
    let places = filters.slice(PLACES * len);
    for input in 0..inputs {
        for output in 0..outputs {
            let columns = [0, 1, 2].map(|column| {
                filter_transform([0, 1, 2].map(|row| weight(row, column, input, output)))
            });
            for row in 0..4 {
                let values = filter_transform(columns.map(|column| column[row]));
                for (column, value) in values.into_iter().enumerate() {
                    places[(4 * row + column) * len + input * outputs + output] = value;
                }
            }
        }
    }
    filters
}

/// The gradient by a filter `[row][column]`, given that by its transform, one value per place.
pub(crate) fn untransform_gradient(places: [f32; PLACES]) -> [[f32; 3]; 3] {
    let mut rows = [[0.0; 3]; 4];
    for (row, places) in rows.iter_mut().zip(places.chunks_exact(4)) {
        *row = filter_gradient([places[0], places[1], places[2], places[3]]);
    }
    let mut filter = [[0.0; 3]; 3];
    for column in 0..3 {
        let values = filter_gradient(rows.map(|row| row[column]));
        for (row, value) in filter.iter_mut().zip(values) {
            row[column] = value;
        }
    }
    filter
}
