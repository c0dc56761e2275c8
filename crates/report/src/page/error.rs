/// Why there is no page.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PageError {
    /// A chart couldn't be drawn.
    #[error(
        "the chart \"{title}\" can't be drawn: {problem}; please report this with the checkpoint"
    )]
    Chart {
        /// Its title.
        title: &'static str,
        /// What the drawing library says.
        problem: String,
    },
    /// A picture couldn't be encoded.
    #[error("a picture can't be encoded as PNG: {problem}; please report this with the checkpoint")]
    Picture {
        /// What the encoder says.
        problem: String,
    },
    /// The images are not those of the examination.
    #[error("{images} images for an examination of {examined}: give the images that were examined")]
    Images {
        /// Images given.
        images: usize,
        /// Images examined.
        examined: usize,
    },
    /// The images or the examination don't belong to the classifier.
    #[error("{what} that the classifier doesn't have: give the classifier that was examined")]
    Classifier {
        /// What doesn't fit.
        what: &'static str,
    },
}
