//! Examines a classifier on labelled images and presents what was found: as text for a terminal and
//! as one page for a browser. Many runs are compared as a [`Sweep`].
//!
//! ```no_run
//! use model::{Backend, Classifier};
//! use report::{Examination, Page};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let classifier = Classifier::load("artifacts/pretrained", &Backend::default().device()?)?;
//! let images = data::Source::Bundled.test(&classifier.manifest().spec()?, &())?;
//! let examination = Examination::new(&classifier, &images)?;
//! print!("{examination}");
//!
//! let page = Page { classifier: &classifier, images: &images, examination: &examination, history: None, stress: None };
//! std::fs::write("report.html", page.html()?)?;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod error;
mod examination;
mod learned;
mod mistakes;
mod origin;
mod page;
mod sheet;
pub mod sweep;
mod test_images;
mod text;
mod unseen;
mod view;

pub use error::ExaminationError;
pub use examination::Examination;
pub use origin::Origin;
pub use page::{Answer, Lesson, Live, Moment, Mosaic, Page, PageError, State, mosaic};
pub use sheet::{SheetRow, sheet};
pub use sweep::{Spread, Sweep};
pub use test_images::{TestImagesError, test_images};
pub use unseen::{Part, Unseen, UnseenError, unseen};
pub use view::{Misread, View};
