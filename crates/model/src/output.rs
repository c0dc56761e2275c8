//! What the networks of a classifier make of images, before any decision: every network looks at every
//! view of an image, and what they say is put together.

use burn::tensor::{Element, Tensor};
use data::ImageShape;

use crate::classifier::{Classifier, ShapeError};

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
            let mut said: Vec<Vec<Vec<f64>>> = vec![Vec::new(); self.count(chunk)];
            for view in self.manifest().views.of(chunk, self.shape()) {
                let input = self.input(&view);
                for network in self.networks() {
                    let logits = rows_of(network.forward(input.clone()));
                    said.iter_mut()
                        .zip(logits)
                        .for_each(|(said, row)| said.push(row));
                }
            }
            rows.extend(said.iter().map(|said| evaluation::combine(said)));
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
            let mut said = vec![Said::default(); self.count(chunk)];
            for (view, bytes) in self.manifest().views.of(chunk, self.shape()).enumerate() {
                let input = self.input(&bytes);
                for (member, network) in self.networks().iter().enumerate() {
                    let (logits, features) = network.forward_with_features(input.clone());
                    let rows = rows_of(logits).zip(rows_of(features));
                    for (said, (logits, features)) in said.iter_mut().zip(rows) {
                        said.add(view, member, logits, features);
                    }
                }
            }
            let views = self.manifest().views.count();
            outputs.extend(said.into_iter().map(|said| said.together(views)));
        }
        Ok(outputs)
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
#[derive(Clone, Default)]
struct Said {
    /// A row for each network and view.
    logits: Vec<Vec<f64>>,
    /// For each network, the sum over the views.
    features: Vec<Vec<f32>>,
}

impl Said {
    fn add(&mut self, view: usize, member: usize, logits: Vec<f64>, features: Vec<f32>) {
        self.logits.push(logits);
        match view {
            0 => self.features.push(features),
            _ => {
                let sums = self.features[member].iter_mut().zip(features);
                sums.for_each(|(sum, feature)| *sum += feature);
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
