//! The bits of a scan, without the bytes that are stuffed between them.

use super::damage::Damage::{self, Short, Wrong};
use super::huffman::{Huffman, LOOKUP};

/// Bytes of one value that may fill the space between the data of a scan and the next marker.
const PADDING: usize = 64;

/// The bits of a scan.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, the first of them highest.
    next: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Bits {
            bytes,
            at,
            next: 0,
            count: 0,
        }
    }

    /// Fetches at least 32 bits, if a marker or the end of the file isn't nearer.
    #[inline]
    pub(super) fn fetch(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(&eight) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_be_bytes(eight);
            // Whether one of the bytes is FF.
            let ones = (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080;
            if ones == 0 {
                let bytes = (64 - self.count) / 8;
                let fetched = word >> (64 - 8 * bytes);
                self.next |= fetched << (64 - 8 * bytes) >> self.count;
                self.at += bytes as usize;
                self.count += 8 * bytes;
                return;
            }
        }
        while self.count <= 56 {
            let Some(byte) = self.byte() else { return };
            self.next |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next byte of data; none before a marker and at the end of the file.
    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let &byte = self.bytes.get(self.at)?;
        if byte == 0xff {
            if self.bytes.get(self.at + 1) != Some(&0) {
                return None;
            }
            self.at += 1;
        }
        self.at += 1;
        Some(byte)
    }

    #[inline]
    pub(super) fn skip(&mut self, count: u32) -> Result<(), Damage> {
        if count > self.count {
            return Err(Short);
        }
        self.next <<= count;
        self.count -= count;
        Ok(())
    }

    /// Up to 16 bits as a number.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> Result<u32, Damage> {
        self.fetch();
        let value = if count == 0 {
            0
        } else {
            self.next >> (64 - count)
        };
        self.skip(count)?;
        Ok(value as u32)
    }

    /// The next symbol; at least 16 more bits are fetched then, if there are any.
    #[inline]
    pub(super) fn symbol(&mut self, table: &Huffman) -> Result<u8, Damage> {
        self.fetch();
        let (symbol, length) = table.lookup[(self.next >> (64 - LOOKUP)) as usize];
        if length > 0 {
            self.skip(length.into())?;
            return Ok(symbol);
        }
        let code = (self.next >> 48) as u32;
        let length = (LOOKUP + 1..=16).find(|&length| code < table.limits[length as usize]);
        let Some(length) = length else {
            // Beyond the end there are zeros, but all of the last bits may be ones.
            return Err(if self.count < 16 { Short } else { Wrong });
        };
        self.skip(length)?;
        let place = (code >> (16 - length)) as i32 + table.offsets[length as usize];
        let symbol = usize::try_from(place)
            .ok()
            .and_then(|place| table.symbols.get(place));
        symbol.copied().ok_or(Wrong)
    }

    /// Passes over the restart marker with a number, which must come now.
    pub(super) fn restart(&mut self, number: u8) -> Result<(), Damage> {
        let at = self.finish()?;
        let mut at = at;
        while self.bytes.get(at + 1) == Some(&0xff) {
            at += 1;
        }
        match self.bytes.get(at..at + 2) {
            Some(&[0xff, marker]) if marker == 0xd0 + number => {
                *self = Bits::new(self.bytes, at + 2);
                Ok(())
            }
            Some(&[0xff, 0xd0..=0xd7]) => Err(Wrong),
            _ => Err(Short),
        }
    }

    /// Where the marker stands that ends the data, behind which nothing but padding may be left.
    pub(super) fn finish(&mut self) -> Result<usize, Damage> {
        let mut padding = None;
        let mut left = 0;
        // The rest of the last byte is no data.
        let rest = self.count % 8;
        self.skip(rest)?;
        loop {
            let byte = match self.count {
                0 => self.byte(),
                _ => Some(self.take(8)? as u8),
            };
            let Some(byte) = byte else { return Ok(self.at) };
            left += 1;
            let same = *padding.get_or_insert(byte) == byte && matches!(byte, 0 | 0xff);
            if left > PADDING || !same {
                return Err(Damage::Long);
            }
        }
    }
}
