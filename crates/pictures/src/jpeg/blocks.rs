//! The coefficients of a block.

use super::bits::Bits;
use super::damage::Damage::{self, Wrong};
use super::huffman::Huffman;

/// How the coefficients of a block ended.
enum End {
    /// Behind the last one, or further on by zeros.
    At(u32),
    /// With a symbol that says that no more follow, here and, by its number, in blocks to come.
    Early(u32),
}

impl Bits<'_> {
    /// The difference of a block's mean from the one before.
    #[inline]
    pub(super) fn direct(&mut self, table: &Huffman, mean: &mut i16) -> Result<(), Damage> {
        let size = u32::from(self.symbol(table)?);
        if size > 11 {
            return Err(Wrong);
        }
        if size > 0 {
            let value = self.take(size)? as i16;
            let negative = value < 1 << (size - 1);
            let value = if negative {
                value - (1 << size) + 1
            } else {
                value
            };
            *mean = mean.wrapping_add(value);
        }
        Ok(())
    }

    /// All coefficients but the first of a sequential block.
    #[inline]
    pub(super) fn alternating(&mut self, table: &Huffman) -> Result<(), Damage> {
        match self.coefficients(table, 1, 63, |_| {})? {
            End::Early(_) | End::At(64) => Ok(()),
            End::At(_) => Err(Wrong),
        }
    }

    /// The first bits of a progressive block's coefficients.
    pub(super) fn first(
        &mut self,
        table: &Huffman,
        first: u32,
        last: u32,
        run: &mut u32,
        set: &mut u64,
    ) -> Result<(), Damage> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        if let End::Early(zeros) =
            self.coefficients(table, first, last, |place| *set |= 1 << place)?
        {
            *run = (1 << zeros) - 1 + self.take(zeros)?;
        }
        Ok(())
    }

    /// Passes over the coefficients from `first` to `last`, and calls `found` for those that aren't 0.
    #[inline]
    fn coefficients(
        &mut self,
        table: &Huffman,
        first: u32,
        last: u32,
        mut found: impl FnMut(u32),
    ) -> Result<End, Damage> {
        let mut place = first;
        while place <= last {
            let symbol = self.symbol(table)?;
            let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if zeros < 15 {
                    return Ok(End::Early(zeros));
                }
                place += 16;
                continue;
            }
            place += zeros;
            if place > last {
                return Err(Wrong);
            }
            self.skip(size)?;
            found(place);
            place += 1;
        }
        Ok(End::At(place))
    }

    /// One more bit of a progressive block's coefficients.
    pub(super) fn refine(
        &mut self,
        table: &Huffman,
        first: u32,
        last: u32,
        run: &mut u32,
        set: &mut u64,
    ) -> Result<(), Damage> {
        let mut place = first;
        if *run == 0 {
            while place <= last {
                let symbol = self.symbol(table)?;
                let (mut zeros, size) = (symbol >> 4, symbol & 15);
                match size {
                    0 if zeros < 15 => {
                        *run = (1 << zeros) + self.take(zeros.into())?;
                        break;
                    }
                    0 => {}
                    1 => self.skip(1)?,
                    _ => return Err(Wrong),
                }
                while place <= last {
                    if *set >> place & 1 == 1 {
                        self.take(1)?;
                    } else if zeros == 0 {
                        break;
                    } else {
                        zeros -= 1;
                    }
                    place += 1;
                }
                if size == 1 {
                    if place > last {
                        return Err(Wrong);
                    }
                    *set |= 1 << place;
                }
                place += 1;
            }
        }
        if *run > 0 {
            *run -= 1;
            if place <= last {
                let mut left = (*set & (u64::MAX >> (63 - last))) >> place;
                left = u64::from(left.count_ones());
                while left > 0 {
                    let some = left.min(16) as u32;
                    self.take(some)?;
                    left -= u64::from(some);
                }
            }
        }
        Ok(())
    }
}
