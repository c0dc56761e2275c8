//! From any picture to an image that a network takes: the handwritten symbol in it found and brought into
//! MNIST's frame, or the whole of it ([`read_whole`]). Knows nothing of networks.
//!
//! MNIST was made by scaling each digit into a box of 20×20 pixels, keeping its aspect ratio, and
//! placing the box in a field of 28×28 so that the digit's centre of mass is at the field's centre
//! (LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document
//! Recognition", section III.A). A network that learnt from such images expects every image so.
//!
//! 1. `picture` decodes within limits; `jpeg` tells damaged files that the decoder would fill with grey,
//!    `orientation` which way is up, `formats` what a file is. `decoded` turns the picture upright.
//! 2. `channels` lays it on an opaque `ground` and brings it to the size (`scale`) at which it is looked
//!    at.
//! 3. `axis` finds the colour that differs from the ground; `ink` removes uneven light, and gives the
//!    strength of ink at every pixel, whether dark on light or light on dark.
//! 4. `lines` tells ruled lines and the boxes of forms, made of `segments` of a `mask`, and `erase`
//!    removes them. `window` chooses how wide the surroundings are whose ground a pixel is compared with:
//!    `outlines` tell.
//! 5. `parts` finds connected strokes from their `runs`; `digits` says which belong to one digit.
//! 6. `render` brings these strokes into the frame, and `marks` tells whether they are more than a digit.
//!
//! All of them work on a `plane` of numbers: at another size (`resample`), by the greatest around each
//! (`morphology`), by `rank`.
//!
//! ```
//! use image::{Rgb, RgbImage};
//! use pictures::Framing;
//!
//! // A dark, slanting stroke on light paper.
//! let picture = RgbImage::from_fn(300, 200, |x, y| {
//!     let stroke = (40..160).contains(&y) && (x + y / 2).abs_diff(200) < 8;
//!     if stroke { Rgb([30, 40, 90]) } else { Rgb([240, 235, 220]) }
//! });
//! let Framing::Digit(framed) = pictures::find(&picture.into()) else { panic!("one digit") };
//! assert!(framed.region.height.abs_diff(120) <= 2);
//! assert_eq!(framed.pixels[0], 0, "the ground is black");
//! ```

#![forbid(unsafe_code)]

mod axis;
mod channels;
mod decoded;
mod digits;
mod erase;
mod error;
mod formats;
mod framing;
mod ground;
mod ink;
mod jpeg;
mod limits;
mod lines;
mod marks;
mod mask;
mod memory;
mod morphology;
mod orientation;
mod outlines;
mod parts;
mod picture;
mod plane;
mod rank;
mod render;
mod resample;
mod runs;
mod scale;
mod segments;
mod whole;
mod window;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use image::DynamicImage;

pub use error::FrameError;
pub use formats::{is_litter, is_picture};
pub use framing::{Framed, Framing, Region};
pub use limits::{MAX_BYTES, MAX_MEMORY, MAX_PIXELS, MAX_SIDE};
pub use memory::Budget;

/// Rows of the frame.
pub const HEIGHT: usize = 28;
/// Columns of the frame.
pub const WIDTH: usize = 28;
/// Pixels of the frame, stored row by row.
pub const PIXELS: usize = HEIGHT * WIDTH;

/// Reads a file in PNG, JPEG, WebP or BMP and finds its digit. What the file is follows from its bytes,
/// not its name.
///
/// # Errors
///
/// A [`FrameError`] that names the file, if it can't be read, isn't a whole picture or is too large.
pub fn read(path: impl AsRef<Path>) -> Result<Framing, FrameError> {
    read_within(path, &Budget::new())
}

/// [`read`] on many threads that share a budget for their memory.
///
/// # Errors
///
/// Those of [`read`].
pub fn read_within(path: impl AsRef<Path>, budget: &Budget) -> Result<Framing, FrameError> {
    let (decoded, permit) = read_file(path.as_ref(), budget)?;
    Ok(find_decoded(decoded, permit))
}

/// Reads a file as an image of these sides, `[channels, height, width]`: all of the picture, scaled, with
/// its proportions kept and the mean colour of its edge beside it where it is longer or wider. A picture
/// of just these sides is taken as it is, bit for bit. `channels` is 1 for grey, else 3.
///
/// # Errors
///
/// Those of [`read`], and [`FrameError::Orientation`] if it is unknown which way is up.
pub fn read_whole(
    path: impl AsRef<Path>,
    sides: [usize; 3],
    budget: &Budget,
) -> Result<Vec<u8>, FrameError> {
    let path = path.as_ref();
    let (decoded, permit) = read_file(path, budget)?;
    whole_decoded(decoded, permit, sides, &shown(path))
}

/// [`read_whole`] of the bytes of a picture; `name` is what errors call it.
///
/// # Errors
///
/// Those of [`decode`], and [`FrameError::Orientation`] if it is unknown which way is up.
pub fn decode_whole(
    bytes: &[u8],
    name: &str,
    sides: [usize; 3],
    budget: &Budget,
) -> Result<Vec<u8>, FrameError> {
    let (decoded, permit) = picture::decode(bytes, name, budget)?;
    whole_decoded(decoded, permit, sides, name)
}

fn whole_decoded(
    decoded: decoded::Decoded,
    mut permit: memory::Permit,
    sides: [usize; 3],
    name: &str,
) -> Result<Vec<u8>, FrameError> {
    let reduced = decoded.reduced();
    permit.shrink(picture::work(reduced.size));
    if !reduced.certain {
        return Err(FrameError::Orientation {
            file: name.to_owned(),
        });
    }
    Ok(whole::fitted(reduced.picture, sides))
}

fn read_file<'a>(
    path: &Path,
    budget: &'a Budget,
) -> Result<(decoded::Decoded, memory::Permit<'a>), FrameError> {
    let name = shown(path);
    let io = |source| FrameError::Io {
        file: name.clone(),
        source,
    };
    // Opening a pipe would wait for its writer: look before.
    let metadata = path.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(FrameError::NotAFile { file: name });
    }
    let room = budget.file(metadata.len());
    let mut bytes = Vec::with_capacity(metadata.len().min(MAX_BYTES) as usize + 1);
    // One byte more than allowed tells a file that is too large, whatever its metadata says.
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(io)?;
    let decoded = picture::decode(&bytes, &name, budget);
    drop((bytes, room));
    decoded
}

/// Finds the digit in the bytes of a picture; `name` is what errors call it.
///
/// # Errors
///
/// [`FrameError::Format`] if they are not a whole picture, [`FrameError::TooLarge`] if it is too large.
pub fn decode(bytes: &[u8], name: &str) -> Result<Framing, FrameError> {
    decode_within(bytes, name, &Budget::new())
}

/// [`decode`] on many threads that share a budget for their memory.
///
/// # Errors
///
/// Those of [`decode`].
pub fn decode_within(bytes: &[u8], name: &str, budget: &Budget) -> Result<Framing, FrameError> {
    let (decoded, permit) = picture::decode(bytes, name, budget)?;
    Ok(find_decoded(decoded, permit))
}

fn find_decoded(decoded: decoded::Decoded, mut permit: memory::Permit) -> Framing {
    let reduced = decoded.reduced();
    permit.shrink(picture::work(reduced.size));
    if !reduced.certain {
        return Framing::OrientationUnclear;
    }
    match find(&reduced.picture) {
        Framing::Digit(mut framed) => {
            framed.region = reduced.region(framed.region);
            Framing::Digit(framed)
        }
        Framing::Marked(mut framed) => {
            framed.region = reduced.region(framed.region);
            Framing::Marked(framed)
        }
        Framing::Several(regions) => Framing::Several(
            regions
                .into_iter()
                .map(|region| reduced.region(region))
                .collect(),
        ),
        other => other,
    }
}

/// The picture in the bytes of a file, turned as viewers show it: what [`find`] takes. JPEG files of
/// more than [`MAX_PIXELS`] pixels are given at an eighth of their size. `name` is what errors call it.
///
/// # Errors
///
/// Those of [`decode`].
pub fn picture(bytes: &[u8], name: &str) -> Result<DynamicImage, FrameError> {
    Ok(picture::decode(bytes, name, &Budget::new())?.0.upright())
}

/// A path on one line, as messages name it: bytes that are no UTF-8 and control characters stand as
/// escapes (`\xE4`, `\n`), so that two names are never shown alike.
pub fn shown(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character.is_control() {
                true => text.extend(character.escape_default()),
                false => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a string can't fail.
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text
}

/// Finds the digit in a picture: upright, of any size, dark on light or light on dark.
///
/// An image that already has MNIST's frame (28×28, opaque, grey, black ground, a box of 19 or 20
/// pixels, its centre of mass in the middle; or its negative) is taken as it is, bit for bit.
pub fn find(picture: &DynamicImage) -> Framing {
    if let Some(framed) = render::already_framed(picture) {
        return Framing::Digit(Box::new(framed));
    }
    let Some((channels, scale)) = channels::channels(picture) else {
        return Framing::Nothing;
    };
    let Some(strength) = ink::ink(&channels)
        .map(lines::removed)
        .and_then(|ink| window::strength(&ink, scale < 1.0))
    else {
        return Framing::Nothing;
    };
    let strength = parts::without_gaps(strength);
    let in_picture =
        |bounds: parts::Bounds| bounds.region(scale, picture.width(), picture.height());
    match digits::digits(&strength) {
        digits::Digits::None => Framing::Nothing,
        digits::Digits::One(strokes) => match render::frame(&strength, &strokes) {
            Some(pixels) => {
                let region = in_picture(strokes.bounds);
                let framed = Box::new(Framed { pixels, region });
                if marks::marked(&pixels) {
                    Framing::Marked(framed)
                } else {
                    Framing::Digit(framed)
                }
            }
            None => Framing::Nothing,
        },
        digits::Digits::Several(all) => Framing::Several(all.into_iter().map(in_picture).collect()),
    }
}
