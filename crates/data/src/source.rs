use std::path::{Path, PathBuf};

use crate::{DataError, FolderOptions, LabelledImages, Observer, Spec, folder};

/// Where the training and test images of a data set come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// MNIST, compiled into the program (feature `bundled`), verified at each reading.
    Bundled,
    /// A folder of IDX files, or of pictures by class (feature `pictures`).
    ///
    /// IDX files are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    /// `t10k-labels-idx1-ubyte`, each plain or with `.gz`; `idx4` where images have channels. As they
    /// are published elsewhere the files are found too: as `train-images.idx3-ubyte`; each in a folder
    /// of its own name (Kaggle); in `MNIST/raw` or another `raw` below the folder (torchvision); with a
    /// name before theirs and `test` for `t10k`, such as `emnist-letters-test-images-idx3-ubyte`.
    /// EMNIST's files hold rows and columns exchanged: under their names the images are turned. A file
    /// that is there twice has to be the same twice. Classes are named by `classes.txt`, a name a line,
    /// or by EMNIST's mapping, else by their labels.
    ///
    /// Pictures lie in `train/NAME/` and `test/NAME/`, or in `NAME/` alone, of which a fifth is held out
    /// for testing, class by class.
    Folder(PathBuf, FolderOptions),
    /// MNIST from the first mirror that gives the published files (feature `download`).
    Download {
        /// The folder that keeps the files, so that the next call needs no network.
        cache: PathBuf,
        /// Addresses to ask, as for `Downloader::with_mirrors`; the public ones if there are none.
        mirrors: Vec<String>,
    },
}

impl Source {
    /// A folder, read as its content suggests.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self::Folder(path.into(), FolderOptions::default())
    }

    /// The training images; reads the files of training only.
    ///
    /// # Errors
    ///
    /// A [`DataError`] that names the file, what is wrong and the way out.
    pub fn train(&self, observer: &dyn Observer) -> Result<LabelledImages, DataError> {
        match self {
            Self::Bundled => bundled(true),
            Self::Folder(path, options) => folder::train(path, options, observer),
            Self::Download { cache, mirrors } => downloaded(cache, mirrors, true),
        }
    }

    /// The training images of a set that adds to another, which have to be like `spec`: not of every class,
    /// and pictures are brought to the shape of its images.
    ///
    /// # Errors
    ///
    /// As for [`test`](Self::test).
    pub fn more(&self, spec: &Spec, observer: &dyn Observer) -> Result<LabelledImages, DataError> {
        let images = match self {
            Self::Folder(path, options) => folder::more(path, options, spec, observer),
            Self::Bundled | Self::Download { .. } => self.train(observer),
        }?;
        self.alike(images, spec)
    }

    /// The test images, which have to be like `spec`; reads the files of testing only.
    ///
    /// # Errors
    ///
    /// A [`DataError`] that names the file, what is wrong and the way out; [`DataError::Label`] for a
    /// class that `spec` doesn't have, [`DataError::OtherShape`] for images of another shape.
    pub fn test(&self, spec: &Spec, observer: &dyn Observer) -> Result<LabelledImages, DataError> {
        let images = match self {
            Self::Bundled => bundled(false),
            Self::Folder(path, options) => folder::test(path, options, spec, observer),
            Self::Download { cache, mirrors } => downloaded(cache, mirrors, false),
        }?;
        self.alike(images, spec)
    }

    fn alike(&self, images: LabelledImages, spec: &Spec) -> Result<LabelledImages, DataError> {
        if images.shape() != spec.shape {
            return Err(DataError::OtherShape {
                source_name: self.name(),
                found: images.shape().to_string(),
                expected: spec.shape.to_string(),
            });
        }
        if images.classes().len() != spec.classes.len() {
            return Err(DataError::Classes {
                problem: format!(
                    "{} classes in {}, where {} are expected",
                    images.classes().len(),
                    self.name(),
                    spec.classes.len()
                ),
            });
        }
        Ok(images)
    }

    /// What to call the source in a message or a record.
    pub fn name(&self) -> String {
        match self {
            Self::Bundled => "bundled MNIST".into(),
            Self::Folder(folder, _) => folder.display().to_string(),
            Self::Download { cache, .. } => format!("downloaded MNIST in {}", cache.display()),
        }
    }
}

#[cfg(feature = "bundled")]
use crate::mnist::bundled;

#[cfg(not(feature = "bundled"))]
fn bundled(_: bool) -> Result<LabelledImages, DataError> {
    Err(DataError::FeatureMissing { feature: "bundled" })
}

#[cfg(feature = "download")]
fn downloaded(
    cache: &Path,
    mirrors: &[String],
    training: bool,
) -> Result<LabelledImages, DataError> {
    use crate::idx::{self, Input};
    use crate::{Downloader, mnist};

    let mut downloader = Downloader::new(cache);
    if !mirrors.is_empty() {
        downloader = downloader.with_mirrors(mirrors);
    }
    let offset = if training { 0 } else { 2 };
    let [images, labels] = [&mnist::FILES[offset], &mnist::FILES[offset + 1]];
    let origin = |name: &str| cache.join(name).display().to_string();
    let label_bytes = downloader.fetch(labels)?;
    let image_bytes = downloader.fetch(images)?;
    idx::read_split(
        Input::bytes(&image_bytes, origin(images.name)),
        Input::bytes(&label_bytes, origin(labels.name)),
        |_| mnist::classes(),
    )
}

#[cfg(not(feature = "download"))]
fn downloaded(_: &Path, _: &[String], _: bool) -> Result<LabelledImages, DataError> {
    Err(DataError::FeatureMissing {
        feature: "download",
    })
}
