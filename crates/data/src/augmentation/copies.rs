//! Images as they would be in other hands, outside of training.

use super::{Augmentation, Draw, Scratch};
use crate::LabelledImages;

impl LabelledImages {
    /// The images at `indices`, changed by what is drawn for (`seed`, 0, index), before the first epoch; none if
    /// there is no index.
    ///
    /// # Panics
    ///
    /// If an index is not below [`len`](Self::len), like a slice.
    pub fn augmented(&self, kinds: &Augmentation, indices: &[u32], seed: u64) -> Option<Self> {
        let shape = self.shape();
        let mut scratch = Scratch::default();
        let mut images = vec![0; indices.len() * shape.len()];
        for (out, &index) in images.chunks_exact_mut(shape.len()).zip(indices) {
            let index = index as usize;
            let epoch = 0;
            let draw = Draw { seed, epoch, index };
            let (image, digit) = (self.image(index), self.digit(index));
            kinds.apply(shape, image, digit, draw, &mut scratch, out);
        }
        let labels = indices.iter().map(|&index| self.label(index as usize));
        (!indices.is_empty()).then(|| self.with(images, labels.collect()))
    }
}
