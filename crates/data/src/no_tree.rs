//! Stands for `tree` where the program was compiled without what reads pictures.

use std::path::Path;

use crate::listing::entries;
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
    let folders = entries(folder)?.into_iter().filter(|name| {
        let place = folder.join(name);
        !name.starts_with('.')
            && place.is_dir()
            && entries(&place).is_ok_and(|in_it| !in_it.is_empty())
    });
    // A folder for each class, or `train` and `test`.
    Err(match folders.count() {
        0 | 1 => DataError::Missing {
            folder: folder.to_owned(),
            name: "train-images-idx3-ubyte".into(),
        },
        _ => DataError::FeatureMissing {
            feature: "pictures",
        },
    })
}
