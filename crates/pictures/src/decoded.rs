//! A picture as it stands in its file, and upright.

use image::DynamicImage;
use image::metadata::Orientation;

use crate::Region;
use crate::ground::on_ground;
use crate::orientation::Upright;
use crate::scale::{WORKING_SIDE, shrunk, with_long_side};

/// A picture as it stands in its file.
pub(crate) struct Decoded {
    pub picture: DynamicImage,
    pub upright: Upright,
    /// Columns and rows in the file.
    pub size: (u32, u32),
}

/// An upright picture for [`crate::find`], which shows another one, perhaps larger.
pub(crate) struct Reduced {
    pub picture: DynamicImage,
    /// Pixels of the larger one for each of this.
    pub scale: f32,
    /// Columns and rows of the larger one, upright.
    pub size: (u32, u32),
    /// Whether it is certain which way is up.
    pub certain: bool,
}

impl Decoded {
    /// The picture turned as viewers show it, or as it stands where they disagree.
    pub fn upright(self) -> DynamicImage {
        let mut picture = self.picture;
        if let Upright::Turned(orientation) = self.upright {
            picture.apply_orientation(orientation);
        }
        picture
    }

    /// The picture at the working size, if it is larger.
    pub fn reduced(self) -> Reduced {
        let (mut width, mut height) = self.size;
        let mut picture = self.picture;
        if picture.width().max(picture.height()) > WORKING_SIDE {
            picture = if picture.color().has_alpha() {
                on_ground(picture.into_rgba8())
            } else {
                picture
            };
            let (width, height) = with_long_side(&picture, WORKING_SIDE);
            picture = shrunk(&picture, width, height).into_rgb8().into();
        }
        let mut certain = true;
        match self.upright {
            Upright::Turned(orientation) => {
                let before = (picture.width(), picture.height());
                picture.apply_orientation(orientation);
                if matches!(
                    orientation,
                    Orientation::Rotate90
                        | Orientation::Rotate270
                        | Orientation::Rotate90FlipH
                        | Orientation::Rotate270FlipH
                ) {
                    (width, height) = (height, width);
                    debug_assert_eq!((picture.height(), picture.width()), before);
                }
            }
            Upright::Unclear => certain = false,
        }
        let scale = width.max(height) as f32 / picture.width().max(picture.height()) as f32;
        Reduced {
            picture,
            scale,
            size: (width, height),
            certain,
        }
    }
}

impl Reduced {
    /// Where a region of this picture is in the larger one.
    pub fn region(&self, region: Region) -> Region {
        let span = |start: u32, length: u32, side: u32| {
            let first = ((start as f32 * self.scale) as u32).min(side - 1);
            let end = ((start + length) as f32 * self.scale).ceil() as u32;
            (first, end.clamp(first + 1, side) - first)
        };
        let (left, width) = span(region.left, region.width, self.size.0);
        let (top, height) = span(region.top, region.height, self.size.1);
        Region {
            left,
            top,
            width,
            height,
        }
    }
}
