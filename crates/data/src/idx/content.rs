//! What files hold, by their magic numbers.

use crate::header::{BYTES, INTS, SHORTS};

/// What a file is to hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Images,
    Labels,
}

impl Content {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }

    /// Whether the third and fourth byte are those of such a file.
    pub(super) fn is(self, kind: u8, dimensions: u8) -> bool {
        match self {
            Self::Images => kind == BYTES && (3..=4).contains(&dimensions),
            Self::Labels => [BYTES, SHORTS, INTS].contains(&kind) && dimensions == 1,
        }
    }
}

/// What another magic number says that the file is.
pub(super) fn hint(content: Content, found: u32) -> &'static str {
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
