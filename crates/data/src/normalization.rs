use serde::{Deserialize, Serialize};

use crate::{DataError, LabelledImages};

/// Mean and standard deviation of the pixels of a training set: what turns a byte into the
/// network's input, `(pixel / 255 - mean) / std`.
///
/// Both are in units of pixel / 255; `std` is the population's (divided by n, not n - 1).
/// Reading one back checks it: a mean or deviation that is not finite, or a deviation that is not
/// above 0, is an error.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
#[serde(try_from = "Unchecked")]
pub struct Normalization {
    /// Mean of all pixels.
    pub mean: f64,
    /// Population standard deviation of all pixels.
    pub std: f64,
}

impl Normalization {
    /// That of MNIST's 60,000 training images.
    pub const MNIST: Self = Self {
        mean: 0.1306604762738429,
        std: 0.30810780385646264,
    };

    /// Measures a set of images. Exact: sums over a histogram of integers, rounded once at the end.
    ///
    /// A set of a single colour has no spread; its `std` is 1, so that it maps to zeros.
    pub fn of(images: &LabelledImages) -> Self {
        let mut histogram = [0_u64; 256];
        for &pixel in images.pixels() {
            histogram[usize::from(pixel)] += 1;
        }
        let (mut n, mut sum, mut squares) = (0_u128, 0_u128, 0_u128);
        for (value, &count) in (0_u128..).zip(&histogram) {
            let count = u128::from(count);
            n += count;
            sum += value * count;
            squares += value * value * count;
        }
        let scale = n as f64 * 255.0;
        let std = ((n * squares - sum * sum) as f64).sqrt() / scale;
        Self {
            mean: sum as f64 / scale,
            std: if std > 0.0 { std } else { 1.0 },
        }
    }

    /// The network's input for each of the 256 values of a byte.
    pub fn table(&self) -> [f32; 256] {
        std::array::from_fn(|value| ((value as f64 / 255.0 - self.mean) / self.std) as f32)
    }

    /// Appends the network's input for `pixels` to `out`, one number per pixel, in their order.
    pub fn apply(&self, pixels: &[u8], out: &mut Vec<f32>) {
        let table = self.table();
        out.extend(pixels.iter().map(|&pixel| table[usize::from(pixel)]));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    mean: f64,
    std: f64,
}

impl TryFrom<Unchecked> for Normalization {
    type Error = DataError;

    fn try_from(Unchecked { mean, std }: Unchecked) -> Result<Self, DataError> {
        if mean.is_finite() && std.is_finite() && std > 0.0 {
            Ok(Self { mean, std })
        } else {
            Err(DataError::Normalization { mean, std })
        }
    }
}
