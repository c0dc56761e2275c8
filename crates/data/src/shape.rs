use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use crate::DataError;

/// The shape of an image: a byte per channel of a pixel, `[channels, height, width]`, row by row.
///
/// One channel is grey, three are red, green and blue. Reading one back checks it.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(try_from = "Unchecked")]
pub struct ImageShape {
    /// 1 or 3.
    pub channels: usize,
    /// Rows, 1 to [`MAX_SIDE`](Self::MAX_SIDE).
    pub height: usize,
    /// Columns, 1 to [`MAX_SIDE`](Self::MAX_SIDE).
    pub width: usize,
}

impl ImageShape {
    /// Most rows and columns.
    pub const MAX_SIDE: usize = 256;

    /// Checks the numbers.
    ///
    /// # Errors
    ///
    /// [`DataError::Shape`] for other channels than 1 or 3, and sides outside 1 to
    /// [`MAX_SIDE`](Self::MAX_SIDE).
    pub fn new(channels: usize, height: usize, width: usize) -> Result<Self, DataError> {
        let side = 1..=Self::MAX_SIDE;
        if [1, 3].contains(&channels) && side.contains(&height) && side.contains(&width) {
            return Ok(Self {
                channels,
                height,
                width,
            });
        }
        Err(DataError::Shape {
            channels,
            height,
            width,
        })
    }

    /// Bytes of an image: channels × height × width.
    pub const fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Never true: an image has at least one pixel.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Bytes of one channel.
    pub const fn plane(self) -> usize {
        self.height * self.width
    }
}

/// Such as `28×28 grey`: height, width, colour.
impl Display for ImageShape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            channels,
            height,
            width,
        } = self;
        let colour = if *channels == 1 { "grey" } else { "colour" };
        write!(f, "{height}×{width} {colour}")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    channels: usize,
    height: usize,
    width: usize,
}

impl TryFrom<Unchecked> for ImageShape {
    type Error = DataError;

    fn try_from(shape: Unchecked) -> Result<Self, DataError> {
        Self::new(shape.channels, shape.height, shape.width)
    }
}
