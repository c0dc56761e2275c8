//! What the network sees, as text.

use std::fmt::Write as _;

use model::ImageShape;

/// Ten shades for output without colours.
const SHADES: &[u8; 10] = b" .:-=+*#%@";
/// Columns of a terminal that are used at most.
const COLUMNS: usize = 80;

/// The image, `[channels, height, width]`, with two rows to a line, because a character is about twice as
/// high as wide: half blocks in its colours on a terminal, else plain characters. Of wide images only every
/// second pixel or fewer.
pub fn picture(shape: ImageShape, pixels: &[u8], terminal: bool) -> String {
    let step = shape.width.div_ceil(COLUMNS);
    let colour = |x: usize, y: usize| -> [u8; 3] {
        let at = y * shape.width + x;
        let channel = |channel: usize| pixels.get(channel * shape.plane() + at).copied();
        let grey = channel(0).unwrap_or_default();
        [grey, channel(1).unwrap_or(grey), channel(2).unwrap_or(grey)]
    };
    let mut text = String::new();
    for y in (0..shape.height).step_by(2 * step) {
        for x in (0..shape.width).step_by(step) {
            let upper = colour(x, y);
            let lower = if y + step < shape.height {
                colour(x, y + step)
            } else {
                [0; 3]
            };
            // Writing to a string can't fail.
            if terminal {
                let ([r, g, b], [s, h, c]) = (upper, lower);
                let _ = write!(text, "\x1b[38;2;{r};{g};{b};48;2;{s};{h};{c}m▀");
            } else {
                let sum: usize = upper
                    .iter()
                    .chain(&lower)
                    .map(|&value| usize::from(value))
                    .sum();
                text.push(char::from(SHADES[sum / 6 * SHADES.len() / 256]));
            }
        }
        text.push_str(if terminal { "\x1b[0m\n" } else { "|\n" });
    }
    text
}
