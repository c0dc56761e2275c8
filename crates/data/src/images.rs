use std::sync::{Arc, OnceLock};

use burn::data::dataset::{Dataset, DatasetError};

use crate::augmentation::{Digit, negative};
use crate::digest::sha256;
use crate::random::{Purpose, Random};
use crate::{Classes, DataError, ImageShape, SplitDigest, header};

/// Images of one shape and the class of each, at least one, checked and kept once as bytes: a clone
/// shares them.
#[derive(Clone, Debug)]
pub struct LabelledImages {
    content: Arc<Content>,
}

struct Content {
    shape: ImageShape,
    classes: Classes,
    digits: bool,
    pixels: Vec<u8>,
    labels: Vec<u16>,
    /// Of the images alone, where it came with them.
    images_digest: Option<String>,
    digest: OnceLock<SplitDigest>,
}

impl LabelledImages {
    /// Images `[count, channels, height, width]`, a byte per value (0 black, 255 white), and the index
    /// of the class of each, `[count]`.
    ///
    /// # Errors
    ///
    /// [`DataError::PixelCount`], [`DataError::CountMismatch`], [`DataError::Label`] or
    /// [`DataError::Empty`] if they are not at least one whole image and as many indices of classes.
    pub fn new(
        shape: ImageShape,
        classes: Classes,
        pixels: Vec<u8>,
        labels: Vec<u16>,
    ) -> Result<Self, DataError> {
        if !pixels.len().is_multiple_of(shape.len()) {
            return Err(DataError::PixelCount {
                pixels: pixels.len(),
                shape: shape.to_string(),
            });
        }
        if pixels.len() / shape.len() != labels.len() {
            return Err(DataError::CountMismatch {
                images: "the set".into(),
                image_count: pixels.len() / shape.len(),
                labels: "it".into(),
                label_count: labels.len(),
            });
        }
        if labels.is_empty() {
            return Err(DataError::Empty {
                file: "the set".into(),
                kind: "images",
            });
        }
        let unknown = |&label: &u16| usize::from(label) >= classes.len();
        if let Some(index) = labels.iter().position(unknown) {
            return Err(DataError::Label {
                file: "the set".into(),
                index,
                label: labels[index],
                known: format!("0 to {}", classes.len() - 1),
            });
        }
        Ok(Self::checked(shape, classes, pixels, labels))
    }

    /// The same where the SHA-256 of the file of these images is known already, as
    /// [`digest`](Self::digest) would compute it. Images that are shared stay as they are.
    #[cfg(feature = "files")]
    pub(crate) fn with_digest_of_images(mut self, digest: String) -> Self {
        if let Some(content) = Arc::get_mut(&mut self.content) {
            content.images_digest = Some(digest);
        }
        self
    }

    /// The images of several sets, one set after the other; none if there is no set, or their shapes or the
    /// number of their classes differ. The classes are called as in the first.
    pub fn joined(sets: &[&Self]) -> Option<Self> {
        let first = sets.first()?;
        let alike = |set: &&Self| {
            (set.shape(), set.classes().len()) == (first.shape(), first.classes().len())
        };
        let parts = |part: fn(&Self) -> &[u8]| sets.iter().map(|set| part(set)).collect::<Vec<_>>();
        let labels = sets.iter().flat_map(|set| set.labels()).copied();
        let alike = sets.iter().all(alike);
        alike.then(|| first.with(parts(Self::pixels).concat(), labels.collect()))
    }

    /// The images at `indices`, in that order; none if there is no index.
    ///
    /// # Panics
    ///
    /// If an index is not below [`len`](Self::len), like a slice.
    pub fn chosen(&self, indices: &[u32]) -> Option<Self> {
        if indices.is_empty() {
            return None;
        }
        let mut pixels = Vec::with_capacity(indices.len() * self.shape().len());
        for &index in indices {
            pixels.extend_from_slice(self.image(index as usize));
        }
        let labels = indices.iter().map(|&index| self.label(index as usize));
        Some(self.with(pixels, labels.collect()))
    }

    /// Other images of the same shape and classes.
    pub(crate) fn with(&self, pixels: Vec<u8>, labels: Vec<u16>) -> Self {
        Self::checked(self.shape(), self.classes().clone(), pixels, labels)
    }

    fn checked(shape: ImageShape, classes: Classes, pixels: Vec<u8>, labels: Vec<u16>) -> Self {
        let content = Arc::new(Content {
            shape,
            digits: classes.are_digits(),
            classes,
            pixels,
            labels,
            images_digest: None,
            digest: OnceLock::new(),
        });
        Self { content }
    }

    /// The shape of each image.
    pub fn shape(&self) -> ImageShape {
        self.content.shape
    }

    /// The classes, whether or not there is an image of each.
    pub fn classes(&self) -> &Classes {
        &self.content.classes
    }

    /// Shape and classes.
    pub fn spec(&self) -> Spec {
        Spec {
            shape: self.shape(),
            classes: self.classes().clone(),
        }
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.content.labels.len()
    }

    /// Never true: a set has at least one image.
    pub fn is_empty(&self) -> bool {
        self.content.labels.is_empty()
    }

    /// The image at `index`: `[channels, height, width]`, row by row.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len), like a slice.
    pub fn image(&self, index: usize) -> &[u8] {
        let length = self.content.shape.len();
        &self.content.pixels[index * length..][..length]
    }

    /// The class of the image at `index`.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len), like a slice.
    pub fn label(&self, index: usize) -> u16 {
        self.content.labels[index]
    }

    /// The digit that the image at `index` shows, where the classes are called 0 to 9.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len), like a slice.
    pub fn digit(&self, index: usize) -> Option<u8> {
        let label = self.label(index);
        self.content.digits.then_some(label as u8)
    }

    /// Something that is no digit, `[channels, height, width]`, made of the digits at two indices or drawn
    /// anew, as (`seed`, `epoch`, first index) has it; of classes other than the ten digits it is made all the
    /// same.
    ///
    /// # Panics
    ///
    /// If an index is not below [`len`](Self::len), like a slice.
    pub fn negative(&self, indices: [usize; 2], seed: u64, epoch: usize) -> Vec<u8> {
        let [first, second] = indices.map(|index| Digit {
            image: self.image(index),
            shows: self.label(index),
        });
        let key = [
            Purpose::Negative as u64,
            seed,
            epoch as u64,
            indices[0] as u64,
        ];
        let mut out = vec![0; self.shape().len()];
        negative(
            self.shape(),
            first,
            second,
            &mut Random::keyed(&key),
            &mut out,
        );
        out
    }

    /// All images: `[count, channels, height, width]`.
    pub fn pixels(&self) -> &[u8] {
        &self.content.pixels
    }

    /// The classes of all images: `[count]`.
    pub fn labels(&self) -> &[u16] {
        &self.content.labels
    }

    /// The SHA-256 of the two uncompressed IDX files with this content, whichever way it came: of
    /// images in rank 3 where there is one channel and 4 otherwise, and of labels as bytes, or 16-bit
    /// integers where bytes don't hold them. Computed at the first call.
    pub fn digest(&self) -> &SplitDigest {
        let Content {
            shape,
            classes,
            pixels,
            labels,
            images_digest,
            digest,
            ..
        } = &*self.content;
        digest.get_or_init(|| {
            let count = labels.len() as u32;
            let labels = labels
                .iter()
                .map(|&class| classes.labels()[usize::from(class)]);
            let wide = classes.labels().iter().any(|&label| label > 255);
            let bytes: Vec<u8> = match wide {
                true => labels.flat_map(u16::to_be_bytes).collect(),
                false => labels.map(|label| label as u8).collect(),
            };
            let images = || sha256(&[&header::images(count, *shape), pixels]);
            SplitDigest {
                images: images_digest.clone().unwrap_or_else(images),
                labels: sha256(&[&header::labels(count, wide), &bytes]),
            }
        })
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} images of {}", self.labels.len(), self.shape)
    }
}

/// What all images of a data set have in common: what a test set shares with its training set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The shape of an image.
    pub shape: ImageShape,
    /// The classes.
    pub classes: Classes,
}

/// One image and its class, as Burn's dataset tools see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// `[channels, height, width]`, row by row.
    pub image: Vec<u8>,
    /// The index of its class.
    pub label: u16,
}

impl Dataset<Item> for LabelledImages {
    fn get(&self, index: usize) -> Result<Item, DatasetError> {
        Ok(Item {
            image: self.image(index).to_vec(),
            label: self.label(index),
        })
    }

    fn len(&self) -> usize {
        LabelledImages::len(self)
    }
}
