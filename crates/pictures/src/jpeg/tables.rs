//! What the data of a scan are decoded with.

use super::damage::{
    Damage::{Short, Wrong},
    Problem,
};
use super::huffman::Huffman;

#[derive(Default)]
pub(super) struct Tables {
    pub direct: [Option<Huffman>; 4],
    pub alternating: [Option<Huffman>; 4],
    /// The divisor of a block's mean.
    pub quantization: [Option<u16>; 4],
    /// Units from one restart marker to the next; 0 without them.
    pub restart: usize,
}

impl Tables {
    pub(super) fn huffman(&mut self, mut content: &[u8]) -> Result<(), Problem> {
        while let Some((&kind, rest)) = content.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(Short)?;
            let symbols = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = rest.get(..symbols).ok_or(Short)?;
            let tables = match kind >> 4 {
                0 => &mut self.direct,
                1 => &mut self.alternating,
                _ => return Err(Wrong.into()),
            };
            let table = tables.get_mut(usize::from(kind & 15)).ok_or(Wrong)?;
            *table = Some(Huffman::new(counts, symbols)?);
            content = &rest[symbols.len()..];
        }
        Ok(())
    }

    pub(super) fn quantization(&mut self, mut content: &[u8]) -> Result<(), Problem> {
        while let Some((&kind, rest)) = content.split_first() {
            let (size, first) = match (kind >> 4, rest) {
                (0, &[first, ..]) => (64, u16::from(first)),
                (1, &[high, low, ..]) => (128, u16::from_be_bytes([high, low])),
                _ => return Err(Wrong.into()),
            };
            let table = self.quantization.get_mut(usize::from(kind & 15));
            *table.ok_or(Wrong)? = Some(first);
            content = rest.get(size..).ok_or(Short)?;
        }
        Ok(())
    }
}
