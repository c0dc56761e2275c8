//! The IDX format of MNIST's files, plain or gzip: read without believing a byte of it.
//!
//! | bytes | images | labels |
//! |---|---|---|
//! | 0–3 | `00 00 08 03`: bytes in three dimensions; `…04` in four | `00 00 08 01`: bytes; `…0b 01`, `…0c 01`: 16- and 32-bit integers |
//! | 4–7, big-endian | number of images | number of labels |
//! | 8–15, 8–19 | height, width; channels, height, width | |
//! | the rest | a byte per channel of a pixel, row by row, 0 black | the labels, big-endian |
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
mod content;
mod limits;

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use body::{Body, Items};
use content::Content;
pub use limits::{MAX_ITEMS, PLAUSIBLE_BYTES, PLAUSIBLE_RATIO};

use crate::{Classes, DataError, ImageShape, LabelledImages};

pub use crate::header::{images as image_header, labels as label_header};

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

/// Reads a file of images: their shape, and `[count, channels, height, width]`.
///
/// # Errors
///
/// A [`DataError`] that names `origin` and what is wrong.
pub fn read_images(bytes: &[u8], origin: &str) -> Result<(ImageShape, Vec<u8>), DataError> {
    let input = Input::bytes(bytes, origin);
    let (shape, pixels, _) = images(input, |_| Ok(()))?;
    Ok((shape, pixels))
}

/// Reads a file of labels as they stand in it: `[count]`.
///
/// # Errors
///
/// A [`DataError`] that names `origin` and what is wrong.
pub fn read_labels(bytes: &[u8], origin: &str) -> Result<Vec<u16>, DataError> {
    labels(Input::bytes(bytes, origin))
}

/// Reads the two files of a split, whose classes `classes` tells from the labels as they stand in the
/// file.
///
/// # Errors
///
/// A [`DataError`] that names the file and what is wrong, those of `classes` among them. If the counts
/// differ, that is known from the header, before the images are read.
pub fn read_split(
    image_file: Input,
    label_file: Input,
    classes: impl FnOnce(&[u16]) -> Result<Classes, DataError>,
) -> Result<LabelledImages, DataError> {
    let names = [&image_file, &label_file].map(|file| file.origin.clone());
    let found = labels(label_file)?;
    let classes = classes(&found)?;
    let mut labels = Vec::with_capacity(found.len());
    for (index, &label) in found.iter().enumerate() {
        let class = classes.index_of(label);
        labels.push(class.ok_or_else(|| DataError::Label {
            file: names[1].clone(),
            index,
            label,
            known: ranges(classes.labels()),
        })?);
    }
    let (shape, pixels, digest) = images(image_file, |count| {
        if count as usize == labels.len() {
            return Ok(());
        }
        Err(DataError::CountMismatch {
            images: names[0].clone(),
            image_count: count as usize,
            labels: names[1].clone(),
            label_count: labels.len(),
        })
    })?;
    let images = LabelledImages::new(shape, classes, pixels, labels)?;
    Ok(match digest {
        Some(digest) => images.with_digest_of_images(digest),
        None => images,
    })
}

/// The labels that are there, ascending.
pub(crate) fn distinct(labels: &[u16]) -> Vec<u16> {
    let distinct: std::collections::BTreeSet<u16> = labels.iter().copied().collect();
    distinct.into_iter().collect()
}

/// Ascending numbers in few words: `0 to 9`, `1 to 26, 30`.
fn ranges(numbers: &[u16]) -> String {
    let follows = |a: &u16, b: &u16| a.checked_add(1) == Some(*b);
    let runs = numbers.chunk_by(follows).map(|run| match run {
        [one] => one.to_string(),
        run => format!("{} to {}", run[0], run[run.len() - 1]),
    });
    runs.collect::<Vec<_>>().join(", ")
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

fn images(
    input: Input,
    accept: impl FnOnce(u32) -> Result<(), DataError>,
) -> Result<(ImageShape, Vec<u8>, Option<String>), DataError> {
    let file = input.origin.clone();
    let Items {
        item,
        bytes,
        digest,
    } = read(input, Content::Images, accept)?;
    let [channels, height, width] = item.map(|side| side as usize);
    let shape = ImageShape::new(channels, height, width);
    Ok((shape.map_err(|error| error.of_file(file))?, bytes, digest))
}

fn labels(input: Input) -> Result<Vec<u16>, DataError> {
    let file = input.origin.clone();
    let Items {
        item: [_, _, size],
        bytes,
        ..
    } = read(input, Content::Labels, |_| Ok(()))?;
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |value, &byte| value << 8 | u32::from(byte))
    };
    let labels = bytes.chunks_exact(size.max(1) as usize).map(number);
    labels
        .enumerate()
        .map(|(index, label)| {
            u16::try_from(label).map_err(|_| DataError::WideLabel {
                file: file.clone(),
                index,
            })
        })
        .collect()
}

/// Reads what follows the header, after `accept` has seen the number of items.
fn read(
    input: Input,
    content: Content,
    accept: impl FnOnce(u32) -> Result<(), DataError>,
) -> Result<Items, DataError> {
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
    let reader: Box<dyn Read> = match gzip {
        true => Box::new(MultiGzDecoder::new(stream)),
        false => Box::new(stream),
    };
    Body {
        reader,
        present,
        gzip,
        origin,
    }
    .read(content, accept)
}

fn looks_like_html(first: &[u8]) -> bool {
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    text.trim_ascii_start().first() == Some(&b'<')
}
