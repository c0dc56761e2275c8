//! TensorFlow's record files: the length of a record, its bytes, and a checksum of each.

use std::io::{self, BufRead, Read};

/// No record is longer: an image or a histogram.
const LIMIT: u64 = 1 << 26;

/// Appends a record.
pub fn write(to: &mut Vec<u8>, record: &[u8]) {
    let length = (record.len() as u64).to_le_bytes();
    to.extend(length);
    to.extend(masked(&length).to_le_bytes());
    to.extend(record);
    to.extend(masked(record).to_le_bytes());
}

/// The next record; none at the end, or where it is cut short or damaged.
///
/// # Errors
/// The operating system's.
pub fn read(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let Some(head) = exactly(from, 12)? else {
        return Ok(None);
    };
    let (length, checksum) = head.split_at(8);
    let whole = masked(length).to_le_bytes() == checksum;
    let length = length
        .iter()
        .rev()
        .fold(0, |all, &byte| all << 8 | u64::from(byte));
    if !whole || length > LIMIT {
        return Ok(None);
    }
    let Some(mut record) = exactly(from, length + 4)? else {
        return Ok(None);
    };
    let checksum = record.split_off(length as usize);
    Ok((masked(&record).to_le_bytes() == *checksum).then_some(record))
}

/// The bytes that a record of that length takes in a file.
pub fn framed(length: usize) -> u64 {
    length as u64 + 16
}

fn exactly(from: &mut impl BufRead, count: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(count).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 == count).then_some(bytes))
}

/// CRC-32C, changed so that the checksum of data with checksums in them is a good one.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), low bit first.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, &byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !bytes.iter().fold(!0, step)
}

/// What a byte does to the checksum.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ ((crc & 1) * 0x82f6_3b78);
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        assert_eq!(super::crc32c(b"123456789"), 0xe306_9283);
    }
}
