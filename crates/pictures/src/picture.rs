//! From the bytes of a file to a picture, within limits.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::error::{ImageError, LimitErrorKind};
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::decoded::Decoded;
use crate::error::FrameError;
use crate::limits::{MAX_BYTES, MAX_MEMORY, MAX_PIXELS, MAX_SIDE};
use crate::memory::{Budget, Permit};
use crate::orientation::{self, Upright};
use crate::scale::{SMALL_SIDE, WORKING_SIDE};
use crate::{formats, jpeg};

/// Pixels of a JPEG from which its data are checked on a thread beside the one that decodes.
const MANY_PIXELS: u64 = 2_000_000;

/// Bytes that finding the digit takes for each pixel at the working size, and beside them.
const WORK_PER_PIXEL: u64 = 112;
const WORK: u64 = 1_000_000;

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
    .unwrap_or_else(|_| Err(failed()))
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
    let check = || jpeg::check(bytes, eighth).map_err(Refused::Format);
    let decode = || {
        let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
        reader.limits(limits());
        Ok(DynamicImage::from_decoder(reader.into_decoder()?)?)
    };
    // For what keeps its coefficients, checking takes memory of its own.
    let picture = if !eighth && header.coefficients == 0 && pixels >= MANY_PIXELS {
        let (checked, decoded) = together(check, decode);
        checked.and(decoded)?
    } else {
        match check()? {
            Some(picture) => picture,
            None => decode()?,
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

/// Does both at the same time, if there is a thread to be had.
fn together<A: Send, B>(
    a: impl Fn() -> Result<A, Refused> + Sync,
    b: impl FnOnce() -> B,
) -> (Result<A, Refused>, B) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, &a);
        let b = b();
        let a = match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| Err(failed())),
            Err(_) => a(),
        };
        (a, b)
    })
}

fn failed() -> Refused {
    Refused::Format("the decoder failed".into())
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
