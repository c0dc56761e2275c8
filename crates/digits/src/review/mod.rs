//! Doubtful images go to a person in a folder with a table, and come back with answers.

mod columns;
mod filled;
mod folder;
mod outcome;

pub use columns::{Names, is_digit, whole};
pub use filled::{NONE, Review};
pub use folder::Folder;
