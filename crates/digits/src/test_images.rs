//! Which images a checkpoint is tested on.

use std::path::{Path, PathBuf};

use anyhow::bail;
use data::{LabelledImages, MNIST_TRAIN, Source};
use model::Manifest;
use report::Origin;

/// The test images of the folder that was named or else those of the data set that the checkpoint was
/// trained on: MNIST's, which are part of the program, or those in the folder that it records.
pub fn test_images(
    manifest: &Manifest,
    named: Option<&Path>,
) -> anyhow::Result<(LabelledImages, Origin)> {
    let trained_on = &manifest.provenance.data;
    let source = match (named, recorded(manifest)) {
        (Some(folder), _) => Source::Folder(folder.to_owned()),
        (None, _) if trained_on.train.is(&MNIST_TRAIN) => Source::Bundled,
        (None, Some(folder)) if folder.is_dir() => Source::Folder(folder),
        (None, _) => bail!(
            "this checkpoint was trained on {}, which is not here; name the folder of its test images with --data-dir",
            trained_on.source
        ),
    };
    let images = source.test()?;
    if images.is_turned() {
        errln!("EMNIST's files hold rows and columns exchanged: the images are turned");
    }
    let origin = Origin::new(manifest, &source, &images)?;
    if named.is_none() && origin.same == Some(false) {
        bail!(
            "{}: holds other training images than the checkpoint was trained on; name the folder of its test images with --data-dir",
            origin.source
        );
    }
    Ok((images, origin))
}

/// The folder of the training images, as it was called then.
fn recorded(manifest: &Manifest) -> Option<PathBuf> {
    let folder = manifest.provenance.config.pointer("/data/dir")?.as_str()?;
    Some(folder.into())
}
