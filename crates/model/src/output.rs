//! What the networks of a classifier make of images, before any decision: every network looks at every
//! view of an image, and what they say is put together.

use burn::tensor::{Element, Tensor};
use data::ImageShape;

use crate::{
    classifier::{Classifier, ShapeError},
    network::Network,
};

/// How many bytes of images go through a network at once: enough to keep the cores busy, and few
/// enough that the memory stays in the tens of megabytes.
const CHUNK: usize = 500 * 784;

/// What the networks make of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The scores of the classes; those of several networks or views as
    /// [`combine`](evaluation::combine) puts them together.
    pub logits: Vec<f64>,
    /// What the last convolution block saw: the square root of the mean of each channel, averaged over
    /// the views; network after network.
    pub features: Vec<f32>,
}

impl Classifier {
    /// The raw scores, `[images, classes]`, for `[images, channels, height, width]` bytes.
    ///
    /// # Errors
    /// [`ShapeError`] if `images` are no whole images of [`Self::shape`].
    pub fn logits(&self, images: &[u8]) -> Result<Vec<Vec<f64>>, ShapeError> {
        let mut rows = Vec::new();
        for chunk in self.chunks(images)? {
            let said = self.said(chunk, |network, input| (network.forward(input), None));
            rows.extend(said.iter().map(|said| evaluation::combine(&said.logits)));
        }
        Ok(rows)
    }

    /// The scores and the features of each of `[images, channels, height, width]` bytes.
    ///
    /// # Errors
    /// As [`Self::logits`].
    pub fn outputs(&self, images: &[u8]) -> Result<Vec<Output>, ShapeError> {
        let mut outputs = Vec::new();
        for chunk in self.chunks(images)? {
            let said = self.said(chunk, |network, input| {
                let (logits, features) = network.forward_with_features(input);
                (logits, Some(features))
            });
            let views = self.manifest().views.count();
            outputs.extend(said.into_iter().map(|said| said.together(views)));
        }
        Ok(outputs)
    }

    /// What every network says of every view of a portion of images, by image; `look` gives logits and,
    /// where they are wanted, features.
    fn said(
        &self,
        portion: &[u8],
        look: impl Fn(&Network, Tensor<4>) -> (Tensor<2>, Option<Tensor<2>>),
    ) -> Vec<Said> {
        let (images, members) = (self.count(portion), self.networks().len());
        let views = self.manifest().views;
        let mut said = vec![Said::new(views.count(), members); images];
        // A single image keeps no core busy: as many views together as may go through a network at once.
        let together = (CHUNK / portion.len().max(1)).max(1);
        let shown: Vec<_> = views.of(portion, self.shape()).collect();
        for (group, shown) in shown.chunks(together).enumerate() {
            let input = self.input(&shown.concat());
            for (member, network) in self.networks().iter().enumerate() {
                let (logits, features) = look(network, input.clone());
                for (row, logits) in rows_of(logits).enumerate() {
                    let view = group * together + row / images;
                    said[row % images].logits[view * members + member] = logits;
                }
                for (row, features) in features.into_iter().flat_map(rows_of).enumerate() {
                    said[row % images].add(member, features);
                }
            }
        }
        said
    }

    /// The images in portions that go through a network at once.
    fn chunks<'a>(&self, images: &'a [u8]) -> Result<impl Iterator<Item = &'a [u8]>, ShapeError> {
        let length = self.shape().len();
        if !images.len().is_multiple_of(length) {
            return Err(self.wrong(images, true));
        }
        Ok(images.chunks((CHUNK / length).max(1) * length))
    }

    fn count(&self, images: &[u8]) -> usize {
        images.len() / self.shape().len()
    }

    /// Bytes as the input of a network, `[images, channels, height, width]`.
    fn input(&self, images: &[u8]) -> Tensor<4> {
        let shape = self.shape();
        let ImageShape {
            channels,
            height,
            width,
        } = shape;
        let mut input = Vec::with_capacity(images.len());
        self.normalization().apply(shape, images, &mut input);
        let dims = [self.count(images), channels, height, width];
        kernels::from_vec(input, dims, self.device())
    }
}

/// What is said of one image so far.
#[derive(Clone)]
struct Said {
    /// A row for each view and network.
    logits: Vec<Vec<f64>>,
    /// For each network, the sum over the views.
    features: Vec<Vec<f32>>,
}

impl Said {
    fn new(views: usize, members: usize) -> Self {
        Said {
            logits: vec![Vec::new(); views * members],
            features: vec![Vec::new(); members],
        }
    }

    fn add(&mut self, member: usize, features: Vec<f32>) {
        match &mut self.features[member] {
            sums if sums.is_empty() => *sums = features,
            sums => {
                let pairs = sums.iter_mut().zip(features);
                pairs.for_each(|(sum, feature)| *sum += feature);
            }
        }
    }

    fn together(self, views: usize) -> Output {
        let features = self.features.concat().into_iter();
        Output {
            logits: evaluation::combine(&self.logits),
            features: features.map(|sum| sum / views as f32).collect(),
        }
    }
}

/// The rows of a matrix.
fn rows_of<T: Element>(matrix: Tensor<2>) -> impl Iterator<Item = Vec<T>> {
    let width = matrix.dims()[1].max(1);
    let values: Vec<T> = matrix.into_data().iter::<T>().collect();
    let rows: Vec<Vec<T>> = values.chunks_exact(width).map(<[T]>::to_vec).collect();
    rows.into_iter()
}
