use std::path::PathBuf;

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
        "{folder} holds neither {name} nor {name}.gz, nor pictures in a folder for each class: name the folder of a data set"
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
    #[error("{folder}: there is no such folder; name the one of a data set")]
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
    #[error("{file} starts with {found:#010x}, which is no IDX file of {kind}: {hint}")]
    Magic {
        /// The file that was read.
        file: String,
        /// `images` or `labels`.
        kind: &'static str,
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
    /// A side of the images has no pixel.
    #[error("{file} promises images without a pixel: it is damaged; fetch it again")]
    NoPixels {
        /// The file that was read.
        file: String,
    },
    /// The channels of a pixel stand beside each other.
    #[error(
        "{file} holds images of {}×{} with the {} channels of a pixel beside each other: write them channel by channel, [n, channels, height, width]", .item[0], .item[1], .item[2]
    )]
    ChannelsLast {
        /// The file that was read.
        file: String,
        /// Height, width and channels.
        item: [u32; 3],
    },
    /// Images that have a shape that nothing here is made for.
    #[error(
        "{channels} channels of {height}×{width}: images have 1 or 3 channels and sides of 1 to 256 pixels; scale them"
    )]
    Shape {
        /// Channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// Test images that aren't like those of training.
    #[error(
        "{source_name} holds images of {found}, where {expected} are expected: name the folder of the same data set"
    )]
    OtherShape {
        /// Where the images come from.
        source_name: String,
        /// Their shape, in words.
        found: String,
        /// The shape expected, in words.
        expected: String,
    },
    /// An option was given that is for another kind of folder.
    #[error("{folder} holds {problem}")]
    Misplaced {
        /// The folder.
        folder: PathBuf,
        /// What it holds, and which options to leave out.
        problem: &'static str,
    },
    /// A set of classes that can't be.
    #[error("{problem}")]
    Classes {
        /// What is wrong.
        problem: String,
    },
    /// A name that a class can't have.
    #[error("{name:?} can't be the name of a class: {problem}; give it another")]
    ClassName {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// One of the above, in this file.
    #[error("{file}: {error}")]
    InFile {
        /// The file or folder.
        file: String,
        /// What is wrong there.
        error: Box<DataError>,
    },
    /// A folder of test pictures is of no class that there are training pictures of.
    #[error(
        "{folder} is of no class that was trained on: move it away, or its pictures to their class"
    )]
    UnknownClass {
        /// The folder.
        folder: PathBuf,
    },
    /// A class has no picture that can be read.
    #[error("{folder} holds no picture that can be read: put some into it or remove it")]
    EmptyClass {
        /// The folder of the class.
        folder: PathBuf,
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
        "{file} has label {label} at index {index}, where classes have the labels {known}: use files of the same set"
    )]
    Label {
        /// The file that was read.
        file: String,
        /// Index of the first such label, from 0.
        index: usize,
        /// The label.
        label: u16,
        /// The labels of the classes.
        known: String,
    },
    /// A label is larger than any class has.
    #[error("{file} has a label above 65535 at index {index}: number the classes from 0 on")]
    WideLabel {
        /// The file that was read.
        file: String,
        /// Index of the label, from 0.
        index: usize,
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
    #[error("{pixels} bytes are not a whole number of images of {shape}")]
    PixelCount {
        /// Bytes given.
        pixels: usize,
        /// The shape, in words.
        shape: String,
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
    #[error("this program was compiled without the feature `{feature}`")]
    FeatureMissing {
        /// The cargo feature.
        feature: &'static str,
    },
    /// No mirror gave the published file.
    #[error(
        "cannot download {file} ({reasons}): check the network, or put the files into the folder"
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
        "normalization with mean {mean} and standard deviation {std}: as many of both, all finite, the deviations above 0"
    )]
    Normalization {
        /// The means.
        mean: String,
        /// The standard deviations.
        std: String,
    },
}

impl DataError {
    /// That it is so in this file.
    pub(crate) fn of_file(self, file: String) -> Self {
        Self::InFile {
            file,
            error: Box::new(self),
        }
    }
}
