//! Examines a classifier on labelled images and presents what was found.

mod examination;
mod text;

pub use examination::{Examination, MISLABELLED, labelled_logits};
