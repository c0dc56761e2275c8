use crate::PIXELS;

/// What a picture shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One digit, as far as its shape tells; whether it is a digit at all, the network decides.
    Digit(Box<Framed>),
    /// One thing that carries a mark: a circle around it, a line under it or through it, a tick. What
    /// digit it would be is no use: the mark changes it. A person has to look.
    Marked(Box<Framed>),
    /// Nothing that stands out from its ground.
    Nothing,
    /// Several digits or other things of like size, from left to right.
    Several(Vec<Region>),
    /// Unknown which way is up: the file notes how the camera was held where some viewers look and
    /// others don't, or contradicts itself. A 9 may be a 6.
    OrientationUnclear,
}

/// One digit in MNIST's frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framed {
    /// `[28, 28]`, row by row, 0 for ground and 255 for ink.
    pub pixels: [u8; PIXELS],
    /// Where the digit is in the picture.
    pub region: Region,
}

/// A rectangle in pixels of the picture as it is shown, upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Columns left of it.
    pub left: u32,
    /// Rows above it.
    pub top: u32,
    /// Columns of it, at least 1.
    pub width: u32,
    /// Rows of it, at least 1.
    pub height: u32,
}
