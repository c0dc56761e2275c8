//! What the network sees, as text.

use std::fmt::Write as _;

use model::{PIXELS, WIDTH};

/// Ten shades for output without colours.
const SHADES: &[u8; 10] = b" .:-=+*#%@";

/// The image with two rows to a line, because a character is about twice as high as wide: half blocks
/// in shades of grey on a terminal, else plain characters.
pub fn picture(pixels: &[u8; PIXELS], terminal: bool) -> String {
    let mut text = String::new();
    for rows in pixels.chunks_exact(2 * WIDTH) {
        let (upper, lower) = rows.split_at(WIDTH);
        for (&upper, &lower) in upper.iter().zip(lower) {
            // Writing to a string can't fail.
            if terminal {
                let _ = write!(
                    text,
                    "\x1b[38;2;{upper};{upper};{upper};48;2;{lower};{lower};{lower}m▀"
                );
            } else {
                let mean = (usize::from(upper) + usize::from(lower)) / 2;
                text.push(char::from(SHADES[mean * SHADES.len() / 256]));
            }
        }
        text.push_str(if terminal { "\x1b[0m\n" } else { "|\n" });
    }
    text
}
