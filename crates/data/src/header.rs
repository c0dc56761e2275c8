//! The bytes that open an IDX file.

use crate::ImageShape;

/// Unsigned bytes, and 16- and 32-bit integers in big-endian order.
pub(crate) const BYTES: u8 = 0x08;
pub(crate) const SHORTS: u8 = 0x0b;
pub(crate) const INTS: u8 = 0x0c;

/// Opens a file of `count` images: rank 3 where they have one channel, else rank 4.
pub fn images(count: u32, shape: ImageShape) -> Vec<u8> {
    let sides = [shape.channels, shape.height, shape.width].map(|side| side as u32);
    let sides = if shape.channels == 1 {
        &sides[1..]
    } else {
        &sides
    };
    header(BYTES, count, sides)
}

/// Opens a file of `count` labels: bytes, or 16-bit integers if they are `wide`.
pub fn labels(count: u32, wide: bool) -> Vec<u8> {
    header(if wide { SHORTS } else { BYTES }, count, &[])
}

fn header(kind: u8, count: u32, sides: &[u32]) -> Vec<u8> {
    let mut header = vec![0, 0, kind, 1 + sides.len() as u8];
    for value in [count].iter().chain(sides) {
        header.extend(value.to_be_bytes());
    }
    header
}
