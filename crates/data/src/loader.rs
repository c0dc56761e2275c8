//! Epochs of batches, in order or shuffled.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;

use crate::batcher::{Augmented, Batch, Batcher, Negatives};
use crate::drawn::Drawn;
use crate::random::{Purpose, Random};
use crate::{Augmentation, LabelledImages, Normalization};

/// Serves images in batches, as tensors on a device: Burn's [`DataLoader`] without its copies.
///
/// The images stay where they are, as bytes; a batch is gathered, augmented and normalized in
/// parallel into one buffer, which becomes one tensor. The result depends on the images, the
/// options and the epoch, not on the number of threads. Epochs count from 1; the last batch of an
/// epoch may be short, but not a single image where batches are larger: that one joins the batch
/// before it, as nothing can be normalized over a batch of one.
///
/// A clone shares the images, and the count of epochs too.
///
/// ```
/// use burn::tensor::Device;
/// use data::{Classes, ImageShape, LabelledImages, Loader, Normalization};
///
/// # #[allow(deprecated)]
/// # fn main() -> Result<(), data::DataError> {
/// let (shape, classes) = (ImageShape::new(1, 28, 28)?, Classes::numbered(vec![3, 8])?);
/// let images = LabelledImages::new(shape, classes, vec![0; 100 * shape.len()], vec![1; 100])?;
/// let normalization = Normalization::of(&images);
/// let loader = Loader::whole(images, &normalization, 64, &Device::ndarray()).shuffled(42);
/// for batch in loader.epoch(1).flatten() {
///     // [64, 1, 28, 28], [36, 1, 28, 28]
///     println!("{:?}: {:?}", batch.images.dims(), batch.labels);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Loader {
    batcher: Batcher,
    indices: Arc<[u32]>,
    drawn: Vec<Drawn>,
    batch_size: usize,
    shuffle: Option<u64>,
    next_epoch: Arc<AtomicUsize>,
}

impl Loader {
    /// Serves the images at `indices`, in that order, `batch_size` at a time.
    ///
    /// # Panics
    ///
    /// If `batch_size` is 0, an index is not below the number of images, or the normalization has
    /// another number of channels.
    pub fn new(
        images: LabelledImages,
        indices: Arc<[u32]>,
        normalization: &Normalization,
        batch_size: usize,
        device: &Device,
    ) -> Self {
        assert!(batch_size > 0, "a batch holds at least one image");
        assert!(
            indices.iter().all(|&index| (index as usize) < images.len()),
            "an index lies beyond the {} images",
            images.len()
        );
        let channels = images.shape().channels;
        assert_eq!(normalization.mean.len(), channels, "channels");
        Self {
            batcher: Batcher {
                images,
                tables: normalization.tables().into(),
                augmented: None,
                negatives: None,
                device: device.clone(),
            },
            indices,
            drawn: Vec::new(),
            batch_size,
            shuffle: None,
            next_epoch: Arc::new(AtomicUsize::new(1)),
        }
    }

    /// Every image of a set, in its order: for validation and testing.
    ///
    /// # Panics
    ///
    /// If `batch_size` is 0.
    pub fn whole(
        images: LabelledImages,
        normalization: &Normalization,
        batch_size: usize,
        device: &Device,
    ) -> Self {
        let indices = (0..images.len() as u32).collect();
        Self::new(images, indices, normalization, batch_size, device)
    }

    /// Serves each epoch in an order of its own, drawn from (`seed`, epoch).
    pub fn shuffled(mut self, seed: u64) -> Self {
        self.shuffle = Some(seed);
        self
    }

    /// Adds the images at `indices`, each shown `weight` times an epoch on average: as often as its whole
    /// part says, and of the fraction as large a part of them as drawn from (`seed`, epoch). Copies of an
    /// image in one epoch are bent each in its own way.
    ///
    /// # Panics
    ///
    /// If an index is not below the number of images, or the weight is negative, not finite, or so large
    /// that the copies of all images were more than 2³².
    pub fn with_more(mut self, indices: &[u32], weight: f64, seed: u64) -> Self {
        let images = self.batcher.images.len();
        let inside = |&index: &u32| (index as usize) < images;
        assert!(
            indices.iter().all(inside),
            "an index lies beyond the images"
        );
        assert!(Self::can_repeat(images, weight), "too many copies");
        let (whole, drawn) = Drawn::new(indices, images, weight, seed);
        self.indices = self.indices.iter().copied().chain(whole).collect();
        self.drawn.push(drawn);
        self
    }

    /// Which images `epoch` shows, in their order.
    fn shown(&self, epoch: usize) -> Arc<[u32]> {
        if self.drawn.is_empty() {
            return self.indices.clone();
        }
        let sets = (0..).zip(&self.drawn);
        let drawn = sets.flat_map(|(set, drawn)| drawn.shown(epoch, set));
        self.indices.iter().copied().chain(drawn).collect()
    }

    /// Images in an epoch.
    fn len(&self) -> usize {
        self.indices.len() + self.drawn.iter().map(Drawn::count).sum::<usize>()
    }

    /// Bends each image as drawn from (`seed`, epoch, image index). Epochs from `plain_from` on show
    /// the images as they are.
    pub fn augmented(
        mut self,
        augmentation: Augmentation,
        seed: u64,
        plain_from: Option<usize>,
    ) -> Self {
        self.batcher.augmented = (!augmentation.is_identity()).then_some(Augmented {
            augmentation,
            seed,
            plain_from,
        });
        self
    }

    /// Adds images of no digit to each batch, `share` for each image in it, whose label is
    /// [`NO_CLASS`](kernels::NO_CLASS): turned, mirrored, cut and joined digits, bowls with stems and
    /// scribbles, made of an image and the next of its batch as drawn from (`seed`, epoch, image index), and
    /// augmented like the others. Without effect where the classes are not
    /// the ten digits. They don't count as items.
    pub fn with_negatives(mut self, share: f64, seed: u64) -> Self {
        let digits = self.batcher.images.classes().are_digits();
        self.batcher.negatives = (digits && share > 0.0).then_some(Negatives { share, seed });
        self
    }

    /// Makes `epoch` (from 1) the one that the next [`DataLoader::iter`] serves; each call moves on
    /// by one. Copies made by [`DataLoader::to_device`] count together with the original, slices
    /// count by themselves.
    pub fn starting_at(mut self, epoch: usize) -> Self {
        self.next_epoch = Arc::new(AtomicUsize::new(epoch));
        self
    }

    /// How many batches an epoch has.
    pub fn num_batches(&self) -> usize {
        let whole = self.len() / self.batch_size;
        let rest = self.len() % self.batch_size;
        match rest {
            0 => whole,
            1 => whole.max(1),
            _ => whole + 1,
        }
    }

    /// The batches of `epoch` (from 1). Does not move the count of epochs.
    pub fn epoch(&self, epoch: usize) -> Batches<'_> {
        let order = match self.shuffle {
            None => self.shown(epoch),
            Some(seed) => {
                let mut order = self.shown(epoch).to_vec();
                Random::keyed(&[Purpose::Shuffle as u64, seed, epoch as u64]).shuffle(&mut order);
                order.into()
            }
        };
        Batches {
            loader: self,
            epoch,
            order,
            served: 0,
        }
    }
}

impl DataLoader<Batch> for Loader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        Box::new(self.epoch(self.next_epoch.fetch_add(1, Ordering::Relaxed)))
    }

    fn num_items(&self) -> usize {
        self.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        let mut moved = self.clone();
        moved.batcher.device = device.clone();
        Arc::new(moved)
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let next = self.next_epoch.load(Ordering::Relaxed);
        let slice = Self {
            indices: self.shown(next)[start..end].into(),
            drawn: Vec::new(),
            ..self.clone()
        };
        Arc::new(slice.starting_at(next))
    }
}

/// The batches of one epoch, in order. Never yields an error: every byte was checked before.
pub struct Batches<'a> {
    loader: &'a Loader,
    epoch: usize,
    order: Arc<[u32]>,
    served: usize,
}

impl Batches<'_> {
    /// The order in which this epoch shows the images: indices into the set, plus its length for each copy of
    /// an image that [`Loader::with_more`] repeats.
    pub fn order(&self) -> &[u32] {
        &self.order
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.order[self.served..];
        let size = match self.loader.batch_size {
            1 => rest.len().min(1),
            size if rest.len() == size + 1 => size + 1,
            size => rest.len().min(size),
        };
        let indices = &rest[..size];
        if indices.is_empty() {
            return None;
        }
        let batch = self.loader.batcher.batch(indices, self.epoch);
        self.served += indices.len();
        Some(Ok(batch))
    }
}

impl DataLoaderIterator<Batch> for Batches<'_> {
    fn progress(&self) -> Progress {
        Progress::new(self.served, self.order.len(), Some("items".into()))
    }
}
