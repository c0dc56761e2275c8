//! The views of an image that a classifier answers by: the image itself, and copies of it shifted by one
//! pixel.

use data::ImageShape;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// On which views of an image its probabilities are averaged. In a file it is their number: 1, 5 or 9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub enum Views {
    /// 1: the image itself.
    #[default]
    One,
    /// 5: and its shifts by one pixel up, down, left and right.
    Five,
    /// 9: and those along the diagonals.
    Nine,
}

/// A number of views that there is none of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "views must be 1 (the image itself), 5 (and its shifts by one pixel) or 9 (the diagonals too)"
)]
pub struct ViewsError;

impl TryFrom<u64> for Views {
    type Error = ViewsError;

    fn try_from(count: u64) -> Result<Self, ViewsError> {
        match count {
            1 => Ok(Self::One),
            5 => Ok(Self::Five),
            9 => Ok(Self::Nine),
            _ => Err(ViewsError),
        }
    }
}

impl From<Views> for u64 {
    fn from(views: Views) -> u64 {
        views.count() as u64
    }
}

/// Those of all views: see [`Views::shifts`].
const SHIFTS: [[isize; 2]; 9] = [
    [0, 0],
    [-1, 0],
    [1, 0],
    [0, -1],
    [0, 1],
    [-1, -1],
    [-1, 1],
    [1, -1],
    [1, 1],
];

impl Views {
    /// How many there are.
    pub fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Five => 5,
            Self::Nine => 9,
        }
    }

    /// How far each view lies down and to the right of the image.
    pub fn shifts(self) -> &'static [[isize; 2]] {
        &SHIFTS[..self.count()]
    }

    /// The views of images of a shape, `[images, channels, height, width]`, one view of all of them after
    /// the other; what enters at the edges is 0.
    ///
    /// ```
    /// let shape = model::ImageShape { channels: 1, height: 1, width: 3 };
    /// let views: Vec<_> = model::Views::Five.of(&[1, 2, 3], shape).collect();
    /// assert_eq!(views, [[1, 2, 3], [0, 0, 0], [0, 0, 0], [2, 3, 0], [0, 1, 2]]);
    /// ```
    pub fn of(self, images: &[u8], shape: ImageShape) -> impl Iterator<Item = Vec<u8>> {
        let shifts = self.shifts().iter();
        shifts.map(move |&shift| shifted(images, shape, shift))
    }
}

fn shifted(images: &[u8], shape: ImageShape, [down, right]: [isize; 2]) -> Vec<u8> {
    let ImageShape { height, width, .. } = shape;
    if [down, right] == [0, 0] {
        return images.to_vec();
    }
    let mut out = vec![0; images.len()];
    let kept = width - right.unsigned_abs().min(width);
    let (from_x, to_x) = ((-right).max(0) as usize, right.max(0) as usize);
    let planes = images.chunks_exact(height * width);
    for (from, to) in planes.zip(out.chunks_exact_mut(height * width)) {
        for (y, row) in to.chunks_exact_mut(width).enumerate() {
            let source = y
                .checked_add_signed(-down)
                .filter(|&source| source < height);
            if let (Some(source), 1..) = (source, kept) {
                let source = &from[source * width..][..width];
                row[to_x..][..kept].copy_from_slice(&source[from_x..][..kept]);
            }
        }
    }
    out
}
