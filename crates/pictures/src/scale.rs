//! Pictures brought to the size at which digits are looked for.

use image::{DynamicImage, GrayImage, RgbImage};

use crate::plane::Plane;

/// Long side to which smaller pictures are enlarged, so that strokes are a few pixels wide: four
/// times the frame.
pub(crate) const SMALL_SIDE: u32 = 112;
/// Long side to which larger pictures are reduced. On a photo of a whole page (A5), a digit of
/// 8 mm is still 39 pixels high, twice what the frame shows.
pub(crate) const WORKING_SIDE: u32 = 1024;
/// Width and height of a picture scaled to a long side.
pub(crate) fn with_long_side(picture: &DynamicImage, long_side: u32) -> (u32, u32) {
    let long = u64::from(picture.width().max(picture.height()));
    let side =
        |side: u32| ((u64::from(side) * u64::from(long_side) + long / 2) / long).max(1) as u32;
    (side(picture.width()), side(picture.height()))
}

/// The picture at a smaller size, each pixel the mean of those that it stands for: what
/// [`DynamicImage::thumbnail_exact`] gives, several times as fast for 8 bits.
pub(crate) fn shrunk(picture: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    let size = (picture.width(), picture.height());
    let made = match picture {
        DynamicImage::ImageLuma8(grey) => means::<1>(grey, size, (width, height))
            .and_then(|bytes| GrayImage::from_raw(width, height, bytes))
            .map(Into::into),
        DynamicImage::ImageRgb8(rgb) => means::<3>(rgb, size, (width, height))
            .and_then(|bytes| RgbImage::from_raw(width, height, bytes))
            .map(Into::into),
        _ => None,
    };
    made.unwrap_or_else(|| picture.thumbnail_exact(width, height))
}

/// The means of the blocks of pixels that make one each; none if there are pixels without any.
fn means<const CHANNELS: usize>(
    bytes: &[u8],
    (width, height): (u32, u32),
    (to_width, to_height): (u32, u32),
) -> Option<Vec<u8>> {
    // The bounds of the blocks are those of `thumbnail_exact` to the bit.
    let blocks = |side: u32, to: u32| {
        let ratio = side as f32 / to as f32;
        let blocks = (0..to).map(move |index| {
            let first = index as f32 * ratio;
            let start = (first.ceil() as u32).min(side - 1);
            let end = ((first + ratio).ceil() as u32).clamp(start, side);
            start as usize..end as usize
        });
        blocks.collect::<Vec<_>>()
    };
    let (columns, rows) = (blocks(width, to_width), blocks(height, to_height));
    if columns.iter().chain(&rows).any(|block| block.is_empty()) {
        return None;
    }
    let stride = CHANNELS * width as usize;
    let mut made = Vec::with_capacity(CHANNELS * (to_width * to_height) as usize);
    let mut sums = vec![0_u32; stride];
    for rows in rows {
        sums.fill(0);
        for row in bytes
            .get(rows.start * stride..rows.end * stride)?
            .chunks_exact(stride)
        {
            for (sum, &byte) in sums.iter_mut().zip(row) {
                *sum += u32::from(byte);
            }
        }
        for columns in &columns {
            let count = (columns.len() * rows.len()) as u32;
            let mut mean = [count / 2; CHANNELS];
            let (pixels, _) = sums.as_chunks::<CHANNELS>();
            for pixel in &pixels[columns.clone()] {
                for (mean, sum) in mean.iter_mut().zip(pixel) {
                    *mean += sum;
                }
            }
            made.extend(mean.map(|sum| (sum / count) as u8));
        }
    }
    Some(made)
}

/// A plane of whole levels at a larger size, by Catmull-Rom, which keeps edges steeper than a linear
/// filter would: what [`image::imageops::resize`] gives for each channel, many times as fast.
pub(crate) fn enlarged(plane: &Plane, width: usize, height: usize) -> Plane {
    let turned = stretched(plane, height).transposed();
    let level = |value: f32| {
        // To the nearest, without the call that `f32::round` is.
        let value = value.clamp(0.0, 255.0);
        let whole = value as i32 as f32;
        whole + if value - whole >= 0.5 { 1.0 } else { 0.0 }
    };
    stretched(&turned, width).map(level).transposed()
}

/// A plane with more rows.
fn stretched(plane: &Plane, height: usize) -> Plane {
    let mut values = vec![0.0; plane.width * height];
    let rows = values.chunks_exact_mut(plane.width);
    for (out, (first, weights)) in rows.zip(catmull_rom(plane.height, height)) {
        let sources = plane.values[first * plane.width..].chunks_exact(plane.width);
        for (weight, source) in weights.iter().zip(sources) {
            for (sum, value) in out.iter_mut().zip(source) {
                *sum += value * weight;
            }
        }
    }
    Plane {
        width: plane.width,
        height,
        values,
    }
}

/// For each of `to` pixels, the first of `from` pixels that it is made of and their weights.
fn catmull_rom(from: usize, to: usize) -> Vec<(usize, Vec<f32>)> {
    const SUPPORT: f32 = 2.0;
    let kernel = |x: f32| {
        let a = x.abs();
        let k = if a < 1.0 {
            9.0 * a.powi(3) - 15.0 * a.powi(2) + 6.0
        } else if a < 2.0 {
            -3.0 * a.powi(3) + 15.0 * a.powi(2) - 24.0 * a + 12.0
        } else {
            0.0
        };
        k / 6.0
    };
    let ratio = from as f32 / to as f32;
    let taps = |index: usize| {
        let centre = (index as f32 + 0.5) * ratio;
        let first = ((centre - SUPPORT).floor().max(0.0) as usize).min(from - 1);
        let end = ((centre + SUPPORT).ceil() as usize).clamp(first + 1, from);
        let weights = (first..end).map(|at| kernel(at as f32 - (centre - 0.5)));
        let mut weights: Vec<f32> = weights.collect();
        let sum = weights.iter().fold(0.0, |sum, weight| sum + weight);
        weights.iter_mut().for_each(|weight| *weight /= sum);
        (first, weights)
    };
    (0..to).map(taps).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_shrunk_as_thumbnails_are() {
        for (width, height) in [
            (1500, 1100),
            (1025, 7),
            (333, 1999),
            (2048, 1024),
            (4001, 2),
        ] {
            let rgb = RgbImage::from_fn(width, height, |x, y| {
                image::Rgb([x * y, x + 3 * y, x ^ y].map(|value| (value % 251) as u8))
            });
            for picture in [
                DynamicImage::from(rgb.clone()),
                DynamicImage::from(rgb).into_luma8().into(),
            ] {
                let (width, height) = with_long_side(&picture, WORKING_SIDE);
                assert_eq!(
                    shrunk(&picture, width, height),
                    picture.thumbnail_exact(width, height)
                );
            }
        }
    }
}
