//! From a picture to planes of colour.

use std::borrow::Cow;

use image::{DynamicImage, imageops::FilterType};

use crate::ground::on_ground;
use crate::plane::Plane;
use crate::scale::{SMALL_SIDE, WORKING_SIDE, enlarged, shrunk, with_long_side};

/// Levels from 0 to 255.
#[derive(Debug)]
pub(crate) enum Channels {
    /// Red, green and blue are the same.
    Grey(Plane),
    Colours(Box<[Plane; 3]>),
}

/// The channels of a picture at the working size, and how many pixels of the picture one pixel of it
/// stands for; none if the picture is empty.
pub(crate) fn channels(picture: &DynamicImage) -> Option<(Channels, f32)> {
    let (width, height) = (picture.width(), picture.height());
    if width == 0 || height == 0 {
        return None;
    }
    let opaque = match picture.color().has_alpha() {
        true => Cow::Owned(on_ground(picture.to_rgba8())),
        false => Cow::Borrowed(picture),
    };
    let long = width.max(height);
    let to = |long_side: u32| with_long_side(&opaque, long_side);
    Some(if long > WORKING_SIDE {
        let (width, height) = to(WORKING_SIDE);
        let shrunk = shrunk(&opaque, width, height);
        (Channels::of(&shrunk), long as f32 / WORKING_SIDE as f32)
    } else if long < SMALL_SIDE {
        let channels = of_small(&opaque, to(SMALL_SIDE));
        (channels, long as f32 / SMALL_SIDE as f32)
    } else {
        (Channels::of(&opaque), 1.0)
    })
}

/// Those of a picture that is enlarged first.
fn of_small(picture: &DynamicImage, (width, height): (u32, u32)) -> Channels {
    let enlarge = |plane: &Plane| enlarged(plane, width as usize, height as usize);
    let is_bytes = picture.color().bytes_per_pixel() == picture.color().channel_count();
    match Channels::of(picture) {
        channels if is_bytes => channels.map(enlarge),
        Channels::Grey(_) => Channels::of(&picture.to_luma8().into()).map(enlarge),
        // Those of 16 bits are enlarged as such.
        Channels::Colours(_) => {
            Channels::of(&picture.resize_exact(width, height, FilterType::CatmullRom))
        }
    }
}

impl Channels {
    /// Those of an opaque picture.
    fn of(picture: &DynamicImage) -> Self {
        let size = (picture.width() as usize, picture.height() as usize);
        match picture {
            DynamicImage::ImageLuma8(grey) => Self::of_bytes::<1>(grey, size),
            DynamicImage::ImageRgb8(rgb) => Self::of_bytes::<3>(rgb, size),
            DynamicImage::ImageRgba8(rgba) => Self::of_bytes::<4>(rgba, size),
            other => Self::of_bytes::<3>(&other.to_rgb8(), size),
        }
    }

    fn of_bytes<const CHANNELS: usize>(bytes: &[u8], (width, height): (usize, usize)) -> Self {
        let (pixels, _) = bytes.as_chunks::<CHANNELS>();
        let plane = |channel: usize| Plane {
            width,
            height,
            values: pixels
                .iter()
                .map(|pixel| f32::from(pixel[channel]))
                .collect(),
        };
        let is_grey = |pixel: &[u8; CHANNELS]| pixel[0] == pixel[1] && pixel[1] == pixel[2];
        match CHANNELS == 1 || pixels.iter().all(is_grey) {
            true => Self::Grey(plane(0)),
            false => Self::Colours(Box::new([plane(0), plane(1), plane(2)])),
        }
    }

    pub fn map(&self, f: impl Fn(&Plane) -> Plane) -> Self {
        match self {
            Self::Grey(plane) => Self::Grey(f(plane)),
            Self::Colours(planes) => Self::Colours(Box::new(planes.each_ref().map(f))),
        }
    }

    /// Red, green and blue weighted and summed.
    pub fn along(&self, axis: [f32; 3]) -> Plane {
        match self {
            Self::Grey(plane) => plane.map(|grey| dot(axis, [grey; 3])),
            Self::Colours(planes) => {
                let [red, green, blue] = planes.each_ref().map(|plane| plane.values.iter());
                let colours = red.zip(green).zip(blue);
                let values = colours.map(|((&red, &green), &blue)| dot(axis, [red, green, blue]));
                planes[0].with(values.collect())
            }
        }
    }
}

pub(crate) fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
