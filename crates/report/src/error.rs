use data::ImageShape;
use thiserror::Error;

/// Why a classifier can't be examined on images.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ExaminationError {
    /// The images are not of the shape that the classifier takes.
    #[error("images of {found} for a classifier of {expected}: give images of that shape")]
    Shape {
        /// The shape of the images.
        found: ImageShape,
        /// The shape that the classifier takes.
        expected: ImageShape,
    },
    /// No figures follow from the images, for instance because a label is no class of the classifier's.
    #[error(transparent)]
    Figures(#[from] evaluation::Error),
}
