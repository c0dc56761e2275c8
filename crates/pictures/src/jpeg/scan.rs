//! A scan: some coefficients of all blocks of some components.

use super::bits::Bits;
use super::damage::{
    Damage::{Short, Wrong},
    Problem,
};
use super::frame::Frame;
use super::picture::Picture;
use super::tables::Tables;

/// The coefficients of a scan.
#[derive(Clone, Copy)]
enum Coding {
    Sequential,
    DirectFirst,
    DirectRefine,
    AlternatingFirst,
    AlternatingRefine,
}

pub(super) struct Scan {
    /// For each component: its place in the frame and the tables of its coefficients.
    components: Vec<(usize, usize, usize)>,
    first: u32,
    last: u32,
    low: u8,
    coding: Coding,
}

impl Scan {
    pub(super) fn read(content: &[u8], frame: &Frame) -> Result<Self, Problem> {
        let (&count, rest) = content.split_first().ok_or(Short)?;
        let (list, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or(Short)?;
        let &[first, last, bits] = rest else {
            return Err(Wrong.into());
        };
        let mut components: Vec<(usize, usize, usize)> = Vec::new();
        for entry in list.chunks_exact(2) {
            let of_frame = frame.components.iter();
            let place = of_frame
                .map(|component| component.id)
                .position(|id| id == entry[0]);
            let place = place.ok_or(Wrong)?;
            let (direct, alternating) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
            if direct > 3 || alternating > 3 || components.iter().any(|&(other, ..)| other == place)
            {
                return Err(Wrong.into());
            }
            components.push((place, direct, alternating));
        }
        let (high, low) = (bits >> 4, bits & 15);
        let coding = match (frame.progressive, first, high) {
            (false, ..) => Coding::Sequential,
            (true, 0, 0) => Coding::DirectFirst,
            (true, 0, _) => Coding::DirectRefine,
            (true, _, 0) => Coding::AlternatingFirst,
            (true, ..) => Coding::AlternatingRefine,
        };
        let right = match coding {
            Coding::Sequential => true,
            Coding::DirectFirst | Coding::DirectRefine => last == 0 && low < 14,
            _ => first <= last && last < 64 && low < 14 && components.len() == 1,
        };
        if !right || components.is_empty() {
            return Err(Wrong.into());
        }
        let (first, last, low) = match frame.progressive {
            true => (first, last, low),
            // Some writers leave other values here, which mean nothing.
            false => (0, 63, 0),
        };
        Ok(Scan {
            components,
            first: u32::from(first),
            last: u32::from(last),
            low,
            coding,
        })
    }

    /// Walks through the data of the scan from `at`, and returns where they end.
    pub(super) fn walk(
        &self,
        bytes: &[u8],
        at: usize,
        tables: &Tables,
        picture: &mut Picture,
    ) -> Result<usize, Problem> {
        let mut coders = Vec::new();
        for &(place, direct, alternating) in &self.components {
            let needs_direct = matches!(self.coding, Coding::Sequential | Coding::DirectFirst);
            let needs_alternating =
                !matches!(self.coding, Coding::DirectFirst | Coding::DirectRefine);
            let (direct, alternating) = (
                tables.direct[direct].as_ref(),
                tables.alternating[alternating].as_ref(),
            );
            if needs_direct && direct.is_none() || needs_alternating && alternating.is_none() {
                return Err("a table is missing".into());
            }
            coders.push((place, direct, alternating, 0_i16));
        }
        let frame = &picture.frame;
        let alone = coders.len() == 1;
        let (across, down) = match alone {
            true => frame.components[coders[0].0].used,
            false => frame.units,
        };
        let mut bits = Bits::new(bytes, at);
        let mut run = 0;
        let mut until_restart = tables.restart;
        let mut number = 0;
        for row in 0..down {
            for column in 0..across {
                if tables.restart > 0 {
                    if until_restart == 0 {
                        bits.restart(number)?;
                        number = (number + 1) % 8;
                        until_restart = tables.restart;
                        run = 0;
                        for coder in &mut coders {
                            coder.3 = 0;
                        }
                    }
                    until_restart -= 1;
                }
                for (place, direct, alternating, mean) in &mut coders {
                    let component = &frame.components[*place];
                    let blocks = &mut picture.blocks[*place];
                    let (h, v) = match alone {
                        true => (1, 1),
                        false => (component.horizontal, component.vertical),
                    };
                    for y in row * v..row * v + v {
                        for x in column * h..column * h + h {
                            let index = y * component.padded.0 + x;
                            match (self.coding, *direct, *alternating) {
                                (Coding::Sequential, Some(direct), Some(alternating)) => {
                                    bits.direct(direct, mean)?;
                                    if let Some(kept) = blocks.means.get_mut(index) {
                                        *kept = *mean;
                                    }
                                    bits.alternating(alternating)?;
                                }
                                (Coding::DirectFirst, Some(direct), _) => {
                                    bits.direct(direct, mean)?;
                                    if let Some(kept) = blocks.means.get_mut(index) {
                                        *kept = mean.wrapping_shl(self.low.into());
                                    }
                                }
                                (Coding::AlternatingFirst, _, Some(table)) => {
                                    let set = &mut blocks.set[index];
                                    bits.first(table, self.first, self.last, &mut run, set)?;
                                }
                                (Coding::AlternatingRefine, _, Some(table)) => {
                                    let set = &mut blocks.set[index];
                                    bits.refine(table, self.first, self.last, &mut run, set)?;
                                }
                                _ => {
                                    let bit = bits.take(1)? as i16;
                                    if let Some(kept) = blocks.means.get_mut(index) {
                                        *kept |= bit << self.low;
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        for &(place, ..) in &self.components {
            let missing = &mut picture.blocks[place].missing;
            missing[self.first as usize..=self.last as usize].fill(Some(self.low));
        }
        Ok(bits.finish()?)
    }
}
