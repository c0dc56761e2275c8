use std::path::PathBuf;

use crate::{CLASSES, HEIGHT, WIDTH};

/// Everything that can be wrong with a data set. Each message is one line that says what
/// happened, to which file, and what to do.
///
/// `file` is the name that the reader was given: a path, or for example `bundled
/// train-images-idx3-ubyte`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// None of the names under which a file may stand in a folder exists.
    #[error(
        "{folder} holds neither {name} nor {name}.gz: name the folder with the four files of a data set in MNIST's format"
    )]
    Missing {
        /// The folder that was searched.
        folder: PathBuf,
        /// The name without `.gz`.
        name: String,
    },
    /// A folder holds files of several data sets.
    #[error(
        "{folder} holds several data sets ({names}): give the files of one a folder of their own"
    )]
    Several {
        /// The folder that was searched.
        folder: PathBuf,
        /// A file of each, separated by commas.
        names: String,
    },
    /// A file is there twice, plain and gzip or by another name, and one isn't the other.
    #[error(
        "{file} and {other} are the same file by their names and differ in content: remove one of them"
    )]
    Contradiction {
        /// The file that would be read.
        file: String,
        /// The one that differs.
        other: String,
    },
    /// There is nothing at the path.
    #[error(
        "{folder}: there is no such folder; name the one with the four files of a data set in MNIST's format by --data-dir"
    )]
    NoFolder {
        /// The folder that was named.
        folder: PathBuf,
    },
    /// The operating system refused to open, read or write a file.
    #[error("cannot {action} {file}: {source}")]
    Io {
        /// What was tried: `open`, `read`, `write`, …
        action: &'static str,
        /// The file or folder.
        file: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The path names a folder, a pipe or a device.
    #[error("{file} is not a regular file: name an IDX file, plain or gzip")]
    NotAFile {
        /// The path.
        file: String,
    },
    /// A web page was saved under the name of a data file.
    #[error(
        "{file} is a web page, not an IDX file: a server or proxy answered the download with HTML; download it again"
    )]
    Html {
        /// The file that was read.
        file: String,
    },
    /// The first four bytes are not those of the expected kind of IDX file.
    #[error(
        "{file} starts with {found:#010x}, an IDX file of {kind} with {expected:#010x}: {hint}"
    )]
    Magic {
        /// The file that was read.
        file: String,
        /// `images` or `labels`.
        kind: &'static str,
        /// The magic number of that kind.
        expected: u32,
        /// The number found.
        found: u32,
        /// What the number found points to.
        hint: &'static str,
    },
    /// The header promises no item at all.
    #[error("{file} promises 0 {kind}: use a file with at least one")]
    Empty {
        /// The file that was read.
        file: String,
        /// `images` or `labels`.
        kind: &'static str,
    },
    /// The images have another size.
    #[error("{file} holds images of {height}x{width} pixels: scale them to {HEIGHT}x{WIDTH}")]
    ImageSize {
        /// The file that was read.
        file: String,
        /// Rows, as the header says.
        height: u32,
        /// Columns, as the header says.
        width: u32,
    },
    /// The header promises more items than the reader accepts.
    #[error(
        "{file} promises {count} {kind}, the limit is {limit}: the header is damaged, or the set must be divided"
    )]
    TooMany {
        /// The file that was read.
        file: String,
        /// `images` or `labels`.
        kind: &'static str,
        /// The number that the header promises.
        count: u32,
        /// [`crate::idx::MAX_ITEMS`].
        limit: u32,
    },
    /// The file ends before its header, or before what its header promises.
    #[error("{file} is cut short: {promised} bytes promised, {present} present; fetch it again")]
    Truncated {
        /// The file that was read.
        file: String,
        /// Bytes that an intact file has, uncompressed.
        promised: u64,
        /// Bytes that are there, uncompressed.
        present: u64,
    },
    /// The file goes on after what its header promises.
    #[error(
        "{file} goes on after the {promised} bytes that its header promises: it is damaged, or not an IDX file; fetch it again"
    )]
    Trailing {
        /// The file that was read.
        file: String,
        /// Bytes that an intact file has, uncompressed.
        promised: u64,
    },
    /// The gzip stream is damaged.
    #[error("{file} is damaged gzip data ({source}): fetch it again")]
    Gzip {
        /// The file that was read.
        file: String,
        /// The decoder's reason.
        source: std::io::Error,
    },
    /// So few compressed bytes cannot hold what the header promises.
    #[error(
        "{file} promises {promised} bytes out of {present} of gzip, more than real images compress: it is damaged or hostile; fetch it again"
    )]
    Implausible {
        /// The file that was read.
        file: String,
        /// Bytes promised, uncompressed.
        promised: u64,
        /// Bytes present, compressed.
        present: u64,
    },
    /// A label names no class.
    #[error(
        "{file} has label {label} at index {index}, and {classes} different labels in all: the network has {CLASSES} classes, labelled 0 to {}; use a set of {CLASSES} classes",
        CLASSES - 1
    )]
    Label {
        /// The file that was read.
        file: String,
        /// Index of the first such label, from 0.
        index: usize,
        /// The label.
        label: u8,
        /// How many different labels there are.
        classes: usize,
    },
    /// Images and labels don't belong together.
    #[error(
        "{images} holds {image_count} images, {labels} {label_count} labels: use files of the same set"
    )]
    CountMismatch {
        /// The file of images.
        images: String,
        /// How many it holds.
        image_count: usize,
        /// The file of labels.
        labels: String,
        /// How many it holds.
        label_count: usize,
    },
    /// Pixels that are not a whole number of images.
    #[error("{pixels} pixels are not a whole number of {HEIGHT}x{WIDTH} images")]
    PixelCount {
        /// Bytes given.
        pixels: usize,
    },
    /// The content is not what was published.
    #[error("{file} has the SHA-256 {found}, expected {expected}: it is damaged; {remedy}")]
    Digest {
        /// The file that was read.
        file: String,
        /// The published digest, hexadecimal.
        expected: String,
        /// The digest found, hexadecimal.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The program was compiled without the data or the client that the source needs.
    #[error("this program was compiled without the feature `{feature}`: {remedy}")]
    FeatureMissing {
        /// The cargo feature.
        feature: &'static str,
        /// The other ways to the data.
        remedy: &'static str,
    },
    /// No mirror gave the published file.
    #[error(
        "cannot download {file} ({reasons}): check the network, or put the files into a folder and name it with --data-dir"
    )]
    Download {
        /// The published name.
        file: String,
        /// One reason per mirror, separated by `; `.
        reasons: String,
    },
    /// More validation images asked for than the set can spare.
    #[error(
        "cannot set {validation} of {total} images aside for validation: ask for fewer, so that some are left to train on"
    )]
    Split {
        /// Images asked for.
        validation: usize,
        /// Images there are.
        total: usize,
    },
    /// An augmentation amount outside its range.
    #[error("augmentation {name} is {value}: it must lie between 0 and {limit}")]
    Augmentation {
        /// The field.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The greatest value allowed.
        limit: f64,
    },
    /// A normalization that no set of pixels has.
    #[error(
        "normalization with mean {mean} and standard deviation {std}: both must be finite, the deviation above 0"
    )]
    Normalization {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        std: f64,
    },
}

impl DataError {
    /// That the label at `index` names no class.
    pub(crate) fn label(file: String, labels: &[u8], index: usize) -> Self {
        let mut seen = [false; 256];
        labels
            .iter()
            .for_each(|&label| seen[usize::from(label)] = true);
        Self::Label {
            file,
            index,
            label: labels[index],
            classes: seen.into_iter().filter(|&seen| seen).count(),
        }
    }
}
