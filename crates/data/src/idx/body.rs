use std::io::{ErrorKind, Read};

use super::content::{Content, hint};
use super::limits::{MAX_ITEMS, PLAUSIBLE_BYTES, PLAUSIBLE_RATIO};
use crate::digest::Beside;
use crate::header::{self, INTS, SHORTS};
use crate::{DataError, ImageShape};

/// No deflate stream expands further (RFC 1951: 258 bytes out of two bits).
const GZIP_LIMIT: u64 = 1032;
/// Reserved in one piece; what promises more grows as its bytes arrive.
const RESERVE: u64 = 48 << 20;
/// So many bytes are handed to the thread that computes a digest at a time.
const PORTION: u64 = 1 << 19;

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
        let Some(digest) = Beside::of(before) else {
            return self.fill(out, limit).map(|_| None);
        };
        let (mut read, mut left) = (1, limit);
        while read > 0 && left > 0 {
            let start = out.len();
            read = self.fill(out, left.min(PORTION))?;
            left -= read;
            digest.update(&out[start..]);
        }
        Ok(digest.finish())
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
