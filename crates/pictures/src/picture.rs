//! From the bytes of a file to three planes of colour.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::error::{ImageError, LimitErrorKind};
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::FrameError;
use crate::plane::Plane;

/// Pixels that a picture may have: more than telephones make (50 megapixels).
pub const MAX_PIXELS: u64 = 52_000_000;
/// Pixels that one side of a picture may have.
pub const MAX_SIDE: u32 = 32_768;
/// Bytes that a file may have.
pub const MAX_BYTES: u64 = 128_000_000;
/// Bytes that decoding may allocate at a time: three 8-bit channels of the largest picture, and as
/// much again for the decoder's own work.
const MAX_ALLOCATION: u64 = 6 * MAX_PIXELS;
/// Bytes of a decoded picture and one copy of it, turned upright or laid on a ground: enough for four
/// 8-bit channels of the largest picture. Reading a picture thus stays below 512 MB.
const MAX_DECODED: u64 = 8 * MAX_PIXELS;

/// Long side to which larger pictures are reduced. On a photo of a whole page (A5), a digit of
/// 8 mm is still 39 pixels high, twice what the frame shows.
const WORKING_SIDE: u32 = 1024;
/// Long side to which smaller pictures are enlarged, so that strokes are a few pixels wide: four
/// times the frame.
const SMALL_SIDE: u32 = 112;

pub(crate) fn decode(bytes: &[u8], name: &str) -> Result<DynamicImage, FrameError> {
    let format = |reason: String| FrameError::Format {
        file: name.to_owned(),
        reason,
    };
    let too_large = |what: String| FrameError::TooLarge {
        file: name.to_owned(),
        what,
    };
    let refused = |error: ImageError| match &error {
        ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::DimensionError) => {
            too_large(format!("a side of more than {MAX_SIDE} pixels"))
        }
        ImageError::Limits(_) => too_large("it needs too much memory".into()),
        other => format(one_line(&other.to_string())),
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large(format!("more than {MAX_BYTES} bytes")));
    }
    if bytes.is_empty() {
        return Err(format("it is empty".into()));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOCATION);
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| format(error.to_string()))?;
    let is_png = reader.format() == Some(ImageFormat::Png);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(too_large(format!("{width}×{height} pixels")));
    }
    let decoded = decoder.total_bytes();
    let copy = match decoder.color_type().has_alpha() {
        true => decoded.max(4 * u64::from(width) * u64::from(height)),
        false => decoded,
    };
    if decoded + copy > MAX_DECODED {
        return Err(too_large("it needs too much memory".into()));
    }
    if is_png && has_odd_palette(bytes) {
        return Err(format("a palette with a part of a colour".into()));
    }
    // A camera's note on how it was held; without one, or with a damaged one, as it is.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    // A defect of the decoder is an error of this picture: those beside it are read all the same.
    let mut picture = catch_unwind(AssertUnwindSafe(|| DynamicImage::from_decoder(decoder)))
        .map_err(|_| format("the decoder failed".into()))?
        .map_err(refused)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Whether a PNG's palette is no whole number of colours. The decoder of `png` 0.18.1 panics on it:
/// <https://github.com/image-rs/image-png/issues/694>.
fn has_odd_palette(bytes: &[u8]) -> bool {
    let limits = png::Limits {
        bytes: MAX_ALLOCATION as usize,
    };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // Other damage is told by the error of the decoder that follows.
    decoder.read_info().is_ok_and(|reader| {
        let palette = reader.info().palette.as_ref();
        palette.is_some_and(|palette| palette.len() % 3 != 0)
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Red, green and blue, 0 to 255, at the working size, and how many pixels of the picture one pixel
/// of it stands for; none if the picture is empty.
pub(crate) fn channels(picture: &DynamicImage) -> Option<([Plane; 3], f32)> {
    let (width, height) = (picture.width(), picture.height());
    if width == 0 || height == 0 {
        return None;
    }
    let opaque;
    let picture = if picture.color().has_alpha() {
        opaque = on_ground(picture);
        &opaque
    } else {
        picture
    };
    let long = width.max(height);
    let to = |long_side: u32| {
        let side = |side: u32| {
            ((u64::from(side) * u64::from(long_side) + u64::from(long) / 2) / u64::from(long))
                .max(1) as u32
        };
        (side(width), side(height))
    };
    let (scaled, scale) = if long > WORKING_SIDE {
        let (width, height) = to(WORKING_SIDE);
        (
            picture.thumbnail_exact(width, height),
            long as f32 / WORKING_SIDE as f32,
        )
    } else if long < SMALL_SIDE {
        let (width, height) = to(SMALL_SIDE);
        // Catmull-Rom keeps edges steeper than a linear filter would.
        (
            picture.resize_exact(width, height, FilterType::CatmullRom),
            long as f32 / SMALL_SIDE as f32,
        )
    } else {
        (picture.clone(), 1.0)
    };
    let rgb = scaled.into_rgb8();
    let plane = |channel: usize| Plane {
        width: rgb.width() as usize,
        height: rgb.height() as usize,
        values: rgb
            .pixels()
            .map(|pixel| f32::from(pixel.0[channel]))
            .collect(),
    };
    Some(([plane(0), plane(1), plane(2)], scale))
}

/// The picture on an opaque grey ground. If most of it is opaque, its own median is that ground
/// (a photo with rounded corners); else the picture is ink on nothing, and the ground is black for
/// light ink and white for dark.
fn on_ground(picture: &DynamicImage) -> DynamicImage {
    let mut rgba = picture.to_rgba8();
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
