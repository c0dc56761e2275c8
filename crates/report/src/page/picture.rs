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
    let mut bytes = Vec::new();
    write_png(&mut bytes, pixels, [width as u32, height as u32], colour).map_err(|error| {
        PageError::Picture {
            problem: error.to_string(),
        }
    })?;
    Ok(format!(
        "data:image/png;base64,{}",
        BASE64_STANDARD.encode(bytes)
    ))
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
