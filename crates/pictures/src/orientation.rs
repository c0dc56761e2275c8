//! Which way is up: what a file says of how the camera was held.
//!
//! Where viewers agree, the picture is turned as they do. Where some heed a note and others don't, it is
//! not for a program to guess: a 9 would become a 6.

use std::io::Read;

use flate2::read::ZlibDecoder;
use image::metadata::Orientation;

use crate::jpeg;

/// Bytes of a text that are looked through.
const MAX_TEXT: u64 = 1 << 20;

/// What the notes in a file come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upright {
    /// Turned so, it stands as all viewers show it.
    Turned(Orientation),
    /// Viewers disagree.
    Unclear,
}

/// By a JPEG's first Exif segment. Some programs heed a later one that says otherwise, and some an XMP
/// packet where Exif says nothing.
pub(crate) fn of_jpeg(header: &jpeg::Header) -> Upright {
    let notes: Vec<_> = header.exif.iter().map(|exif| of_exif(exif)).collect();
    let first = notes.first().copied().flatten();
    match notes.iter().flatten().next() {
        Some(_) => settled(first, notes.iter().copied().flatten()),
        None => settled(None, header.xmp.and_then(of_xmp).into_iter()),
    }
}

/// By the Exif chunk of a WebP file.
pub(crate) fn of_webp(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Upright {
    match exif.and_then(of_exif) {
        Some(note) => Upright::Turned(note),
        None => settled(None, xmp.and_then(of_xmp).into_iter()),
    }
}

/// By a PNG's Exif chunk before the pixels. Many programs, but not browsers, heed one behind them and
/// the texts in which older programs keep Exif; some heed XMP where Exif says nothing.
pub(crate) fn of_png(bytes: &[u8]) -> Upright {
    let (mut first, mut others, mut xmp) = (None, Vec::new(), None);
    let mut behind = false;
    for (kind, content) in chunks(bytes) {
        match kind {
            b"IDAT" => behind = true,
            b"eXIf" => match of_exif(content) {
                Some(note) if !behind && first.is_none() => first = Some(note),
                note => others.extend(note),
            },
            b"tEXt" | b"zTXt" | b"iTXt" => {
                let Some((keyword, text)) = text(kind, content) else {
                    continue;
                };
                match keyword {
                    b"Raw profile type exif" | b"Raw profile type APP1" => {
                        let profile = raw_profile(&text);
                        // Either may stand in an APP1 profile.
                        others.extend(of_exif(&profile));
                        xmp = xmp.or_else(|| of_xmp(&profile));
                    }
                    b"Raw profile type xmp" => xmp = xmp.or_else(|| of_xmp(&raw_profile(&text))),
                    b"XML:com.adobe.xmp" => xmp = xmp.or_else(|| of_xmp(&text)),
                    b"exif:Orientation" | b"Orientation" => {
                        others.extend(text.first().and_then(|&digit| of_digit(digit)));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    if first.is_none() && others.is_empty() {
        others.extend(xmp);
    }
    settled(first, others.into_iter())
}

/// As the note says that all heed, if no other contradicts it; no note means upright.
fn settled(first: Option<Orientation>, mut others: impl Iterator<Item = Orientation>) -> Upright {
    let first = first.unwrap_or(Orientation::NoTransforms);
    match others.all(|other| other == first) {
        true => Upright::Turned(first),
        false => Upright::Unclear,
    }
}

/// The note in Exif data, with or without their name before them.
fn of_exif(exif: &[u8]) -> Option<Orientation> {
    Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
}

/// The note in an XMP packet, an attribute or an element.
fn of_xmp(xmp: &[u8]) -> Option<Orientation> {
    const NAME: &[u8] = b"tiff:Orientation";
    let at = xmp.windows(NAME.len()).position(|window| window == NAME)?;
    let mut behind = xmp[at + NAME.len()..].iter().copied();
    of_digit(behind.find(|byte| !b"=\"'> \t\r\n".contains(byte))?)
}

fn of_digit(digit: u8) -> Option<Orientation> {
    Orientation::from_exif(digit.checked_sub(b'0')?)
}

/// The types and contents of a PNG's chunks, as far as they are whole.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (kind, behind) = behind.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (content, behind) = behind.split_at_checked(length)?;
        rest = behind.get(4..)?;
        Some((kind, content))
    })
}

/// The keyword and the text of a chunk.
fn text<'a>(kind: &[u8; 4], content: &'a [u8]) -> Option<(&'a [u8], Vec<u8>)> {
    let (keyword, behind) = until_zero(content)?;
    let (compressed, text) = match kind {
        b"tEXt" => (false, behind),
        b"zTXt" => (true, behind.get(1..)?),
        _ => {
            let (_, translated) = until_zero(behind.get(2..)?)?;
            (behind[0] == 1, until_zero(translated)?.1)
        }
    };
    let mut plain = Vec::new();
    match compressed {
        // What was inflated before damage is looked through all the same.
        true => drop(
            ZlibDecoder::new(text)
                .take(MAX_TEXT)
                .read_to_end(&mut plain),
        ),
        false => plain.extend(&text[..text.len().min(MAX_TEXT as usize)]),
    }
    Some((keyword, plain))
}

fn until_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// The bytes of a profile that ImageMagick and others keep in a text: its name and length on two lines,
/// then hexadecimal digits.
fn raw_profile(text: &[u8]) -> Vec<u8> {
    let mut lines = text.trim_ascii_start().splitn(3, |&byte| byte == b'\n');
    let digits = lines.nth(2).unwrap_or_default();
    let digits: Vec<u8> = digits
        .iter()
        .filter_map(|&digit| char::from(digit).to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| 16 * pair[0] + pair[1])
        .collect()
}
