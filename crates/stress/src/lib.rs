//! What becomes of a classifier's answers away from what it was trained on: images that are damaged on
//! their way, and images that show nothing it has a class for.
//!
//! [`Corruption`] damages an image so that a person still reads it, [`Outlier`] draws images of nothing,
//! and [`Stress`] counts what a classifier answers to both. They work for any shape of image and any
//! classes. The images are a function of (seed, index) alone, as all randomness of this project.
//!
//! It presents nothing, reads no files and knows neither training nor pictures of other sizes. What an
//! answer is worth is not decided here: it counts [`model::Decision`]s.
//!
//! ```
//! use data::ImageShape;
//! use stress::{Corruption, Outlier};
//!
//! # fn main() -> Result<(), data::DataError> {
//! let shape = ImageShape::new(3, 32, 48)?;
//! let image = vec![200; shape.len()];
//! assert_eq!(Corruption::Identity.apply(shape, &image, 7, 0), image);
//! let fog = Corruption::Fog;
//! assert_eq!(fog.apply(shape, &image, 7, 0), fog.apply(shape, &image, 7, 0));
//! assert_ne!(fog.apply(shape, &image, 7, 0), fog.apply(shape, &image, 7, 1));
//! assert_eq!(Outlier::Stroke.image(shape, 7, 0).len(), shape.len());
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod canvas;
mod corruption;
mod draws;
mod error;
mod outlier;
mod row;
mod stress;

pub use corruption::Corruption;
pub use error::StressError;
pub use outlier::Outlier;
pub use row::StressRow;
pub use stress::Stress;
