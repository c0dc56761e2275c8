//! An image at any point between its pixels, in whole numbers.

/// A pixel.
pub(super) const ONE: i32 = 1 << 16;

/// In 1/65536 of a pixel.
pub(super) fn fixed(value: f64) -> i32 {
    (value * f64::from(ONE)).round() as i32
}

/// A channel with a border of zeros. A cell holds a pixel and, 16 bits higher, its right neighbour, so
/// that one multiplication weighs both.
pub(super) struct Cells {
    cells: Vec<u32>,
    stride: usize,
}

impl Cells {
    pub(super) fn new(image: &[u8], width: usize) -> Self {
        let stride = width + 2;
        let mut cells = vec![0; (image.len() / width + 2) * stride];
        let lines = cells.chunks_exact_mut(stride).skip(1);
        for (row, line) in image.chunks_exact(width).zip(lines) {
            let mut left = 0;
            for (cell, &pixel) in line.iter_mut().zip(row) {
                *cell = left | u32::from(pixel) << 16;
                left = u32::from(pixel);
            }
            line[width] = left;
        }
        Self { cells, stride }
    }

    /// The image at (`x`, `y`), from -1 to below its width and height, in 1/65536 of a pixel; the
    /// weights of the neighbours have 8 bits.
    #[inline]
    pub(super) fn sample(&self, x: i32, y: i32) -> u8 {
        let (x, y) = ((x + ONE) as u32, (y + ONE) as u32);
        let cell = (y >> 16) as usize * self.stride + (x >> 16) as usize;
        let (right, below) = (x >> 8 & 0xff, y >> 8 & 0xff);
        let pair = between(self.cells[cell], self.cells[cell + self.stride], below);
        (between(pair & 0xffff, pair >> 16, right).wrapping_add(0x8000) >> 16) as u8
    }
}

/// `from * (256 - weight) + to * weight`, by one multiplication: what wraps around on the way comes
/// back.
#[inline]
fn between(from: u32, to: u32, weight: u32) -> u32 {
    (from << 8).wrapping_add(to.wrapping_sub(from).wrapping_mul(weight))
}
