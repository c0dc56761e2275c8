//! Small images inside the page.

use base64::{Engine, prelude::BASE64_STANDARD};
use data::ImageShape;
use maud::{Markup, html};
use png::{BitDepth, ColorType};

use super::{error::PageError, findings::Page};

/// How the images of a classifier are shown.
#[derive(Clone, Copy)]
pub struct Look {
    shape: ImageShape,
    ink: bool,
}

impl Look {
    /// Of images of a shape; `ink` on an empty ground, or not.
    pub fn new(shape: ImageShape, ink: bool) -> Self {
        Self { shape, ink }
    }

    /// As suits the classifier of a page.
    pub fn of(page: &Page) -> Self {
        Self {
            shape: page.classifier.shape(),
            ink: page.is_ink(),
        }
    }
}

/// An image, `[channels, height, width]` bytes, as an `img` element: ink on paper, whatever the theme,
/// others as they are.
pub fn image(Look { shape, ink }: Look, image: &[u8], alt: &str) -> Result<Markup, PageError> {
    let ImageShape { height, width, .. } = shape;
    let data = match shape.channels {
        1 => png(image, width, height, ColorType::Grayscale)?,
        _ => png(
            &interleaved(image, shape.plane()),
            width,
            height,
            ColorType::Rgb,
        )?,
    };
    let class = if ink { "image ink" } else { "image" };
    Ok(img(class, [width, height], &data, alt))
}

/// Signed values, row by row, as an `img` element: orange above zero, blue below, and the more
/// solid the further from it. `most` is as solid as it gets.
pub fn signed(values: &[f64], width: usize, most: f64, alt: &str) -> Result<Markup, PageError> {
    let scale = if most > 0.0 { 1.0 / most } else { 0.0 };
    let pixels: Vec<u8> = values
        .iter()
        .flat_map(|value| {
            let [r, g, b] = if *value > 0.0 {
                [230, 110, 10]
            } else {
                [40, 110, 220]
            };
            let solid = (value.abs() * scale).min(1.0);
            [r, g, b, (255.0 * solid).round() as u8]
        })
        .collect();
    let height = values.len() / width.max(1);
    let data = png(&pixels, width, height, ColorType::Rgba)?;
    Ok(img("signed", [width, height], &data, alt))
}

/// Signed values of three channels, `[3, height, width]`, as an `img` element: grey for zero, and red,
/// green and blue the lighter the greater. `most` is as light as it gets.
pub fn coloured(values: &[f64], width: usize, most: f64, alt: &str) -> Result<Markup, PageError> {
    let scale = if most > 0.0 { 127.0 / most } else { 0.0 };
    let bytes: Vec<u8> = values
        .iter()
        .map(|value| (128.0 + scale * value).round() as u8)
        .collect();
    let plane = values.len() / 3;
    let height = plane / width.max(1);
    let data = png(&interleaved(&bytes, plane), width, height, ColorType::Rgb)?;
    Ok(img("signed", [width, height], &data, alt))
}

/// Several images side by side, for an `img` or an `image`.
pub struct Montage {
    pub width: usize,
    pub data: String,
}

/// `[count, channels, height, width]` bytes in one row, two pixels apart; grey ones dark on light.
pub fn montage(shape: ImageShape, images: &[u8]) -> Result<Montage, PageError> {
    const GAP: usize = 2;
    let ImageShape { height, width, .. } = shape;
    let count = images.len() / shape.len();
    let stride = width + GAP;
    let total = count * stride;
    let planes = shape.channels;
    let mut canvas = vec![255; planes * height * total];
    for (at, image) in images.chunks_exact(shape.len()).enumerate() {
        for (line, row) in image.chunks_exact(width).enumerate() {
            let out = &mut canvas[line * total + at * stride..][..width];
            match planes {
                1 => out
                    .iter_mut()
                    .zip(row)
                    .for_each(|(out, pixel)| *out = 255 - pixel),
                _ => out.copy_from_slice(row),
            }
        }
    }
    let data = match planes {
        1 => png(&canvas, total, height, ColorType::Grayscale)?,
        _ => png(
            &interleaved(&canvas, height * total),
            total,
            height,
            ColorType::Rgb,
        )?,
    };
    Ok(Montage { width: total, data })
}

/// Channel by channel becomes pixel by pixel.
fn interleaved(image: &[u8], plane: usize) -> Vec<u8> {
    let channels = || image.chunks_exact(plane);
    (0..plane)
        .flat_map(|at| channels().map(move |channel| channel[at]))
        .collect()
}

fn img(class: &str, [width, height]: [usize; 2], data: &str, alt: &str) -> Markup {
    html! { img class=(class) width=(width) height=(height) src=(data) alt=(alt); }
}

fn png(pixels: &[u8], width: usize, height: usize, colour: ColorType) -> Result<String, PageError> {
    let bytes = encoded(pixels, width, height, colour)?;
    Ok(format!(
        "data:image/png;base64,{}",
        BASE64_STANDARD.encode(bytes)
    ))
}

fn encoded(
    pixels: &[u8],
    width: usize,
    height: usize,
    colour: ColorType,
) -> Result<Vec<u8>, PageError> {
    let mut bytes = Vec::new();
    write_png(&mut bytes, pixels, [width as u32, height as u32], colour).map_err(|error| {
        PageError::Picture {
            problem: error.to_string(),
        }
    })?;
    Ok(bytes)
}

/// Images in rows and columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mosaic {
    /// In pixels.
    pub height: usize,
    /// In pixels.
    pub width: usize,
    /// 1, or 3 for colours.
    pub channels: usize,
    /// The file.
    pub png: Vec<u8>,
}

/// Images of a shape, `[channels, height, width]` bytes each, in so many columns, and small ones enlarged.
///
/// # Errors
/// [`PageError::Picture`] if the encoder fails.
pub fn mosaic(shape: ImageShape, images: &[&[u8]], columns: usize) -> Result<Mosaic, PageError> {
    const GAP: usize = 2;
    /// Smaller images are enlarged to about so many pixels.
    const SIDE: usize = 64;
    let scale = (SIDE / shape.height.max(shape.width)).max(1);
    let columns = columns.min(images.len()).max(1);
    let (stride_y, stride_x) = (shape.height * scale + GAP, shape.width * scale + GAP);
    let [height, width] = [
        images.len().div_ceil(columns) * stride_y,
        columns * stride_x,
    ];
    let channels = shape.channels;
    let mut canvas = vec![128; height * width * channels];
    for (at, image) in images.iter().enumerate() {
        let (top, left) = (at / columns * stride_y, at % columns * stride_x);
        for y in 0..shape.height * scale {
            for x in 0..shape.width * scale {
                let from = y / scale * shape.width + x / scale;
                let to = ((top + y) * width + left + x) * channels;
                for channel in 0..channels {
                    canvas[to + channel] = image[channel * shape.plane() + from];
                }
            }
        }
    }
    let colour = match channels {
        1 => ColorType::Grayscale,
        _ => ColorType::Rgb,
    };
    Ok(Mosaic {
        height,
        width,
        channels,
        png: encoded(&canvas, width, height, colour)?,
    })
}

fn write_png(
    to: &mut Vec<u8>,
    pixels: &[u8],
    [width, height]: [u32; 2],
    colour: ColorType,
) -> Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(to, width, height);
    encoder.set_color(colour);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()
}
