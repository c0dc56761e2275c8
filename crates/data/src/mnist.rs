//! MNIST: 70,000 handwritten digits (LeCun, Cortes and Burges 1998), 28×28 grey, ten classes.
//!
//! All that this project knows of one data set and of no other is here.

use crate::{Classes, DataError, ImageShape, LabelledImages, Spec, SplitDigest};

/// The shape of an image.
pub const SHAPE: ImageShape = ImageShape {
    channels: 1,
    height: 28,
    width: 28,
};

/// The ten digits.
///
/// # Errors
///
/// None: the names are fixed.
pub fn classes() -> Result<Classes, DataError> {
    Classes::numbered((0..10).collect())
}

/// Shape and classes.
///
/// # Errors
///
/// None: the names are fixed.
pub fn spec() -> Result<Spec, DataError> {
    Ok(Spec {
        shape: SHAPE,
        classes: classes()?,
    })
}

/// The SHA-256 digests (hexadecimal, of the uncompressed IDX files) of a published split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownSplit {
    /// Digest of the file of images.
    pub images: &'static str,
    /// Digest of the file of labels.
    pub labels: &'static str,
}

impl SplitDigest {
    /// Whether these are exactly the files of the published split.
    pub fn is(&self, known: &KnownSplit) -> bool {
        self.images == known.images && self.labels == known.labels
    }
}

/// The 60,000 training images.
pub const TRAIN: KnownSplit = KnownSplit {
    images: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    labels: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
};

/// The 10,000 test images.
pub const TEST: KnownSplit = KnownSplit {
    images: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    labels: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
};

/// Whether these are the 10,000 test images, to the bit.
pub fn is_test(images: &LabelledImages) -> bool {
    images.shape() == SHAPE && images.digest().is(&TEST)
}

/// Whether an image, `[28, 28]`, is in the frame into which MNIST's digits were brought: scaled into a box
/// of 20×20 pixels and placed with their centre of mass in the middle (LeCun, Bottou, Bengio and Haffner
/// 1998, "Gradient-Based Learning Applied to Document Recognition", section III.A). All 70,000 images have a
/// box of 19 or 20 pixels and their centre within 0.52 of the middle.
pub fn is_framed(image: &[u8]) -> bool {
    let sides = [SHAPE.width, SHAPE.height];
    let (mut low, mut high) = (sides, [0, 0]);
    let (mut mass, mut moments) = (0.0, [0.0; 2]);
    for (at, &pixel) in image.iter().enumerate().filter(|&(_, &pixel)| pixel > 0) {
        mass += f64::from(pixel);
        for (axis, place) in [at % SHAPE.width, at / SHAPE.width].into_iter().enumerate() {
            low[axis] = low[axis].min(place);
            high[axis] = high[axis].max(place);
            moments[axis] += f64::from(pixel) * place as f64;
        }
    }
    let centred = |axis: usize| {
        let middle = (sides[axis] - 1) as f64 / 2.0;
        // The middle of 28 pixels is after the 14th, as MNIST counts them.
        (moments[axis] / mass - middle - 0.5).abs() < 0.55
    };
    let box_side = (0..2)
        .map(|axis| high[axis].saturating_sub(low[axis]) + 1)
        .max();
    image.len() == SHAPE.len()
        && mass > 0.0
        && centred(0)
        && centred(1)
        && box_side.is_some_and(|side| (19..=20).contains(&side))
}

/// The test images, counted from 0, whose label is wrong or undecidable by the vote of several people
/// (Northcutt, Athalye and Mueller 2021, "Pervasive Label Errors in Test Sets").
pub const MISLABELLED: [usize; 15] = [
    947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729,
];

/// A gzip file as its authors published it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedFile {
    /// Its name on every mirror.
    pub name: &'static str,
    /// Its SHA-256, hexadecimal, compressed as it is.
    pub sha256: &'static str,
    /// Its size; a download stops there.
    pub bytes: u64,
}

#[cfg(feature = "download")]
impl PublishedFile {
    /// The SHA-256 of what is compressed in it, where it is a file of MNIST.
    pub(crate) fn content(&self) -> Option<&'static str> {
        let contents = [TRAIN.images, TRAIN.labels, TEST.images, TEST.labels];
        let known = FILES.iter().position(|file| file == self)?;
        Some(contents[known])
    }
}

/// MNIST's four files: training images, training labels, test images, test labels.
pub const FILES: [PublishedFile; 4] = [
    PublishedFile {
        name: "train-images-idx3-ubyte.gz",
        sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        bytes: 9_912_422,
    },
    PublishedFile {
        name: "train-labels-idx1-ubyte.gz",
        sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        bytes: 28_881,
    },
    PublishedFile {
        name: "t10k-images-idx3-ubyte.gz",
        sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        bytes: 1_648_877,
    },
    PublishedFile {
        name: "t10k-labels-idx1-ubyte.gz",
        sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        bytes: 4_542,
    },
];

/// Folders on the web that hold [`FILES`], in the order in which they are tried.
pub const MIRRORS: [&str; 2] = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
];

/// The training or the test images, compiled in.
///
/// # Errors
///
/// [`DataError::Digest`] if they are not those that were published.
#[cfg(feature = "bundled")]
pub(crate) fn bundled(training: bool) -> Result<LabelledImages, DataError> {
    use crate::idx::{self, Input};

    let (images, labels, published): (&[u8], &[u8], _) = match training {
        true => (
            include_bytes!("../mnist/train-images-idx3-ubyte.gz"),
            include_bytes!("../mnist/train-labels-idx1-ubyte.gz"),
            TRAIN,
        ),
        false => (
            include_bytes!("../mnist/t10k-images-idx3-ubyte.gz"),
            include_bytes!("../mnist/t10k-labels-idx1-ubyte.gz"),
            TEST,
        ),
    };
    let files = if training { &FILES[..2] } else { &FILES[2..] };
    let name = |file: &PublishedFile| format!("bundled {}", file.name);
    let split = idx::read_split(
        Input::bytes(images, name(&files[0])),
        Input::bytes(labels, name(&files[1])),
        |_| classes(),
    )?;
    let found = split.digest();
    for (file, expected, found) in [
        (&files[0], published.images, &found.images),
        (&files[1], published.labels, &found.labels),
    ] {
        if expected != found {
            return Err(DataError::Digest {
                file: name(file),
                expected: expected.to_owned(),
                found: found.clone(),
                remedy: "restore the folder `mnist` of the crate `data` and build again",
            });
        }
    }
    Ok(split)
}
