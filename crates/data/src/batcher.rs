//! A batch made of images.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use crate::{Augmentation, Draw, LabelledImages, Scratch};

/// One batch on a device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[batch, channels, height, width]`, normalized, in the device's default float type.
    pub images: Tensor<4>,
    /// The index of the class of each, `[batch]`, on the host; [`NO_CLASS`](kernels::NO_CLASS) for what shows
    /// none.
    pub labels: Arc<[u16]>,
    /// The part of the step's loss that is this batch's: 1 unless it is [part](Batch::split) of one.
    pub share: f32,
}

impl Batch {
    /// The batch in contiguous parts, one on each device, whose sizes differ by one at most. Where there are fewer
    /// images than devices, there are fewer parts. The shares add up to that of the whole.
    ///
    /// Gradients of the parts' mean losses, each times its share, add up to that of the whole's mean loss.
    pub fn split(self, devices: &[Device]) -> Vec<Batch> {
        let count = self.labels.len();
        let parts = devices.len().min(count);
        let end = |part: usize| count * part / parts.max(1);
        let split = devices.iter().take(parts).enumerate();
        split
            .map(|(part, device)| {
                let rows = end(part)..end(part + 1);
                Batch {
                    // By its values, so that it is tracked where the device does.
                    images: Tensor::from_data(
                        self.images.clone().slice([rows.clone()]).into_data(),
                        device,
                    ),
                    labels: self.labels[rows.clone()].into(),
                    share: self.share * rows.len() as f32 / count as f32,
                }
            })
            .collect()
    }
}

/// What batches are made of, and how.
#[derive(Clone)]
pub(crate) struct Batcher {
    pub(crate) images: LabelledImages,
    /// The normalized value of each byte, for each channel.
    pub(crate) tables: Arc<[[f32; 256]]>,
    pub(crate) augmented: Option<Augmented>,
    pub(crate) negatives: Option<Negatives>,
    pub(crate) device: Device,
}

/// How images are changed, and from which epoch on they are not.
#[derive(Clone, Copy)]
pub(crate) struct Augmented {
    pub(crate) augmentation: Augmentation,
    pub(crate) seed: u64,
    pub(crate) plain_from: Option<usize>,
}

/// Images that show no class: how many for each image of a batch, and the seed that they are drawn from.
#[derive(Clone, Copy, Default)]
pub(crate) struct Negatives {
    pub(crate) share: f64,
    pub(crate) seed: u64,
}

impl Batcher {
    /// The images at `indices`, of which there is one at least, as `epoch` (from 1) shows them, and after
    /// them those that show no class. An index beyond the images is that of another copy, changed in another
    /// way: of the image at the rest after division by their number.
    pub(crate) fn batch(&self, indices: &[u32], epoch: usize) -> Batch {
        let shape = self.images.shape();
        let augmented = self.augmented;
        let augmented =
            augmented.filter(|options| options.plain_from.is_none_or(|plain| epoch < plain));
        let Negatives { share, seed } = self.negatives.unwrap_or_default();
        let negatives = (share * indices.len() as f64).round() as usize;
        let count = indices.len() + negatives;
        let mut input = vec![0.0; count * shape.len()];
        input
            .par_chunks_exact_mut(shape.len())
            .enumerate()
            .with_min_len(IMAGES_PER_TASK)
            .for_each_init(Buffers::default, |buffers, (at, input)| {
                let Buffers { shown, scratch } = buffers;
                let shown_as = indices[at % indices.len()] as usize;
                let index = shown_as % self.images.len();
                let is_negative = at >= indices.len();
                let made;
                let mut image = self.images.image(index);
                if is_negative {
                    let other = indices[(at + 1) % indices.len()] as usize % self.images.len();
                    made = self.images.negative([index, other], seed, epoch);
                    image = &made;
                }
                if let Some(Augmented {
                    augmentation, seed, ..
                }) = augmented
                {
                    shown.resize(shape.len(), 0);
                    let digit = self.images.digit(index).filter(|_| !is_negative);
                    let draw = Draw {
                        seed,
                        epoch,
                        index: shown_as,
                    };
                    augmentation.apply(shape, image, digit, draw, scratch, shown);
                    image = shown;
                }
                let planes = input.chunks_exact_mut(shape.plane());
                let image = image.chunks_exact(shape.plane());
                for ((input, image), table) in planes.zip(image).zip(&*self.tables) {
                    for (input, &pixel) in input.iter_mut().zip(image) {
                        *input = table[usize::from(pixel)];
                    }
                }
            });
        let labels: Arc<[u16]> = indices
            .iter()
            .map(|&index| self.images.label(index as usize % self.images.len()))
            .chain(std::iter::repeat_n(kernels::NO_CLASS, negatives))
            .collect();
        let dims = [count, shape.channels, shape.height, shape.width];
        Batch {
            images: kernels::from_vec(input, dims, &self.device),
            labels,
            share: 1.0,
        }
    }
}

/// What a thread reuses from image to image.
#[derive(Default)]
struct Buffers {
    shown: Vec<u8>,
    scratch: Scratch,
}

/// Fewer images than this are not worth handing to another thread.
const IMAGES_PER_TASK: usize = 16;
