//! Pictures that are transparent in part.

use image::{DynamicImage, RgbaImage};

/// The picture on an opaque grey ground. If most of it is opaque, its own median is that ground
/// (a photo with rounded corners); else the picture is ink on nothing, and the ground is black for
/// light ink and white for dark.
pub(crate) fn on_ground(mut rgba: RgbaImage) -> DynamicImage {
    let luminance = |[r, g, b, _]: [u8; 4]| {
        (299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b)) / 1000
    };
    let mut histogram = [0_u64; 256];
    for pixel in rgba.pixels() {
        if pixel.0[3] >= 128 {
            histogram[luminance(pixel.0) as usize] += 1;
        }
    }
    let opaque: u64 = histogram.iter().sum();
    let mut below = 0;
    let median = histogram
        .iter()
        .position(|count| {
            below += count;
            2 * below > opaque
        })
        .unwrap_or(0) as u32;
    let all = u64::from(rgba.width()) * u64::from(rgba.height());
    let ground = match (2 * opaque > all, median < 128) {
        (true, _) => median,
        (false, true) => 255,
        (false, false) => 0,
    };
    for pixel in rgba.pixels_mut() {
        let alpha = u32::from(pixel.0[3]);
        for value in &mut pixel.0[..3] {
            *value = ((u32::from(*value) * alpha + ground * (255 - alpha) + 127) / 255) as u8;
        }
        pixel.0[3] = 255;
    }
    rgba.into()
}
