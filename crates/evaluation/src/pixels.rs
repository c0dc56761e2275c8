//! Whether an image is like those of the calibration, judged by its pixels alone.

use serde::{Deserialize, Serialize};

/// An image as bytes.
#[derive(Clone, Copy, Debug)]
pub struct Pixels<'a> {
    /// `[channels, height, width]`, row by row, 255 for white.
    pub bytes: &'a [u8],
    /// Rows of a channel.
    pub height: usize,
    /// Columns of a channel.
    pub width: usize,
}

impl Pixels<'_> {
    /// Mean, share of covered pixels and mean at the border, as fractions, and roughness: the sum of
    /// the steps between neighbours over the sum of all pixels, which is the length of the edges for
    /// what is inside them; 0 for a black image. Over all channels.
    fn statistics(&self) -> [f64; 4] {
        let sum = |pixels: &[u8]| pixels.iter().map(|&pixel| u64::from(pixel)).sum::<u64>();
        let steps_between = |some: &[u8], others: &[u8]| -> u64 {
            let pairs = some.iter().zip(others);
            pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
        };
        let (height, width) = (self.height.max(1), self.width.max(1));
        let (mut border, mut steps) = (0, 0);
        for channel in self.bytes.chunks_exact(height * width) {
            steps += steps_between(channel, &channel[width..]);
            for (y, row) in channel.chunks_exact(width).enumerate() {
                steps += steps_between(row, &row[1..]);
                let inside = y >= PixelLimits::BORDER
                    && y + PixelLimits::BORDER < height
                    && width > 2 * PixelLimits::BORDER;
                border += match inside {
                    true => {
                        sum(&row[..PixelLimits::BORDER]) + sum(&row[width - PixelLimits::BORDER..])
                    }
                    false => sum(row),
                };
            }
        }
        let pixels = self.bytes.len();
        let inner = height.saturating_sub(2 * PixelLimits::BORDER)
            * width.saturating_sub(2 * PixelLimits::BORDER);
        let border_pixels = pixels / (height * width) * (height * width - inner);
        let total = sum(self.bytes);
        let covered = self
            .bytes
            .iter()
            .map(|&pixel| u64::from(pixel >= PixelLimits::COVERED))
            .sum();
        let share = |sum: u64, most: usize| sum as f64 / most.max(1) as f64;
        [
            share(total, 255 * pixels),
            share(covered, pixels),
            share(border, 255 * border_pixels),
            steps as f64 / total.max(1) as f64,
        ]
    }
}

/// Between which values simple statistics of an image's pixels lie. A network may answer noise or an
/// empty page with certainty, because nothing in training told it not to; these limits don't ask the
/// network.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct PixelLimits {
    /// Least and greatest mean of all pixels, 1 for white.
    pub amount: [f64; 2],
    /// Least and greatest share of pixels of at least a tenth of white.
    pub covered: [f64; 2],
    /// Least and greatest mean of the pixels at most two from the edge.
    pub border: [f64; 2],
    /// Least and greatest sum of the steps between neighbours over the sum of all pixels.
    pub roughness: [f64; 2],
}

impl PixelLimits {
    /// Pixels from the edge that count as the border; MNIST's digits keep four free.
    pub const BORDER: usize = 2;

    /// From this value on a pixel counts as covered: a tenth of white.
    pub const COVERED: u8 = 26;

    /// The narrowest limits that hold for all of `images`; none without images.
    ///
    /// ```
    /// use evaluation::{PixelLimits, Pixels};
    ///
    /// let image = |bytes| Pixels { bytes, height: 28, width: 28 };
    /// let (empty, full) = ([0; 784], [255; 784]);
    /// let limits = PixelLimits::of([image(&empty)]).unwrap();
    /// assert!(limits.hold(image(&empty)) && !limits.hold(image(&full)));
    /// ```
    pub fn of<'a>(images: impl IntoIterator<Item = Pixels<'a>>) -> Option<Self> {
        let mut images = images.into_iter().map(|image| image.statistics());
        let mut limits = images.next()?.map(|value| [value, value]);
        for values in images {
            for ([low, high], value) in limits.iter_mut().zip(values) {
                *low = low.min(value);
                *high = high.max(value);
            }
        }
        let [amount, covered, border, roughness] = limits;
        Some(Self {
            amount,
            covered,
            border,
            roughness,
        })
    }

    /// Whether an image lies within all limits.
    pub fn hold(&self, image: Pixels) -> bool {
        let limits = [self.amount, self.covered, self.border, self.roughness];
        limits
            .iter()
            .zip(image.statistics())
            .all(|([low, high], value)| (*low..=*high).contains(&value))
    }
}
