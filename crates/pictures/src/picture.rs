//! From the bytes of a file to three planes of colour.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::error::{ImageError, LimitErrorKind};
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage,
    RgbaImage,
};

use crate::FrameError;
use crate::memory::{Budget, Permit};
use crate::orientation::{self, Upright};
use crate::plane::Plane;
use crate::{Region, formats, jpeg};

/// Pixels up to which a picture is decoded as it is: what most telephones make. JPEG files of more are
/// read at an eighth of their size, which is enough to find a digit in them.
pub const MAX_PIXELS: u64 = 52_000_000;
/// Pixels that one side of a picture may have.
pub const MAX_SIDE: u32 = 65_535;
/// Bytes that a file may have.
pub const MAX_BYTES: u64 = 128_000_000;
/// Bytes that reading one picture may take beside its file.
pub const MAX_MEMORY: u64 = 284_000_000;

/// Bytes that finding the digit takes for each pixel at the working size, and beside them.
const WORK_PER_PIXEL: u64 = 112;
const WORK: u64 = 1_000_000;

/// Long side to which larger pictures are reduced. On a photo of a whole page (A5), a digit of
/// 8 mm is still 39 pixels high, twice what the frame shows.
const WORKING_SIDE: u32 = 1024;
/// Long side to which smaller pictures are enlarged, so that strokes are a few pixels wide: four
/// times the frame.
const SMALL_SIDE: u32 = 112;

/// A picture as it stands in its file.
pub(crate) struct Decoded {
    picture: DynamicImage,
    upright: Upright,
    /// Columns and rows in the file.
    size: (u32, u32),
}

/// An upright picture for [`crate::find`], which shows another one, perhaps larger.
pub(crate) struct Reduced {
    pub picture: DynamicImage,
    /// Pixels of the larger one for each of this.
    pub scale: f32,
    /// Columns and rows of the larger one, upright.
    pub size: (u32, u32),
    /// Whether it is certain which way is up.
    pub certain: bool,
}

/// Decodes a picture, with room for it and for the work on it.
pub(crate) fn decode<'a>(
    bytes: &[u8],
    name: &str,
    budget: &'a Budget,
) -> Result<(Decoded, Permit<'a>), FrameError> {
    let refused = |reason: Refused| match reason {
        Refused::Format(reason) => FrameError::Format {
            file: name.to_owned(),
            reason: one_line(&reason),
        },
        Refused::Size(what) => FrameError::TooLarge {
            file: name.to_owned(),
            what,
        },
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refused(Refused::Size(format!(
            "more than {MAX_BYTES} bytes"
        ))));
    }
    // A defect of the decoder is an error of this picture: those beside it are read all the same.
    catch_unwind(AssertUnwindSafe(|| match jpeg::is_jpeg(bytes) {
        true => decode_jpeg(bytes, budget),
        false => decode_other(bytes, budget),
    }))
    .unwrap_or_else(|_| Err(Refused::Format("the decoder failed".into())))
    .map_err(refused)
}

/// Why a picture isn't read.
enum Refused {
    /// It can't be.
    Format(String),
    /// It is too large.
    Size(String),
}

impl From<ImageError> for Refused {
    fn from(error: ImageError) -> Self {
        match &error {
            ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::DimensionError) => {
                Refused::Size(format!("a side of more than {MAX_SIDE} pixels"))
            }
            ImageError::Limits(_) => Refused::Size("it needs too much memory".into()),
            other => Refused::Format(other.to_string()),
        }
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    limits
}

fn decode_jpeg<'a>(bytes: &[u8], budget: &'a Budget) -> Result<(Decoded, Permit<'a>), Refused> {
    let header = jpeg::Header::read(bytes).map_err(Refused::Format)?;
    let size = (header.width, header.height);
    let pixels = u64::from(size.0) * u64::from(size.1);
    let channels = if header.components == 1 { 1 } else { 3 };
    // The decoder works on a copy of the file.
    let whole = channels * pixels + header.coefficients + bytes.len() as u64;
    let eighth = pixels > MAX_PIXELS || whole > MAX_MEMORY;
    let cost = if eighth { header.eighth } else { whole };
    if cost > MAX_MEMORY {
        return Err(Refused::Size(format!("{}×{} pixels", size.0, size.1)));
    }
    let permit = budget.picture(cost + work(size));
    let reduced = jpeg::check(bytes, eighth).map_err(Refused::Format)?;
    let picture = match reduced {
        Some(picture) => picture,
        None => {
            let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
            reader.limits(limits());
            DynamicImage::from_decoder(reader.into_decoder()?)?
        }
    };
    let upright = orientation::of_jpeg(&header);
    Ok((
        Decoded {
            picture,
            upright,
            size,
        },
        permit,
    ))
}

fn decode_other<'a>(bytes: &[u8], budget: &'a Budget) -> Result<(Decoded, Permit<'a>), Refused> {
    let unknown = || Refused::Format(formats::described(bytes).to_owned());
    let format = formats::read(bytes).ok_or_else(unknown)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder()?;
    let size = decoder.dimensions();
    let pixels = u64::from(size.0) * u64::from(size.1);
    let decoded = decoder.total_bytes();
    let color = decoder.color_type();
    // Laid on a ground, it has four channels of 8 bits.
    let opaque = match color {
        ColorType::Rgba8 => 0,
        color if color.has_alpha() => 4 * pixels,
        _ => 0,
    };
    // The decoder of WebP keeps planes of its own.
    let own = if format == ImageFormat::WebP {
        decoded.max(4 * pixels)
    } else {
        0
    };
    let cost = decoded + opaque.max(own);
    if cost > MAX_MEMORY {
        return Err(Refused::Size(format!("{}×{} pixels", size.0, size.1)));
    }
    let upright = match format {
        ImageFormat::Png if has_odd_palette(bytes) => {
            return Err(Refused::Format("a palette with a part of a colour".into()));
        }
        ImageFormat::Png => orientation::of_png(bytes),
        ImageFormat::WebP => {
            let exif = decoder.exif_metadata().unwrap_or_default();
            let xmp = decoder.xmp_metadata().unwrap_or_default();
            orientation::of_webp(exif.as_deref(), xmp.as_deref())
        }
        _ => Upright::Turned(Orientation::NoTransforms),
    };
    let permit = budget.picture(cost + work(size));
    let mut picture = DynamicImage::from_decoder(decoder)?;
    brighten(&mut picture);
    Ok((
        Decoded {
            picture,
            upright,
            size,
        },
        permit,
    ))
}

/// Bytes that finding a digit in a picture of a size takes.
pub(crate) fn work((width, height): (u32, u32)) -> u64 {
    let long = u64::from(width.max(height)).max(1);
    let working = long.clamp(SMALL_SIDE.into(), WORKING_SIDE.into());
    let short = (u64::from(width.min(height)) * working).div_ceil(long);
    WORK + WORK_PER_PIXEL * working * short
}

impl Decoded {
    /// The picture turned as viewers show it, or as it stands where they disagree.
    pub fn upright(self) -> DynamicImage {
        let mut picture = self.picture;
        if let Upright::Turned(orientation) = self.upright {
            picture.apply_orientation(orientation);
        }
        picture
    }

    /// The picture at the working size, if it is larger.
    pub fn reduced(self) -> Reduced {
        let (mut width, mut height) = self.size;
        let mut picture = self.picture;
        if picture.width().max(picture.height()) > WORKING_SIDE {
            picture = if picture.color().has_alpha() {
                on_ground(picture.into_rgba8())
            } else {
                picture
            };
            let (width, height) = with_long_side(&picture, WORKING_SIDE);
            picture = shrunk(&picture, width, height).into_rgb8().into();
        }
        let mut certain = true;
        match self.upright {
            Upright::Turned(orientation) => {
                let before = (picture.width(), picture.height());
                picture.apply_orientation(orientation);
                if matches!(
                    orientation,
                    Orientation::Rotate90
                        | Orientation::Rotate270
                        | Orientation::Rotate90FlipH
                        | Orientation::Rotate270FlipH
                ) {
                    (width, height) = (height, width);
                    debug_assert_eq!((picture.height(), picture.width()), before);
                }
            }
            Upright::Unclear => certain = false,
        }
        let scale = width.max(height) as f32 / picture.width().max(picture.height()) as f32;
        Reduced {
            picture,
            scale,
            size: (width, height),
            certain,
        }
    }
}

impl Reduced {
    /// Where a region of this picture is in the larger one.
    pub fn region(&self, region: Region) -> Region {
        let span = |start: u32, length: u32, side: u32| {
            let first = ((start as f32 * self.scale) as u32).min(side - 1);
            let end = ((start + length) as f32 * self.scale).ceil() as u32;
            (first, end.clamp(first + 1, side) - first)
        };
        let (left, width) = span(region.left, region.width, self.size.0);
        let (top, height) = span(region.top, region.height, self.size.1);
        Region {
            left,
            top,
            width,
            height,
        }
    }
}

/// Gives a picture of 16 bits whose values need fewer its full range: 8 to 12 bits that a program or a
/// scanner has written as they were.
fn brighten(picture: &mut DynamicImage) {
    let (values, channels, alpha): (&mut [u16], usize, bool) = match picture {
        DynamicImage::ImageLuma16(picture) => (picture, 1, false),
        DynamicImage::ImageLumaA16(picture) => (picture, 2, true),
        DynamicImage::ImageRgb16(picture) => (picture, 3, false),
        DynamicImage::ImageRgba16(picture) => (picture, 4, true),
        _ => return,
    };
    let colours = channels - usize::from(alpha);
    for range in [0..colours, colours..channels] {
        let most = values
            .chunks_exact(channels)
            .flat_map(|pixel| &pixel[range.clone()])
            .max();
        let bits = match most {
            None | Some(0) => continue,
            Some(0..=0xff) => 8,
            Some(0..=0x3ff) => 10,
            Some(0..=0xfff) => 12,
            Some(_) => continue,
        };
        for pixel in values.chunks_exact_mut(channels) {
            for value in &mut pixel[range.clone()] {
                // The highest value becomes the highest of 16 bits.
                *value = *value << (16 - bits) | *value >> (2 * bits - 16);
            }
        }
    }
}

/// Whether a PNG's palette is no whole number of colours. The decoder of `png` 0.18.1 panics on it:
/// <https://github.com/image-rs/image-png/issues/694>.
fn has_odd_palette(bytes: &[u8]) -> bool {
    let limits = png::Limits {
        bytes: MAX_MEMORY as usize,
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
        opaque = on_ground(picture.to_rgba8());
        &opaque
    } else {
        picture
    };
    let long = width.max(height);
    let to = |long_side: u32| with_long_side(picture, long_side);
    let (scaled, scale) = if long > WORKING_SIDE {
        let (width, height) = to(WORKING_SIDE);
        (
            shrunk(picture, width, height),
            long as f32 / WORKING_SIDE as f32,
        )
    } else if long < SMALL_SIDE {
        let (width, height) = to(SMALL_SIDE);
        // Catmull-Rom keeps edges steeper than a linear filter would.
        let enlarge =
            |picture: &DynamicImage| picture.resize_exact(width, height, FilterType::CatmullRom);
        let rgb = picture.to_rgb8();
        // One channel takes a third of the time of three.
        let grey = rgb.pixels().all(|p| p.0[0] == p.0[1] && p.0[1] == p.0[2]);
        let enlarged = if grey {
            enlarge(&picture.to_luma8().into())
        } else {
            enlarge(picture)
        };
        (enlarged, long as f32 / SMALL_SIDE as f32)
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

/// Width and height of a picture scaled to a long side.
fn with_long_side(picture: &DynamicImage, long_side: u32) -> (u32, u32) {
    let long = u64::from(picture.width().max(picture.height()));
    let side =
        |side: u32| ((u64::from(side) * u64::from(long_side) + long / 2) / long).max(1) as u32;
    (side(picture.width()), side(picture.height()))
}

/// The picture at a smaller size, each pixel the mean of those that it stands for: what
/// [`DynamicImage::thumbnail_exact`] gives, several times as fast for 8 bits.
fn shrunk(picture: &DynamicImage, width: u32, height: u32) -> DynamicImage {
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

/// The picture on an opaque grey ground. If most of it is opaque, its own median is that ground
/// (a photo with rounded corners); else the picture is ink on nothing, and the ground is black for
/// light ink and white for dark.
fn on_ground(mut rgba: RgbaImage) -> DynamicImage {
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
