use std::path::{Path, PathBuf};

use crate::{DataError, LabelledImages, folder};

/// Where the four files of a data set come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// MNIST, compiled into the program (feature `bundled`), verified at each reading.
    Bundled,
    /// A folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
    /// `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each plain or with `.gz`: MNIST,
    /// Fashion-MNIST or any other set of ten classes in that format.
    ///
    /// As they are published elsewhere the files are found too: as `train-images.idx3-ubyte`; each in
    /// a folder of its own name (Kaggle); in `MNIST/raw` or another `raw` below the folder
    /// (torchvision); with a name before theirs and `test` for `t10k`, such as
    /// `emnist-digits-test-images-idx3-ubyte`. EMNIST's files hold rows and columns exchanged: under
    /// their names the images are turned ([`LabelledImages::is_turned`]). A file that is there twice
    /// has to be the same twice.
    Folder(PathBuf),
    /// MNIST from the first mirror that gives the published files (feature `download`).
    Download {
        /// The folder that keeps the files, so that the next call needs no network.
        cache: PathBuf,
        /// Addresses to ask, as for `Downloader::with_mirrors`; the public ones if there are none.
        mirrors: Vec<String>,
    },
}

impl Source {
    /// The training images; reads the two files of training only.
    ///
    /// # Errors
    ///
    /// A [`DataError`] that names the file, what is wrong and the way out.
    pub fn train(&self) -> Result<LabelledImages, DataError> {
        self.read(&TRAIN)
    }

    /// The test images; reads the two files of testing only.
    ///
    /// # Errors
    ///
    /// A [`DataError`] that names the file, what is wrong and the way out.
    pub fn test(&self) -> Result<LabelledImages, DataError> {
        self.read(&TEST)
    }

    /// What to call the source in a message or a record.
    pub fn name(&self) -> String {
        match self {
            Self::Bundled => "bundled MNIST".into(),
            Self::Folder(folder) => folder.display().to_string(),
            Self::Download { cache, .. } => format!("downloaded MNIST in {}", cache.display()),
        }
    }

    fn read(&self, files: &Files) -> Result<LabelledImages, DataError> {
        match self {
            Self::Bundled => bundled(files),
            Self::Folder(folder) => folder::read(folder, files.splits),
            Self::Download { cache, mirrors } => downloaded(cache, mirrors, files),
        }
    }
}

/// The files of a split.
struct Files {
    images: &'static str,
    labels: &'static str,
    /// What a split is called in the names of files.
    splits: &'static [&'static str],
}

const TRAIN: Files = Files {
    images: "train-images-idx3-ubyte",
    labels: "train-labels-idx1-ubyte",
    splits: &["train"],
};

const TEST: Files = Files {
    images: "t10k-images-idx3-ubyte",
    labels: "t10k-labels-idx1-ubyte",
    splits: &["t10k", "test"],
};

#[cfg(feature = "bundled")]
fn bundled(files: &Files) -> Result<LabelledImages, DataError> {
    use crate::idx::{self, Input};
    use crate::{MNIST_TEST, MNIST_TRAIN};

    let train = files.images == TRAIN.images;
    let (images, labels, published): (&[u8], &[u8], _) = if train {
        (
            include_bytes!("../mnist/train-images-idx3-ubyte.gz"),
            include_bytes!("../mnist/train-labels-idx1-ubyte.gz"),
            MNIST_TRAIN,
        )
    } else {
        (
            include_bytes!("../mnist/t10k-images-idx3-ubyte.gz"),
            include_bytes!("../mnist/t10k-labels-idx1-ubyte.gz"),
            MNIST_TEST,
        )
    };
    let split = idx::read_split(
        Input::bytes(images, format!("bundled {}", files.images)),
        Input::bytes(labels, format!("bundled {}", files.labels)),
    )?;
    let found = split.digest();
    for (name, expected, found) in [
        (files.images, published.images, &found.images),
        (files.labels, published.labels, &found.labels),
    ] {
        if expected != found {
            return Err(DataError::Digest {
                file: format!("bundled {name}"),
                expected: expected.to_owned(),
                found: found.clone(),
                remedy: "restore the folder `mnist` of the crate `data` and build again",
            });
        }
    }
    Ok(split)
}

#[cfg(not(feature = "bundled"))]
fn bundled(_: &Files) -> Result<LabelledImages, DataError> {
    Err(DataError::FeatureMissing {
        feature: "bundled",
        remedy: "name a folder with the four MNIST files with --data-dir, or build with the feature",
    })
}

#[cfg(feature = "download")]
fn downloaded(
    cache: &Path,
    mirrors: &[String],
    files: &Files,
) -> Result<LabelledImages, DataError> {
    use crate::idx::{self, Input};
    use crate::{Downloader, MNIST_FILES};

    let mut downloader = Downloader::new(cache);
    if !mirrors.is_empty() {
        downloader = downloader.with_mirrors(mirrors);
    }
    let offset = if files.images == TRAIN.images { 0 } else { 2 };
    let images = &MNIST_FILES[offset];
    let labels = &MNIST_FILES[offset + 1];
    let origin = |name: &str| cache.join(name).display().to_string();
    let label_bytes = downloader.fetch(labels)?;
    let image_bytes = downloader.fetch(images)?;
    idx::read_split(
        Input::bytes(&image_bytes, origin(images.name)),
        Input::bytes(&label_bytes, origin(labels.name)),
    )
}

#[cfg(not(feature = "download"))]
fn downloaded(_: &Path, _: &[String], _: &Files) -> Result<LabelledImages, DataError> {
    Err(DataError::FeatureMissing {
        feature: "download",
        remedy: "name a folder with the four MNIST files with --data-dir, or build with the feature",
    })
}
