use data::ImageShape;
use model::ShapeError;
use thiserror::Error;

/// Why a classifier can't be tried on images.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum StressError {
    /// The images are not of the shape that the classifier takes.
    #[error("images of {found} for a classifier of {expected}: give images of that shape")]
    Shape {
        /// The shape of the images.
        found: ImageShape,
        /// The shape that the classifier takes.
        expected: ImageShape,
    },
    /// Bytes that are no images of that shape.
    #[error(transparent)]
    Bytes(#[from] ShapeError),
    /// There are no images to count.
    #[error(transparent)]
    Figures(#[from] evaluation::Error),
}
