//! Copies of one image with another border.

use super::Geometry;

/// Copies as much of an image as there is room for to its place between zeros, which are there already: into
/// `[rows, columns]` positions.
pub(crate) fn place(
    geometry: &Geometry,
    image: &[f32],
    to: &mut [f32],
    [rows, columns]: [usize; 2],
) {
    let (channels, padding) = (geometry.in_channels, geometry.padding);
    let len = geometry.width.min(columns - padding) * channels;
    let to = to
        .chunks_exact_mut(columns * channels)
        .take(rows)
        .skip(padding);
    for (to, from) in to.zip(image.chunks_exact(geometry.width * channels)) {
        to[padding * channels..][..len].copy_from_slice(&from[..len]);
    }
}

/// Copies the middle of a bordered image back.
pub(crate) fn remove_border(geometry: &Geometry, bordered: &[f32], image: &mut [f32]) {
    if geometry.padding == 0 {
        image.copy_from_slice(bordered);
        return;
    }
    let row = geometry.width * geometry.in_channels;
    let left = geometry.padding * geometry.in_channels;
    let rows = bordered
        .chunks_exact(geometry.row_len())
        .skip(geometry.padding);
    for (from, to) in rows.zip(image.chunks_exact_mut(row)) {
        to.copy_from_slice(&from[left..left + row]);
    }
}

/// Copies convolution gradients `[conv_height, conv_width, stride]` to where a convolution with the
/// flipped kernel turns them into input gradients: `[height + kernel - 1, width + kernel - 1, out_channels]`,
/// zero where no output was.
pub(crate) fn spread(geometry: &Geometry, grads: &[f32], stride: usize, bordered: &mut [f32]) {
    let [conv_height, conv_width] = geometry.conv_size();
    let channels = geometry.out_channels;
    let row = geometry.spread_size()[1] * channels;
    // Output `o` lies at `o + kernel - 1 - padding`; with more padding than that, the first ones only
    // saw zeros and fall off the edge.
    let shift = geometry.kernel as isize - 1 - geometry.padding as isize;
    let (skipped, offset) = ((-shift).max(0) as usize, shift.max(0) as usize);
    bordered.fill(0.0);
    for (y, to) in bordered.chunks_exact_mut(row).skip(offset).enumerate() {
        let from_y = y + skipped;
        if from_y >= conv_height {
            break;
        }
        let from = &grads[from_y * conv_width * stride..][..conv_width * stride];
        let to = to[offset * channels..].chunks_exact_mut(channels);
        for (to, from) in to.zip(from.chunks_exact(stride).skip(skipped)) {
            to.copy_from_slice(&from[..channels]);
        }
    }
}
