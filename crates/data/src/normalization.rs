use serde::{Deserialize, Serialize};

use crate::{DataError, LabelledImages, PIXELS};

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
    /// That of MNIST's 60,000 training images: exactly what [`of`](Self::of) gives for them.
    pub const MNIST: Self = Self {
        mean: 0.13066047627384286,
        std: 0.3081078038564627,
    };

    /// Measures a set of images. Exact: the sums are whole numbers, rounded once at the end.
    ///
    /// A set of a single colour has no spread; its `std` is 1, so that it maps to zeros.
    pub fn of(images: &LabelledImages) -> Self {
        let (mut sum, mut squares) = (0_u64, 0_u64);
        for image in images.pixels().chunks_exact(PIXELS) {
            // The sums of one image fit 32 bits, which vectorizes.
            sum += u64::from(image.iter().map(|&p| u32::from(p)).sum::<u32>());
            let square = |&p: &u8| u32::from(u16::from(p) * u16::from(p));
            squares += u64::from(image.iter().map(square).sum::<u32>());
        }
        let n = images.pixels().len();
        let scale = n as f64 * 255.0;
        let (wide_n, wide_sum) = (n as u128, u128::from(sum));
        let variance = wide_n * u128::from(squares) - wide_sum * wide_sum;
        let std = (variance as f64).sqrt() / scale;
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
