//! Which images a checkpoint is tested on, as the command line says it.

use std::path::Path;

use anyhow::anyhow;
use data::{LabelledImages, Observer};
use model::Manifest;
use report::{Origin, TestImagesError};

/// [`report::test_images`], with the option that names others.
pub fn test_images(
    manifest: &Manifest,
    named: Option<&Path>,
) -> anyhow::Result<(LabelledImages, Origin)> {
    report::test_images(manifest, named, &Notes).map_err(|error| match error {
        TestImagesError::Data(error) => error.into(),
        error => anyhow!("{error} with --data-dir"),
    })
}

/// Notes go to standard error.
pub struct Notes;

impl Observer for Notes {
    fn note(&self, sentence: String) {
        errln!("{sentence}");
    }
}
