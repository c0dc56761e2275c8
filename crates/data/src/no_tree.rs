//! Stands for `tree` where the program was compiled without what reads pictures.

use std::path::Path;

use crate::{DataError, FolderOptions, LabelledImages, Observer, Spec};

pub(crate) enum Part {
    Train,
    Test,
}

pub(crate) fn read(
    folder: &Path,
    _: Part,
    _: &FolderOptions,
    _: Option<&Spec>,
    _: &dyn Observer,
) -> Result<LabelledImages, DataError> {
    Err(DataError::Missing {
        folder: folder.to_owned(),
        name: "train-images-idx3-ubyte".into(),
    })
}
