//! A contact sheet: rows of small images with a name for each row.

use data::ImageShape;
use maud::{Markup, PreEscaped, html};

use crate::{PageError, page::montage};

/// A row of the sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetRow {
    /// What the images have in common.
    pub name: String,
    /// The images, `[count, channels, height, width]`.
    pub images: Vec<u8>,
}

/// The sheet as an SVG picture that needs nothing else; ink is dark.
///
/// # Errors
/// [`PageError`] if an image can't be encoded.
pub fn sheet(shape: ImageShape, rows: &[SheetRow]) -> Result<String, PageError> {
    /// Height and width of a name, in the picture's units.
    const TEXT: usize = 16;
    const NAMES: usize = 190;
    let scale = (56 / shape.height.max(shape.width)).max(1);
    let images = rows
        .iter()
        .map(|row| montage(shape, &row.images))
        .collect::<Result<Vec<_>, _>>()?;
    let line = scale * shape.height + 6;
    let width = NAMES
        + images
            .iter()
            .map(|image| scale * image.width)
            .max()
            .unwrap_or(0);
    let height = line * rows.len();
    let markup: Markup = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) {
            rect width="100%" height="100%" fill="white" {}
            @for (at, (row, image)) in rows.iter().zip(&images).enumerate() {
                text x="4" y=(at * line + (line + TEXT) / 2 - 4) font-family="sans-serif" font-size=(TEXT) { (row.name) }
                image x=(NAMES) y=(at * line + 3) width=(scale * image.width) height=(scale * shape.height)
                    style="image-rendering: pixelated" href=(image.data) {}
            }
        }
    };
    let PreEscaped(text) = markup;
    Ok(text + "\n")
}
