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
//!   above [`PLAUSIBLE_BYTES`] so is one that promises more than [`PLAUSIBLE_RATIO`]-fold (real
//!   images stay under 20-fold);
//! - decompression stops one byte after what the header promises.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::{CLASSES, DataError, HEIGHT, LabelledImages, PIXELS, WIDTH};

/// Most items that a file may hold: room for the largest published set in this format (EMNIST
/// ByClass, 697,932 training images).
pub const MAX_ITEMS: u32 = 700_000;
/// Up to this many uncompressed bytes any ratio that gzip can reach is accepted.
pub const PLAUSIBLE_BYTES: u64 = 16 << 20;
/// Greatest ratio of compression accepted above [`PLAUSIBLE_BYTES`].
pub const PLAUSIBLE_RATIO: u64 = 200;

/// No deflate stream expands further (RFC 1951: 258 bytes out of two bits).
const GZIP_LIMIT: u64 = 1032;
/// Reserved in one piece; what promises more grows as its bytes arrive.
const RESERVE: u64 = 48 << 20;

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
        Some(index) => Err(DataError::Label {
            file,
            index,
            label: labels[index],
        }),
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
    let gzip = first.starts_with(&[0x1f, 0x8b]);
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

/// An uncompressed stream and what is known of the file behind it.
struct Body<R> {
    reader: R,
    /// Bytes in the file, compressed if `gzip`.
    present: u64,
    gzip: bool,
    origin: String,
}

impl<R: Read> Body<R> {
    fn read(
        mut self,
        kind: &Kind,
        accept: impl FnOnce(u32) -> Result<(), DataError>,
    ) -> Result<Vec<u8>, DataError> {
        let count = self.header(kind)?;
        let content = u64::from(count) * kind.item;
        let promised = kind.header + content;
        self.check_size(promised)?;
        accept(count)?;
        let mut items = Vec::new();
        items.reserve_exact(content.min(RESERVE) as usize);
        self.fill(&mut items, content)?;
        if (items.len() as u64) < content {
            return Err(DataError::Truncated {
                file: self.origin,
                promised,
                present: kind.header + items.len() as u64,
            });
        }
        // One byte more must not be there; asking for it also makes gzip check its checksum.
        if self.fill(&mut Vec::new(), 1)? > 0 {
            return Err(DataError::Trailing {
                file: self.origin,
                promised,
            });
        }
        Ok(items)
    }

    /// Reads and checks the header; gives the number of items.
    fn header(&mut self, kind: &Kind) -> Result<u32, DataError> {
        let mut bytes = Vec::with_capacity(kind.header as usize);
        self.fill(&mut bytes, kind.header)?;
        let file = || self.origin.clone();
        let mut fields = bytes.chunks_exact(4).map(|field| {
            field
                .iter()
                .fold(0, |value, &byte| value << 8 | u32::from(byte))
        });
        let truncated = || DataError::Truncated {
            file: file(),
            promised: kind.header,
            present: bytes.len() as u64,
        };
        let magic = fields.next().ok_or_else(truncated)?;
        if magic != kind.magic {
            return Err(DataError::Magic {
                file: file(),
                kind: kind.name,
                expected: kind.magic,
                found: magic,
                hint: hint(kind, magic),
            });
        }
        let count = fields.next().ok_or_else(truncated)?;
        let size = match kind.header {
            16 => Some((
                fields.next().ok_or_else(truncated)?,
                fields.next().ok_or_else(truncated)?,
            )),
            _ => None,
        };
        if count == 0 {
            return Err(DataError::Empty {
                file: file(),
                kind: kind.name,
            });
        }
        if let Some((height, width)) = size
            && (height as usize, width as usize) != (HEIGHT, WIDTH)
        {
            return Err(DataError::ImageSize {
                file: file(),
                height,
                width,
            });
        }
        if count > MAX_ITEMS {
            return Err(DataError::TooMany {
                file: file(),
                kind: kind.name,
                count,
                limit: MAX_ITEMS,
            });
        }
        Ok(count)
    }

    /// Whether the file can hold `promised` uncompressed bytes.
    fn check_size(&self, promised: u64) -> Result<(), DataError> {
        let file = || self.origin.clone();
        let present = self.present;
        if self.gzip {
            let ratio = if promised > PLAUSIBLE_BYTES {
                PLAUSIBLE_RATIO
            } else {
                GZIP_LIMIT
            };
            if promised > present.saturating_mul(ratio) {
                return Err(DataError::Implausible {
                    file: file(),
                    promised,
                    present,
                });
            }
        } else if present < promised {
            return Err(DataError::Truncated {
                file: file(),
                promised,
                present,
            });
        } else if present > promised {
            return Err(DataError::Trailing {
                file: file(),
                promised,
            });
        }
        Ok(())
    }

    /// Appends up to `limit` bytes to `out` and gives how many there were. A stream that ends early
    /// is no error here: the caller knows what is missing.
    fn fill(&mut self, out: &mut Vec<u8>, limit: u64) -> Result<u64, DataError> {
        let before = out.len();
        match (&mut self.reader).take(limit).read_to_end(out) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(DataError::Gzip {
                    file: self.origin.clone(),
                    source: std::io::Error::new(ErrorKind::UnexpectedEof, "it ends too early"),
                });
            }
            Err(source)
                if self.gzip
                    && matches!(
                        source.kind(),
                        ErrorKind::InvalidInput | ErrorKind::InvalidData
                    ) =>
            {
                return Err(DataError::Gzip {
                    file: self.origin.clone(),
                    source,
                });
            }
            Err(source) => {
                return Err(DataError::Io {
                    action: "read",
                    file: self.origin.clone(),
                    source,
                });
            }
        }
        Ok((out.len() - before) as u64)
    }
}

fn hint(kind: &Kind, found: u32) -> &'static str {
    match found {
        _ if found == kind.magic.swap_bytes() => {
            "its numbers are little-endian, the format's are big-endian; convert it"
        }
        0x0801 => "it is a file of labels; the two files may be swapped",
        0x0803 => "it is a file of images; the two files may be swapped",
        0x0804 => "its images have more than one channel; convert them to grey",
        _ => "it is another kind of file, or damaged; fetch it again",
    }
}
