//! Codes of symbols.

use super::damage::{Damage::Wrong, Problem};

/// Bits of a code that are looked up at once.
pub(super) const LOOKUP: u32 = 9;

pub(super) struct Huffman {
    /// For the next bits: the symbol and the length of its code, 0 if it is longer.
    pub lookup: Box<[(u8, u8)]>,
    /// For each length, the first code beyond it, shifted to 16 bits.
    pub limits: [u32; 17],
    /// For each length, what to add to a code for the place of its symbol.
    pub offsets: [i32; 17],
    pub symbols: Vec<u8>,
}

impl Huffman {
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, Problem> {
        let mut table = Huffman {
            lookup: vec![(0, 0); 1 << LOOKUP].into_boxed_slice(),
            limits: [0; 17],
            offsets: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut place) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            table.offsets[length as usize] = place as i32 - code as i32;
            for _ in 0..counts[length as usize - 1] {
                if code >> length != 0 {
                    return Err(Wrong.into());
                }
                if length <= LOOKUP {
                    let first = (code << (LOOKUP - length)) as usize;
                    let entry = (symbols[place], length as u8);
                    table.lookup[first..first + (1 << (LOOKUP - length))].fill(entry);
                }
                code += 1;
                place += 1;
            }
            table.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Ok(table)
    }
}
