//! The IDX format of MNIST's files, plain or gzip: read without believing a byte of it.
//!
//! | bytes | images | labels |
//! |---|---|---|
//! | 0–3, big-endian | `0x00000803`: bytes in three dimensions | `0x00000801`: bytes in one |
//! | 4–7 | number of images | number of labels |
//! | 8–15 | 28, 28 | |
//! | the rest | a byte per pixel, row by row, 0 black | a byte per label, 0 to 9 |
//!
//! Gzip is recognised by its first two bytes, whatever the name; several members in a row read as
//! one stream. A header is held against the bytes present before anything is allocated for it:
//!
//! - at most [`MAX_ITEMS`] items;
//! - a plain file must have exactly the length that the header gives it;
//! - gzip cannot expand more than 1032-fold, so a header that promises more is refused unread, and
//!   above [`PLAUSIBLE_BYTES`] so is one that promises more than [`PLAUSIBLE_RATIO`]-fold
//!   (MNIST compresses 5-fold);
//! - decompression stops one byte after what the header promises.

mod body;

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use body::Body;

use crate::{CLASSES, DataError, HEIGHT, LabelledImages, PIXELS, WIDTH};

/// Most items that a file may hold: room for the largest published set in this format (EMNIST
/// ByClass, 697,932 training images).
pub const MAX_ITEMS: u32 = 700_000;
/// Up to this many uncompressed bytes any ratio that gzip can reach is accepted.
pub const PLAUSIBLE_BYTES: u64 = 16 << 20;
/// Greatest ratio of compression accepted above [`PLAUSIBLE_BYTES`].
pub const PLAUSIBLE_RATIO: u64 = 200;

/// Bytes of an IDX file that were not looked at yet.
pub struct Input<'a> {
    reader: Box<dyn BufRead + 'a>,
    present: u64,
    origin: String,
}

impl<'a> Input<'a> {
    /// A file in memory; `origin` names it in errors.
    pub fn bytes(bytes: &'a [u8], origin: impl Into<String>) -> Self {
        Self {
            reader: Box::new(bytes),
            present: bytes.len() as u64,
            origin: origin.into(),
        }
    }

    /// A file on disk.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] if it cannot be opened, [`DataError::NotAFile`] if it is a folder, a pipe or
    /// a device.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let origin = path.display().to_string();
        let io = |source| DataError::Io {
            action: "open",
            file: origin.clone(),
            source,
        };
        // Asked before opening: opening a pipe would wait for a writer.
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(DataError::NotAFile { file: origin });
        }
        let file = File::open(path).map_err(io)?;
        let present = file.metadata().map_err(io)?.len();
        Ok(Self {
            reader: Box::new(BufReader::with_capacity(1 << 16, file)),
            present,
            origin,
        })
    }
}

/// Reads a file of images: `[count, 28, 28]`, a byte per pixel.
///
/// # Errors
///
/// A [`DataError`] that names `origin` and what is wrong.
pub fn read_images(bytes: &[u8], origin: &str) -> Result<Vec<u8>, DataError> {
    read(Input::bytes(bytes, origin), &IMAGES, |_| Ok(()))
}

/// Reads a file of labels: `[count]`, each from 0 to 9.
///
/// # Errors
///
/// A [`DataError`] that names `origin` and what is wrong.
pub fn read_labels(bytes: &[u8], origin: &str) -> Result<Vec<u8>, DataError> {
    read_checked_labels(Input::bytes(bytes, origin))
}

/// Reads a file of labels of any number of classes: `[count]`.
///
/// # Errors
///
/// A [`DataError`] that names `origin` and what is wrong.
pub fn read_any_labels(bytes: &[u8], origin: &str) -> Result<Vec<u8>, DataError> {
    read(Input::bytes(bytes, origin), &LABELS, |_| Ok(()))
}

/// Reads the two files of a split.
///
/// # Errors
///
/// A [`DataError`] that names the file and what is wrong. If the counts differ, that is known from
/// the header, before the images are read.
pub fn read_split(images: Input, labels: Input) -> Result<LabelledImages, DataError> {
    let (image_file, label_file) = (images.origin.clone(), labels.origin.clone());
    let labels = read_checked_labels(labels)?;
    let pixels = read(images, &IMAGES, |count| {
        if count as usize == labels.len() {
            return Ok(());
        }
        Err(DataError::CountMismatch {
            images: image_file.clone(),
            image_count: count as usize,
            labels: label_file.clone(),
            label_count: labels.len(),
        })
    })?;
    LabelledImages::new(pixels, labels)
}

/// The 16 bytes that open a file of `count` images.
pub fn image_header(count: u32) -> [u8; 16] {
    let mut header = [0; 16];
    for (field, value) in
        header
            .chunks_exact_mut(4)
            .zip([IMAGES.magic, count, HEIGHT as u32, WIDTH as u32])
    {
        field.copy_from_slice(&value.to_be_bytes());
    }
    header
}

/// The 8 bytes that open a file of `count` labels.
pub fn label_header(count: u32) -> [u8; 8] {
    let mut header = [0; 8];
    header[..4].copy_from_slice(&LABELS.magic.to_be_bytes());
    header[4..].copy_from_slice(&count.to_be_bytes());
    header
}

/// Whether two files hold the same, each plain or gzip. What can't be unpacked is not the same.
pub(crate) fn same_content(one: &Path, other: &Path) -> Result<bool, DataError> {
    let mut one = unpacked(Input::open(one)?.reader);
    let mut other = unpacked(Input::open(other)?.reader);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    loop {
        first.clear();
        second.clear();
        let read = (&mut one).take(CHUNK).read_to_end(&mut first).is_ok()
            && (&mut other).take(CHUNK).read_to_end(&mut second).is_ok();
        if !read || first != second {
            return Ok(false);
        }
        if first.is_empty() {
            return Ok(true);
        }
    }
}

/// So many bytes are compared at a time.
const CHUNK: u64 = 1 << 16;

fn unpacked<'a>(mut reader: Box<dyn BufRead + 'a>) -> Box<dyn Read + 'a> {
    match reader.fill_buf() {
        Ok(first) if first.starts_with(&GZIP) => Box::new(MultiGzDecoder::new(reader)),
        _ => Box::new(reader),
    }
}

/// The first two bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

struct Kind {
    name: &'static str,
    magic: u32,
    header: u64,
    item: u64,
}

const IMAGES: Kind = Kind {
    name: "images",
    magic: 0x0000_0803,
    header: 16,
    item: PIXELS as u64,
};

const LABELS: Kind = Kind {
    name: "labels",
    magic: 0x0000_0801,
    header: 8,
    item: 1,
};

fn read_checked_labels(input: Input) -> Result<Vec<u8>, DataError> {
    let file = input.origin.clone();
    let labels = read(input, &LABELS, |_| Ok(()))?;
    match labels
        .iter()
        .position(|&label| usize::from(label) >= CLASSES)
    {
        Some(index) => Err(DataError::label(file, &labels, index)),
        None => Ok(labels),
    }
}

/// Reads what follows the header, after `accept` has seen the number of items.
fn read(
    input: Input,
    kind: &Kind,
    accept: impl FnOnce(u32) -> Result<(), DataError>,
) -> Result<Vec<u8>, DataError> {
    let Input {
        mut reader,
        present,
        origin,
    } = input;
    let mut first = Vec::with_capacity(64);
    (&mut reader)
        .take(64)
        .read_to_end(&mut first)
        .map_err(|source| DataError::Io {
            action: "read",
            file: origin.clone(),
            source,
        })?;
    if looks_like_html(&first) {
        return Err(DataError::Html { file: origin });
    }
    let gzip = first.starts_with(&GZIP);
    let stream = Cursor::new(first).chain(reader);
    if gzip {
        Body {
            reader: MultiGzDecoder::new(stream),
            present,
            gzip,
            origin,
        }
        .read(kind, accept)
    } else {
        Body {
            reader: stream,
            present,
            gzip,
            origin,
        }
        .read(kind, accept)
    }
}

fn looks_like_html(first: &[u8]) -> bool {
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    text.trim_ascii_start().first() == Some(&b'<')
}
