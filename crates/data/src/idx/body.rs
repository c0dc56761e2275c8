use std::io::{ErrorKind, Read};
use std::sync::mpsc;
use std::thread;

use sha2::{Digest, Sha256};

use super::limits::{MAX_ITEMS, PLAUSIBLE_BYTES, PLAUSIBLE_RATIO};
use crate::header::{self, BYTES, INTS, SHORTS};
use crate::images::hexadecimal;
use crate::{DataError, ImageShape};

/// No deflate stream expands further (RFC 1951: 258 bytes out of two bits).
const GZIP_LIMIT: u64 = 1032;
/// Reserved in one piece; what promises more grows as its bytes arrive.
const RESERVE: u64 = 48 << 20;
/// So many bytes are handed to the thread that computes a digest at a time.
const PORTION: u64 = 1 << 19;
/// So many portions wait for it at most.
const PORTIONS: usize = 8;

/// What a file is to hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Images,
    Labels,
}

impl Content {
    fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }

    /// Whether the third and fourth byte are those of such a file.
    fn is(self, kind: u8, dimensions: u8) -> bool {
        match self {
            Self::Images => kind == BYTES && (3..=4).contains(&dimensions),
            Self::Labels => [BYTES, SHORTS, INTS].contains(&kind) && dimensions == 1,
        }
    }
}

/// What follows a header.
pub(super) struct Items {
    /// Channels, height and width of an image; 1, 1 and the bytes of a label.
    pub(super) item: [u32; 3],
    /// All of them.
    pub(super) bytes: Vec<u8>,
    /// The SHA-256 of images with the header that [`header::images`] gives them, where it was computed
    /// beside the reading.
    pub(super) digest: Option<String>,
}

/// What a header says.
struct Header {
    count: u32,
    /// Channels, height and width of an image; 1, 1 and the bytes of a label.
    item: [u32; 3],
    /// Its own bytes.
    length: u64,
}

/// An uncompressed stream and what is known of the file behind it.
pub(super) struct Body<R> {
    pub(super) reader: R,
    /// Bytes in the file, compressed if `gzip`.
    pub(super) present: u64,
    pub(super) gzip: bool,
    pub(super) origin: String,
}

impl<R: Read> Body<R> {
    /// Reads and checks the header, lets `accept` see the number of items, and reads them.
    pub(super) fn read(
        mut self,
        content: Content,
        accept: impl FnOnce(u32) -> Result<(), DataError>,
    ) -> Result<Items, DataError> {
        let Header {
            count,
            item,
            length,
        } = self.header(content)?;
        let sizes = [count, item[0], item[1], item[2]].map(u64::from);
        let size = sizes.into_iter().fold(1, u64::saturating_mul);
        let promised = size.saturating_add(length);
        self.check_size(promised)?;
        accept(count)?;
        let mut bytes = Vec::new();
        bytes.reserve_exact(size.min(RESERVE) as usize);
        let digest = match content {
            Content::Images if size > 4 * PORTION => {
                let [channels, height, width] = item.map(|side| side as usize);
                let shape = ImageShape {
                    channels,
                    height,
                    width,
                };
                self.fill_and_digest(&mut bytes, size, &header::images(count, shape))?
            }
            _ => {
                self.fill(&mut bytes, size)?;
                None
            }
        };
        if (bytes.len() as u64) < size {
            return Err(DataError::Truncated {
                file: self.origin,
                promised,
                present: length + bytes.len() as u64,
            });
        }
        // One byte more must not be there; asking for it also makes gzip check its checksum.
        if self.fill(&mut Vec::new(), 1)? > 0 {
            return Err(DataError::Trailing {
                file: self.origin,
                promised,
            });
        }
        Ok(Items {
            item,
            bytes,
            digest,
        })
    }

    /// Appends up to `limit` bytes to `out`, while another thread computes the SHA-256 of `before` and
    /// them, if there can be one.
    fn fill_and_digest(
        &mut self,
        out: &mut Vec<u8>,
        limit: u64,
        before: &[u8],
    ) -> Result<Option<String>, DataError> {
        thread::scope(|scope| {
            let (sender, portions) = mpsc::sync_channel::<Vec<u8>>(PORTIONS);
            let digest = thread::Builder::new().spawn_scoped(scope, move || {
                let mut hasher = Sha256::new_with_prefix(before);
                portions.iter().for_each(|portion| hasher.update(portion));
                hexadecimal(hasher)
            });
            let (mut read, mut left) = (1, limit);
            while read > 0 && left > 0 {
                let start = out.len();
                read = self.fill(out, left.min(PORTION))?;
                left -= read;
                if digest.is_ok() {
                    // Without a receiver there is no digest, and whoever wants it computes it.
                    let _ = sender.send(out[start..].to_vec());
                }
            }
            drop(sender);
            Ok(digest.ok().and_then(|digest| digest.join().ok()))
        })
    }

    fn header(&mut self, content: Content) -> Result<Header, DataError> {
        let magic = self.field(4, 0)?;
        let [zero, other_zero, kind, dimensions] = magic.to_be_bytes();
        if (zero, other_zero) != (0, 0) || !content.is(kind, dimensions) {
            return Err(DataError::Magic {
                file: self.origin.clone(),
                kind: content.name(),
                found: magic,
                hint: hint(content, magic),
            });
        }
        let length = 4 + 4 * u64::from(dimensions);
        let count = self.field(length, 4)?;
        let mut item = [1; 3];
        for at in 4 - dimensions..3 {
            let read = 8 + 4 * u64::from(at + dimensions - 4);
            item[usize::from(at)] = self.field(length, read)?;
        }
        if content == Content::Labels {
            item[2] = match kind {
                SHORTS => 2,
                INTS => 4,
                _ => 1,
            };
        }
        let (file, kind) = (self.origin.clone(), content.name());
        if count == 0 {
            return Err(DataError::Empty { file, kind });
        }
        if item.contains(&0) {
            return Err(DataError::NoPixels { file });
        }
        // As NumPy and TensorFlow lay colours out.
        if dimensions == 4 && ![1, 3].contains(&item[0]) && [1, 3].contains(&item[2]) {
            return Err(DataError::ChannelsLast { file, item });
        }
        if content == Content::Images {
            let [channels, height, width] = item.map(|side| side as usize);
            ImageShape::new(channels, height, width)
                .map_err(|error| error.of_file(file.clone()))?;
        }
        if count > MAX_ITEMS {
            return Err(DataError::TooMany {
                file,
                kind,
                count,
                limit: MAX_ITEMS,
            });
        }
        Ok(Header {
            count,
            item,
            length,
        })
    }

    /// The next four bytes of a header of `length` bytes, `read` of which were read before.
    fn field(&mut self, length: u64, read: u64) -> Result<u32, DataError> {
        let mut bytes = Vec::with_capacity(4);
        self.fill(&mut bytes, 4)?;
        match *bytes {
            [a, b, c, d] => Ok(u32::from_be_bytes([a, b, c, d])),
            _ => Err(DataError::Truncated {
                file: self.origin.clone(),
                promised: length,
                present: read + bytes.len() as u64,
            }),
        }
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

/// What another magic number says that the file is.
fn hint(content: Content, found: u32) -> &'static str {
    let [zero, other_zero, kind, dimensions] = found.to_be_bytes();
    let [.., swapped_zero, last_zero] = found.to_be_bytes();
    let [reversed_dimensions, reversed_kind, ..] = found.to_be_bytes();
    if (swapped_zero, last_zero) == (0, 0) && content.is(reversed_kind, reversed_dimensions) {
        return "its numbers are little-endian, the format's are big-endian; convert it";
    }
    if (zero, other_zero) != (0, 0) || !(1..=4).contains(&dimensions) {
        return "it is another kind of file, or damaged; fetch it again";
    }
    match (kind, dimensions) {
        (0x08, 1) => "it is a file of labels; the two files may be swapped",
        (0x08, 3 | 4) => "it is a file of images; the two files may be swapped",
        (0x08, _) => {
            "it is an IDX file of bytes in two dimensions; write labels as a plain list, images in \
             three dimensions"
        }
        (0x0c, 2) => {
            "it is an IDX file of 32-bit integers in two dimensions, as QMNIST's labels are; write its \
             first column as a plain list"
        }
        (0x09, _) => {
            "it is an IDX file of signed bytes; write its values as unsigned ones, 0 to 255"
        }
        (0x0b, _) => "it is an IDX file of 16-bit integers; write its values as bytes, 0 to 255",
        (0x0c, _) => "it is an IDX file of 32-bit integers; write its values as bytes, 0 to 255",
        (0x0d, _) => {
            "it is an IDX file of 32-bit floating-point numbers; write its values as bytes, 0 to 255"
        }
        (0x0e, _) => {
            "it is an IDX file of 64-bit floating-point numbers; write its values as bytes, 0 to 255"
        }
        _ => "it is another kind of file, or damaged; fetch it again",
    }
}
