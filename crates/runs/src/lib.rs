//! The folder of a run, or of a sweep of many: what lies where in it, and what its measurements are. `train` writes it, `report`
//! and `digits` read it; nobody else knows a name in it.
//!
//! It knows neither networks nor how to write: which files are whole and who may write is the trainer's
//! business.

#![forbid(unsafe_code)]

mod history;
mod layout;
mod learned;
mod measurement;
mod sweep;

pub use history::History;
pub use layout::Layout;
pub use learned::{Filters, Learned, Learning};
pub use measurement::{LINE_LIMIT, Measurement};
pub use sweep::SweepLayout;
