//! Changes between `[batch, channels, height, width]` and `[batch, height, width, channels]`.

use crate::{
    chunks::{cut, cut_mut, run},
    recycle::Recycled,
};

/// The sizes of a tensor of rank four.
pub(crate) fn dims4(shape: &[usize]) -> [usize; 4] {
    let mut dims = [1; 4];
    dims.iter_mut()
        .zip(shape)
        .for_each(|(dim, size)| *dim = *size);
    dims
}

/// Values of `[batch, channels, height, width]` in the order `[batch, height, width, channels]`, the given shape.
pub(crate) fn channels_first_to_last(
    values: &[f32],
    [batch, height, width, channels]: [usize; 4],
) -> Vec<f32> {
    transpose(values, batch, channels, height * width)
}

/// Values of `[batch, height, width, channels]`, the given shape, in the order `[batch, channels, height, width]`.
pub(crate) fn channels_last_to_first(
    values: &[f32],
    [batch, height, width, channels]: [usize; 4],
) -> Vec<f32> {
    transpose(values, batch, height * width, channels)
}

/// Transposes `batch` matrices of `rows` by `columns`.
fn transpose(values: &[f32], batch: usize, rows: usize, columns: usize) -> Vec<f32> {
    let image = rows * columns;
    let mut transposed = Recycled::new(values.len());
    if rows == 1 || columns == 1 {
        transposed.copy_from_slice(values);
        return transposed.into_vec();
    }
    let jobs = cut(values, image, batch)
        .zip(cut_mut(&mut transposed, image, batch))
        .collect();
    run(jobs, |(from, to): (&[f32], &mut [f32])| {
        for (from, to) in from.chunks_exact(image).zip(to.chunks_exact_mut(image)) {
            for (column, to) in to.chunks_exact_mut(rows).enumerate() {
                for (to, from) in to.iter_mut().zip(from.chunks_exact(columns)) {
                    *to = from[column];
                }
            }
        }
    });
    transposed.into_vec()
}
