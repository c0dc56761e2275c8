use serde::{Deserialize, Serialize};

use crate::{HEIGHT, PIXELS, WIDTH};

/// Pixels from the edge that count as the border; MNIST's digits keep four free.
const BORDER: usize = 2;

const BORDER_PIXELS: usize = PIXELS - (WIDTH - 2 * BORDER) * (HEIGHT - 2 * BORDER);

/// From this value on a pixel counts as ink: a tenth of white.
const INKED: u8 = 26;

/// What can be said of an image without knowing what it shows. All but the roughness are fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ink {
    /// Mean of all pixels, 1 for white.
    pub amount: f64,
    /// Share of the pixels with ink.
    pub covered: f64,
    /// Mean of the pixels at most two from the edge.
    pub border: f64,
    /// Sum of the steps between neighbours over the sum of all pixels: the length of the edges for
    /// the ink in them. 0 for an empty image.
    pub roughness: f64,
}

impl Ink {
    /// Measures `image`, `[28, 28]`.
    ///
    /// # Panics
    ///
    /// If `image` has not 784 bytes.
    pub fn of(image: &[u8]) -> Self {
        assert_eq!(image.len(), PIXELS);
        let sum = |pixels: &[u8]| pixels.iter().map(|&pixel| u32::from(pixel)).sum::<u32>();
        let steps_between = |some: &[u8], others: &[u8]| -> u32 {
            let pairs = some.iter().zip(others);
            pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum()
        };
        let (mut border, mut steps) = (0, steps_between(image, &image[WIDTH..]));
        for (y, row) in image.chunks_exact(WIDTH).enumerate() {
            steps += steps_between(row, &row[1..]);
            border += if (BORDER..HEIGHT - BORDER).contains(&y) {
                sum(&row[..BORDER]) + sum(&row[WIDTH - BORDER..])
            } else {
                sum(row)
            };
        }
        let total = sum(image);
        let covered = image.iter().map(|&pixel| u32::from(pixel >= INKED)).sum();
        let share = |sum: u32, most: usize| f64::from(sum) / most as f64;
        Self {
            amount: share(total, 255 * PIXELS),
            covered: share(covered, PIXELS),
            border: share(border, 255 * BORDER_PIXELS),
            roughness: f64::from(steps) / f64::from(total.max(1)),
        }
    }

    fn values(&self) -> [f64; 4] {
        [self.amount, self.covered, self.border, self.roughness]
    }
}

/// Between which values the [`Ink`] of digits lies. A network may answer noise or an empty page
/// with certainty, because nothing in training told it not to; these limits don't ask the network.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct InkLimits {
    /// Least and greatest [`Ink::amount`].
    pub amount: [f64; 2],
    /// Least and greatest [`Ink::covered`].
    pub covered: [f64; 2],
    /// Least and greatest [`Ink::border`].
    pub border: [f64; 2],
    /// Least and greatest [`Ink::roughness`].
    pub roughness: [f64; 2],
}

impl InkLimits {
    /// The narrowest limits that hold for all of `images`, each `[28, 28]`; none without images.
    ///
    /// ```
    /// use data::InkLimits;
    ///
    /// let (empty, full) = ([0; 784], [255; 784]);
    /// let limits = InkLimits::of([&empty[..]]).unwrap();
    /// assert!(limits.hold(&empty) && !limits.hold(&full));
    /// ```
    ///
    /// # Panics
    ///
    /// If an image has not 784 bytes.
    pub fn of<'a>(images: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut images = images.into_iter().map(|image| Ink::of(image).values());
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

    /// Whether `image`, `[28, 28]`, lies within all limits.
    ///
    /// # Panics
    ///
    /// If `image` has not 784 bytes.
    pub fn hold(&self, image: &[u8]) -> bool {
        let limits = [self.amount, self.covered, self.border, self.roughness];
        limits
            .iter()
            .zip(Ink::of(image).values())
            .all(|([low, high], value)| (*low..=*high).contains(&value))
    }
}
