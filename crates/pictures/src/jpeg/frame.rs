//! The size of a picture and the layout of its blocks.

use super::damage::{
    Damage::{Short, Wrong},
    Problem,
};

#[derive(Clone)]
pub(super) struct Component {
    pub id: u8,
    pub horizontal: usize,
    pub vertical: usize,
    pub table: usize,
    /// Columns and rows of blocks, with those that fill the last unit.
    pub padded: (usize, usize),
    /// Columns and rows of blocks that hold pixels.
    pub used: (usize, usize),
}

impl Component {
    pub(super) fn blocks(&self) -> usize {
        self.padded.0 * self.padded.1
    }
}

#[derive(Clone)]
pub(super) struct Frame {
    pub width: usize,
    pub height: usize,
    pub progressive: bool,
    /// Columns and rows of units: one block of each component, or several where one has more pixels.
    pub units: (usize, usize),
    pub components: Vec<Component>,
}

impl Frame {
    pub(super) fn read(marker: u8, content: &[u8]) -> Result<Self, Problem> {
        let progressive = match marker {
            0xc0 | 0xc1 => false,
            0xc2 => true,
            0xc3 => return Err("lossless JPEG".into()),
            0xc9 | 0xca => return Err("arithmetic coding".into()),
            _ => return Err("a kind of JPEG that is hardly used".into()),
        };
        let &[precision, y1, y0, x1, x0, count, ref list @ ..] = content else {
            return Err(Short.into());
        };
        if precision != 8 {
            return Err(format!("{precision} bits a channel in a JPEG"));
        }
        let side = |high, low| usize::from(u16::from_be_bytes([high, low]));
        let (width, height) = (side(x1, x0), side(y1, y0));
        if width == 0 || height == 0 || list.len() != 3 * usize::from(count) {
            return Err(Wrong.into());
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(format!("{count} channels in a JPEG"));
        }
        let mut components = Vec::new();
        for entry in list.chunks_exact(3) {
            let (horizontal, vertical) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
            if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) || entry[2] > 3 {
                return Err(Wrong.into());
            }
            components.push(Component {
                id: entry[0],
                horizontal,
                vertical,
                table: usize::from(entry[2]),
                padded: (0, 0),
                used: (0, 0),
            });
        }
        let most =
            |factor: fn(&Component) -> usize| components.iter().map(factor).max().unwrap_or(1);
        let (across, down) = (most(|c| c.horizontal), most(|c| c.vertical));
        let units = (width.div_ceil(8 * across), height.div_ceil(8 * down));
        for component in &mut components {
            let (h, v) = (component.horizontal, component.vertical);
            component.padded = (units.0 * h, units.1 * v);
            component.used = (
                (width * h).div_ceil(8 * across),
                (height * v).div_ceil(8 * down),
            );
        }
        Ok(Frame {
            width,
            height,
            progressive,
            units,
            components,
        })
    }

    /// Whether a later component has more columns or rows than the first.
    pub(super) fn is_colour_finer(&self) -> bool {
        let first = &self.components[0];
        self.components.iter().any(|component| {
            component.horizontal > first.horizontal || component.vertical > first.vertical
        })
    }

    pub(super) fn is_subsampled(&self) -> bool {
        let first = &self.components[0];
        self.components.iter().any(|component| {
            (component.horizontal, component.vertical) != (first.horizontal, first.vertical)
        })
    }
}

/// Whether a marker begins a frame: `C0` to `CF` but for three that define tables.
pub(super) fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}
