//! Which images a checkpoint is tested on.

use std::path::Path;

use anyhow::bail;
use data::{FolderOptions, LabelledImages, Observer, Source, mnist};
use model::Manifest;
use report::Origin;
use serde_json::Value;

/// The test images of the folder that was named or else those of the data set that the checkpoint was
/// trained on: MNIST's, which are part of the program, or those in the folder that it records.
pub fn test_images(
    manifest: &Manifest,
    named: Option<&Path>,
) -> anyhow::Result<(LabelledImages, Origin)> {
    let trained_on = &manifest.provenance.data;
    let recorded = manifest.provenance.config.pointer("/data/dir");
    let recorded = recorded.and_then(Value::as_str).map(Path::new);
    let source = match (named, recorded) {
        (Some(folder), _) => Source::Folder(folder.to_owned(), options(manifest)),
        (None, _) if trained_on.train.is(&mnist::TRAIN) => Source::Bundled,
        (None, Some(folder)) if folder.is_dir() => {
            Source::Folder(folder.to_owned(), options(manifest))
        }
        (None, _) => bail!(
            "this checkpoint was trained on {}, which is not here; name the folder of its test images with --data-dir",
            trained_on.source
        ),
    };
    let images = source.test(&manifest.spec()?, &Notes)?;
    let origin = Origin::new(manifest, &source, &images)?;
    if named.is_none() && origin.same == Some(false) {
        bail!(
            "{}: holds other training images than the checkpoint was trained on; name the folder of its test images with --data-dir",
            origin.source
        );
    }
    Ok((images, origin))
}

/// How the folder of the training images was read: pictures of it are brought to the same form, and the
/// same ones are held out.
fn options(manifest: &Manifest) -> FolderOptions {
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

/// Notes go to standard error.
pub struct Notes;

impl Observer for Notes {
    fn note(&self, sentence: String) {
        errln!("{sentence}");
    }
}
