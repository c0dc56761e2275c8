//! Small images inside the page.

use base64::{Engine, prelude::BASE64_STANDARD};
use png::{BitDepth, ColorType};

use data::{HEIGHT, WIDTH};

use super::{PageError, markup::escape};

/// A digit, `[28, 28]` bytes, as an `img` element: ink on paper, whatever the theme.
pub fn digit(pixels: &[u8], alt: &str) -> Result<String, PageError> {
    let data = png(pixels, WIDTH, HEIGHT, ColorType::Grayscale)?;
    Ok(format!(
        "<img class=\"digit\" width=\"28\" height=\"28\" src=\"{data}\" alt=\"{}\"/>",
        escape(alt),
    ))
}

/// Signed values, row by row, as an `img` element: orange above zero, blue below, and the more
/// solid the further from it. `most` is as solid as it gets.
pub fn signed(values: &[f64], width: usize, most: f64, alt: &str) -> Result<String, PageError> {
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
    Ok(format!(
        "<img class=\"signed\" width=\"{width}\" height=\"{height}\" src=\"{data}\" alt=\"{}\"/>",
        escape(alt),
    ))
}

/// Ten bars for ten probabilities. `answer` is the class that was chosen, `label` the true one.
pub fn bars(probabilities: &[f64], names: &[String], answer: usize, label: usize) -> String {
    const STEP: usize = 10;
    const HEIGHT: f64 = 40.0;
    let mut drawn = String::new();
    for (class, (&probability, name)) in probabilities.iter().zip(names).enumerate() {
        let left = class * STEP;
        let height = (HEIGHT * probability).max(0.6);
        let kind = match class {
            _ if class == label => "good",
            _ if class == answer => "bad",
            _ => "other",
        };
        drawn.push_str(&format!(
            "<rect class=\"{kind}\" x=\"{}\" y=\"{:.1}\" width=\"8\" height=\"{height:.1}\"/>\
             <text x=\"{}\" y=\"52\">{}</text>",
            left + 1,
            HEIGHT + 2.0 - height,
            left + STEP / 2,
            escape(&name.chars().take(2).collect::<String>()),
        ));
    }
    let width = STEP * names.len();
    format!("<svg class=\"bars\" viewBox=\"0 0 {width} 55\" aria-hidden=\"true\">{drawn}</svg>")
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
