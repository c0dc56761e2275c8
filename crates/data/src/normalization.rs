use rayon::prelude::*;
use serde::{Deserialize, Serialize, Serializer};

use crate::{DataError, ImageShape, LabelledImages};

/// Mean and standard deviation of the pixels of a training set, channel by channel: what turns a byte
/// into the network's input, `(pixel / 255 - mean) / std`.
///
/// Both are in units of pixel / 255; `std` is the population's (divided by n, not n - 1). A file has a
/// number where there is one channel and a list where there are three. Reading one back checks it: at
/// least one, as many means as deviations, all finite, the deviations above 0.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(try_from = "Unchecked")]
pub struct Normalization {
    /// Mean of all pixels, `[channels]`.
    #[serde(serialize_with = "number_or_list")]
    pub mean: Vec<f64>,
    /// Population standard deviation of all pixels, `[channels]`.
    #[serde(serialize_with = "number_or_list")]
    pub std: Vec<f64>,
}

impl Normalization {
    /// Measures a set of images. Exact: the sums are whole numbers, rounded once at the end.
    ///
    /// A channel of a single value has no spread; its `std` is 1, so that it maps to zeros.
    pub fn of(images: &LabelledImages) -> Self {
        let shape = images.shape();
        let (mut mean, mut std) = (Vec::new(), Vec::new());
        for channel in 0..shape.channels {
            let sums = |image: &[u8]| {
                let plane = &image[channel * shape.plane()..][..shape.plane()];
                // The sums of 256 pixels fit 32 bits, which vectorizes.
                plane
                    .chunks(256)
                    .fold((0_u64, 0_u64), |(sum, squares), part| {
                        let square = |&p: &u8| u32::from(u16::from(p) * u16::from(p));
                        (
                            sum + u64::from(part.iter().map(|&p| u32::from(p)).sum::<u32>()),
                            squares + u64::from(part.iter().map(square).sum::<u32>()),
                        )
                    })
            };
            let (sum, squares) = images
                .pixels()
                .par_chunks_exact(shape.len())
                .with_min_len(IMAGES_PER_TASK)
                .map(sums)
                .reduce(|| (0, 0), |one, other| (one.0 + other.0, one.1 + other.1));
            let n = images.len() * shape.plane();
            let scale = n as f64 * 255.0;
            let (wide_n, wide_sum) = (n as u128, u128::from(sum));
            let variance = wide_n * u128::from(squares) - wide_sum * wide_sum;
            let spread = (variance as f64).sqrt() / scale;
            mean.push(sum as f64 / scale);
            std.push(if spread > 0.0 { spread } else { 1.0 });
        }
        Self { mean, std }
    }

    /// The network's input for each of the 256 values of a byte, `[channels]`.
    pub fn tables(&self) -> Vec<[f32; 256]> {
        let channels = self.mean.iter().zip(&self.std);
        channels
            .map(|(mean, std)| {
                std::array::from_fn(|value| ((value as f64 / 255.0 - mean) / std) as f32)
            })
            .collect()
    }

    /// Appends the network's input for images, `[count, channels, height, width]`, to `out`, one number
    /// for each byte, in their order.
    ///
    /// # Panics
    ///
    /// If the images have another number of channels.
    pub fn apply(&self, shape: ImageShape, pixels: &[u8], out: &mut Vec<f32>) {
        assert_eq!(shape.channels, self.mean.len(), "channels");
        let tables = self.tables();
        let planes = pixels.chunks(shape.plane()).zip(tables.iter().cycle());
        for (plane, table) in planes {
            out.extend(plane.iter().map(|&pixel| table[usize::from(pixel)]));
        }
    }
}

/// Fewer images than this are not worth handing to another thread.
const IMAGES_PER_TASK: usize = 1000;

fn number_or_list<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    match values {
        [value] => value.serialize(serializer),
        values => values.serialize(serializer),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    mean: NumberOrList,
    std: NumberOrList,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrList {
    Number(f64),
    List(Vec<f64>),
}

impl From<NumberOrList> for Vec<f64> {
    fn from(values: NumberOrList) -> Self {
        match values {
            NumberOrList::Number(value) => vec![value],
            NumberOrList::List(values) => values,
        }
    }
}

impl TryFrom<Unchecked> for Normalization {
    type Error = DataError;

    fn try_from(Unchecked { mean, std }: Unchecked) -> Result<Self, DataError> {
        let (mean, std) = (Vec::from(mean), Vec::from(std));
        let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
        let as_many = mean.len() == std.len() && !mean.is_empty();
        let valid = as_many && finite(&mean) && finite(&std);
        if valid && std.iter().all(|&std| std > 0.0) {
            Ok(Self { mean, std })
        } else {
            Err(DataError::Normalization {
                mean: format!("{mean:?}"),
                std: format!("{std:?}"),
            })
        }
    }
}
