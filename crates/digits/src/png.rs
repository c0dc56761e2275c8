//! Images as files.

use std::fs::File;

use ::png::{BitDepth, ColorType, Encoder, EncodingError};
use data::{ImageShape, LabelledImages};

/// An image as it is.
pub fn write(images: &LabelledImages, index: usize, file: File) -> Result<(), EncodingError> {
    let ImageShape {
        channels,
        height,
        width,
    } = images.shape();
    let mut encoder = Encoder::new(file, width as u32, height as u32);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_color(match channels {
        1 => ColorType::Grayscale,
        _ => ColorType::Rgb,
    });
    let planes = images.image(index);
    let pixel = |at: usize| (0..channels).map(move |channel| planes[channel * height * width + at]);
    let pixels: Vec<u8> = (0..height * width).flat_map(pixel).collect();
    encoder.write_header()?.write_image_data(&pixels)
}
