//! What the networks of a classifier make of images, before any decision: every network looks at every
//! view of an image, and what they say is put together.

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
            let said = self.said(chunk);
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
            let views = self.manifest().views.count();
            outputs.extend(
                self.said(chunk)
                    .into_iter()
                    .map(|said| said.together(views)),
            );
        }
        Ok(outputs)
    }

    /// What every network says of every view of a portion of images, by image.
    fn said(&self, portion: &[u8]) -> Vec<Said> {
        let (images, members) = (self.count(portion), self.prepared().len());
        let views = self.manifest().views;
        let mut said = vec![Said::new(views.count(), members); images];
        // A single image keeps no core busy: as many views together as may go through a network at once.
        let together = (CHUNK / portion.len().max(1)).max(1);
        let shown: Vec<_> = views.of(portion, self.shape()).collect();
        for (group, shown) in shown.chunks(together).enumerate() {
            let shown = shown.concat();
            for (member, network) in self.prepared().iter().enumerate() {
                let response = network.look(&shown);
                let rows = shown.len() / self.shape().len();
                let (classes, channels) =
                    (response.logits.len() / rows, response.features.len() / rows);
                let logits = response.logits.chunks_exact(classes);
                let features = response.features.chunks_exact(channels);
                for (row, (logits, features)) in logits.zip(features).enumerate() {
                    let view = group * together + row / images;
                    let said = &mut said[row % images];
                    said.logits[view * members + member] =
                        logits.iter().map(|&logit| logit.into()).collect();
                    said.add(member, features);
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

    fn add(&mut self, member: usize, features: &[f32]) {
        match &mut self.features[member] {
            sums if sums.is_empty() => *sums = features.to_vec(),
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
