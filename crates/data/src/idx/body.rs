use std::io::{ErrorKind, Read};

use super::{Kind, MAX_ITEMS, PLAUSIBLE_BYTES, PLAUSIBLE_RATIO};
use crate::{DataError, HEIGHT, WIDTH};

/// No deflate stream expands further (RFC 1951: 258 bytes out of two bits).
const GZIP_LIMIT: u64 = 1032;
/// Reserved in one piece; what promises more grows as its bytes arrive.
const RESERVE: u64 = 48 << 20;

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

/// What another magic number says that the file is.
fn hint(kind: &Kind, found: u32) -> &'static str {
    let [zero, other_zero, values, dimensions] = found.to_be_bytes();
    if found == kind.magic.swap_bytes() {
        return "its numbers are little-endian, the format's are big-endian; convert it";
    }
    if (zero, other_zero) != (0, 0) || !(1..=4).contains(&dimensions) {
        return "it is another kind of file, or damaged; fetch it again";
    }
    match (values, dimensions) {
        (0x08, 1) => "it is a file of labels; the two files may be swapped",
        (0x08, 3) => "it is a file of images; the two files may be swapped",
        (0x08, 4) => "its images have more than one channel; convert them to grey",
        (0x08, _) => {
            "it is an IDX file of bytes in two dimensions; write its labels as a plain list"
        }
        (0x0c, 2) => {
            "it is an IDX file of 32-bit integers in two dimensions, as QMNIST's labels are; write its \
             first column as bytes"
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
