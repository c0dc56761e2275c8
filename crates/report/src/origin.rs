//! Which data a classifier was trained on and which it is examined on.

use data::{DataError, LabelledImages, Source, mnist};
use model::Manifest;
use serde::Serialize;

/// Where the images come from that a classifier is examined on, beside those of its training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Where the images come from, in words.
    pub source: String,
    /// Where the images of training came from, in words.
    pub trained_on: String,
    /// Whether both belong to one data set; unknown where nothing tells.
    pub same: Option<bool>,
    /// Whether the classifier was calibrated on these images after its training, so that they can't tell how its
    /// threshold fares on others.
    pub calibrated: bool,
}

impl Origin {
    /// Compares `images`, which are the test images of `source`, with what a checkpoint says of its
    /// training. They belong together if the training images of the source are those of the
    /// checkpoint, to the bit; unknown if the source has none.
    ///
    /// # Errors
    /// That the training images of the source are damaged.
    pub fn new(
        manifest: &Manifest,
        source: &Source,
        images: &LabelledImages,
    ) -> Result<Self, DataError> {
        let data = &manifest.provenance.data;
        let known = (data.train.is(&mnist::TRAIN), mnist::is_test(images));
        let same = match known {
            (true, true) => Some(true),
            _ => match source.train(&()) {
                Ok(train) => Some(*train.digest() == data.train),
                Err(DataError::Missing { .. }) => (known == (false, true)).then_some(false),
                Err(error) => return Err(error),
            },
        };
        Ok(Self {
            source: source.name(),
            trained_on: match known.0 {
                true => "MNIST".to_owned(),
                false => data.source.clone(),
            },
            same,
            calibrated: manifest
                .calibrated_on
                .as_ref()
                .is_some_and(|on| on.data == *images.digest()),
        })
    }

    /// What has to be said of figures that were measured so; nothing where images of the same data set
    /// were used that nothing was fitted on.
    pub fn caveat(&self) -> Option<String> {
        let Self {
            source,
            trained_on,
            same,
            calibrated,
        } = self;
        match same {
            _ if *calibrated => Some(format!(
                "calibrated on these images ({source}): how the threshold fares on others they can't tell"
            )),
            Some(true) => None,
            Some(false) => Some(format!(
                "measured on another data set ({source}) than it was trained on ({trained_on})"
            )),
            None => Some(format!(
                "measured on {source}, and trained on {trained_on}: nothing tells whether that is the \
                 same data set"
            )),
        }
    }
}
