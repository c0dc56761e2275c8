//! Which images a checkpoint is tested on.

use std::path::Path;

use data::{DataError, FolderOptions, LabelledImages, Observer, Source, mnist};
use model::Manifest;
use serde_json::Value;
use thiserror::Error;

use crate::Origin;

/// Why there are no images to test a checkpoint on.
#[derive(Debug, Error)]
pub enum TestImagesError {
    /// The data set that it was trained on is not here.
    #[error(
        "this checkpoint was trained on {trained_on}, which is not here; name the folder of its test images"
    )]
    Absent {
        /// Where the training images came from, in words.
        trained_on: String,
    },
    /// What is in the folder that it records isn't what it was trained on.
    #[error(
        "{folder}: holds other training images than the checkpoint was trained on; name the folder of its test images"
    )]
    Others {
        /// The folder.
        folder: String,
    },
    /// They can't be read.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// The test images of the folder that was named or else those of the data set that the checkpoint was
/// trained on: MNIST's, which are part of the program (with `data`'s feature `bundled`), or those in the
/// folder that it records.
///
/// # Errors
/// If there are none, or they can't be read.
pub fn test_images(
    manifest: &Manifest,
    named: Option<&Path>,
    observer: &dyn Observer,
) -> Result<(LabelledImages, Origin), TestImagesError> {
    let trained_on = &manifest.provenance.data;
    let recorded = manifest.provenance.config.pointer("/data/dir");
    let recorded = recorded.and_then(Value::as_str).map(Path::new);
    let source = match (named, recorded) {
        (Some(folder), _) => Source::Folder(folder.to_owned(), options(manifest)),
        (None, _) if trained_on.train.is(&mnist::TRAIN) => Source::Bundled,
        (None, Some(folder)) if folder.is_dir() => {
            Source::Folder(folder.to_owned(), options(manifest))
        }
        (None, _) => {
            return Err(TestImagesError::Absent {
                trained_on: trained_on.source.clone(),
            });
        }
    };
    let images = source.test(&manifest.spec()?, observer)?;
    let origin = Origin::new(manifest, &source, &images)?;
    if named.is_none() && origin.same == Some(false) {
        return Err(TestImagesError::Others {
            folder: origin.source,
        });
    }
    Ok((images, origin))
}

/// How the folder of the training images was read: pictures of it are brought to the same form, and the
/// same ones are held out.
pub(crate) fn options(manifest: &Manifest) -> FolderOptions {
    let config = &manifest.provenance.config;
    let number = |value: &Value| value.as_u64().map(|number| number as usize);
    let size = config.pointer("/data/size").and_then(Value::as_array);
    FolderOptions {
        transpose: config.pointer("/data/transpose").and_then(Value::as_bool),
        size: size.and_then(|size| match &size[..] {
            [height, width] => Some([number(height)?, number(width)?]),
            _ => None,
        }),
        channels: config.pointer("/data/channels").and_then(number),
        // Several networks of one run have seeds of their own, and one split.
        seed: config
            .pointer("/data/split_seed")
            .and_then(Value::as_u64)
            .unwrap_or(manifest.provenance.seed),
    }
}
