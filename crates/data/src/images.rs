use std::path::Path;
use std::sync::{Arc, OnceLock};

use burn::data::dataset::{Dataset, DatasetError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::idx::{self, Input};
use crate::{CLASSES, DataError, HEIGHT, MNIST_TEST, PIXELS, WIDTH};

/// Images and labels of one split, at least one, checked and kept once as bytes: a clone shares
/// them.
#[derive(Clone, Debug)]
pub struct LabelledImages {
    content: Arc<Content>,
    turned: bool,
}

struct Content {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    digest: OnceLock<SplitDigest>,
}

impl LabelledImages {
    /// Images `[count, 28, 28]`, a byte per pixel (0 black, 255 white), and labels `[count]`.
    ///
    /// # Errors
    ///
    /// [`DataError::PixelCount`], [`DataError::CountMismatch`], [`DataError::Label`] or
    /// [`DataError::Empty`] if they are not at least one whole image and as many labels from 0 to 9.
    pub fn new(pixels: Vec<u8>, labels: Vec<u8>) -> Result<Self, DataError> {
        if !pixels.len().is_multiple_of(PIXELS) {
            return Err(DataError::PixelCount {
                pixels: pixels.len(),
            });
        }
        if pixels.len() / PIXELS != labels.len() {
            return Err(DataError::CountMismatch {
                images: "the set".into(),
                image_count: pixels.len() / PIXELS,
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
        if let Some(index) = labels
            .iter()
            .position(|&label| usize::from(label) >= CLASSES)
        {
            return Err(DataError::label("the set".into(), &labels, index));
        }
        Ok(Self {
            content: Arc::new(Content {
                pixels,
                labels,
                digest: OnceLock::new(),
            }),
            turned: false,
        })
    }

    /// Reads an IDX file of images and the one of their labels, each plain or gzip.
    ///
    /// # Errors
    ///
    /// A [`DataError`] that names the file and what is wrong with it.
    pub fn read(images: &Path, labels: &Path) -> Result<Self, DataError> {
        idx::read_split(Input::open(images)?, Input::open(labels)?)
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.content.labels.len()
    }

    /// Never true: a set has at least one image.
    pub fn is_empty(&self) -> bool {
        self.content.labels.is_empty()
    }

    /// The image at `index`: `[28, 28]`, row by row.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len), like a slice.
    pub fn image(&self, index: usize) -> &[u8] {
        &self.content.pixels[index * PIXELS..][..PIXELS]
    }

    /// The label of the image at `index`, 0 to 9.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len), like a slice.
    pub fn label(&self, index: usize) -> u8 {
        self.content.labels[index]
    }

    /// All images: `[count, 28, 28]`.
    pub fn pixels(&self) -> &[u8] {
        &self.content.pixels
    }

    /// All labels: `[count]`.
    pub fn labels(&self) -> &[u8] {
        &self.content.labels
    }

    /// The SHA-256 of the two uncompressed IDX files with this content, whichever way it came.
    /// Computed at the first call.
    pub fn digest(&self) -> &SplitDigest {
        self.content.digest.get_or_init(|| {
            let count = self.len() as u32;
            SplitDigest {
                images: sha256(&[&idx::image_header(count), self.pixels()]),
                labels: sha256(&[&idx::label_header(count), self.labels()]),
            }
        })
    }

    /// Whether the files hold rows and columns exchanged, as EMNIST's do, and the images were turned
    /// when they were read.
    pub fn is_turned(&self) -> bool {
        self.turned
    }

    /// The same with rows and columns of each image exchanged.
    pub(crate) fn turned(&self) -> Self {
        let turn = |image: &[u8]| {
            let at = |index: usize| image[index % HEIGHT * WIDTH + index / HEIGHT];
            std::array::from_fn::<u8, PIXELS, _>(at)
        };
        Self {
            content: Arc::new(Content {
                pixels: self.pixels().chunks_exact(PIXELS).flat_map(turn).collect(),
                labels: self.labels().to_vec(),
                digest: OnceLock::new(),
            }),
            turned: !self.turned,
        }
    }

    /// Whether these are MNIST's own 10,000 test images, to the bit.
    pub fn is_mnist_test(&self) -> bool {
        self.digest().is(&MNIST_TEST)
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} images", self.labels.len())
    }
}

/// The SHA-256 digests (hexadecimal) of the uncompressed IDX files of a split: which data a number
/// was measured on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct SplitDigest {
    /// Digest of the file of images.
    pub images: String,
    /// Digest of the file of labels.
    pub labels: String,
}

/// One image and its label, as Burn's dataset tools see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// `[28, 28]`, row by row.
    pub image: [u8; PIXELS],
    /// 0 to 9.
    pub label: u8,
}

impl Dataset<Item> for LabelledImages {
    fn get(&self, index: usize) -> Result<Item, DatasetError> {
        let mut image = [0; PIXELS];
        image.copy_from_slice(self.image(index));
        Ok(Item {
            image,
            label: self.label(index),
        })
    }

    fn len(&self) -> usize {
        LabelledImages::len(self)
    }
}

/// The SHA-256 of the parts one after another, hexadecimal.
pub(crate) fn sha256(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
