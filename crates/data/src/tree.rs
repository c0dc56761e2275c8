//! A folder of pictures by class.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use pictures::{Budget, FrameError};
use rayon::prelude::*;

use crate::listing::all_entries;
use crate::split::hold_out;
use crate::{Classes, DataError, FolderOptions, ImageShape, LabelledImages, Observer, Spec};

/// Which of the pictures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Train,
    Test,
}

/// Height and width where nobody has asked for others.
const SIZE: [usize; 2] = [32, 32];

/// Reads the pictures of a part, on all threads. What can't be read is told to the observer and left
/// out.
pub(crate) fn read(
    folder: &Path,
    part: Part,
    options: &FolderOptions,
    like: Option<&Spec>,
    observer: &dyn Observer,
) -> Result<LabelledImages, DataError> {
    if options.transpose == Some(true) {
        return Err(DataError::Misplaced {
            folder: folder.to_owned(),
            problem: "pictures, which are turned by what their files say: leave data.transpose out",
        });
    }
    // What adds to a set may be of one class alone.
    let least = if part == Part::Train && like.is_some() {
        1
    } else {
        2
    };
    let (root, files) = files(folder, part, least, options, observer)?;
    let classes = match like {
        Some(spec) => spec.classes.clone(),
        None => Classes::named(files.names.clone())
            .map_err(|error| error.of_file(root.display().to_string()))?,
    };
    let class = |name: &String| {
        let class = classes.named_so(name);
        class.ok_or_else(|| DataError::UnknownClass {
            folder: root.join(name),
        })
    };
    let known: Vec<u16> = files.names.iter().map(class).collect::<Result<_, _>>()?;
    let [height, width] = match like {
        Some(spec) => [spec.shape.height, spec.shape.width],
        None => options.size.unwrap_or(SIZE),
    };
    let known_channels = like.map(|spec| spec.shape.channels).or(options.channels);
    let read_as = ImageShape::new(known_channels.unwrap_or(3), height, width)?;
    let total = files.pictures.len();
    let (budget, done) = (Budget::new(), AtomicUsize::new(0));
    let read: Vec<Result<Vec<u8>, FrameError>> = files
        .pictures
        .par_iter()
        .map(|(path, _)| {
            let sides = [read_as.channels, height, width];
            let pixels = pictures::read_whole(path, sides, &budget);
            observer.progress(1 + done.fetch_add(1, Ordering::Relaxed), total);
            pixels
        })
        .collect();
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for ((_, class), read) in files.pictures.iter().zip(read) {
        match read {
            Ok(bytes) => {
                pixels.extend(bytes);
                labels.push(known[*class]);
            }
            Err(error) => observer.note(format!("left out: {error}")),
        }
    }
    if labels.is_empty() {
        return Err(DataError::EmptyClass { folder: root });
    }
    if like.is_none()
        && let Some(name) = (0..)
            .zip(classes.names())
            .find_map(|(class, name)| (!labels.contains(&class)).then_some(name))
    {
        return Err(DataError::EmptyClass {
            folder: root.join(name),
        });
    }
    if known_channels.is_some() || !is_grey(&pixels, read_as) {
        return LabelledImages::new(read_as, classes, pixels, labels);
    }
    let images = pixels.chunks_exact(read_as.len());
    let grey = images.flat_map(|image| &image[..read_as.plane()]).copied();
    let shape = ImageShape::new(1, height, width)?;
    LabelledImages::new(shape, classes, grey.collect(), labels)
}

/// The pictures of a part, each with its class as an index of the names.
struct Files {
    names: Vec<String>,
    pictures: Vec<(PathBuf, usize)>,
    /// Folders without a file, which are no classes.
    empty: Vec<String>,
    /// Folders within a class, into which nobody looks.
    nested: Vec<String>,
}

/// Finds the pictures of a part, and where the folders of their classes lie.
fn files(
    folder: &Path,
    part: Part,
    least: usize,
    options: &FolderOptions,
    observer: &dyn Observer,
) -> Result<(PathBuf, Files), DataError> {
    let [train, test] = ["train", "test"].map(|name| folder.join(name));
    let divided = train.is_dir() && test.is_dir();
    let root = match part {
        Part::Test if divided => test,
        _ if train.is_dir() => train,
        _ => folder.to_owned(),
    };
    // What is found is told once, even where both parts come from it.
    let told: &dyn Observer = match part {
        Part::Test if !divided => &(),
        _ => observer,
    };
    let files = list(&root)?;
    // A class may lack pictures for testing, not for training.
    let least = if divided && part == Part::Test {
        1
    } else {
        least
    };
    if files.names.len() < least {
        return Err(DataError::Missing {
            folder: root,
            name: "train-images-idx3-ubyte".into(),
        });
    }
    if !files.empty.is_empty() {
        told.note(format!(
            "no classes, because there is no file in them: {} in {}",
            files.empty.join(", "),
            root.display()
        ));
    }
    if !files.nested.is_empty() {
        told.note(format!(
            "left out: folders within a class, {} in {}",
            files.nested.join(", "),
            root.display()
        ));
    }
    let files = match divided {
        true => files,
        false => held_out(files, part, options.seed, told),
    };
    Ok((root, files))
}

/// The part of the pictures that is asked for: a fifth of each class is held out for testing.
fn held_out(files: Files, part: Part, seed: u64, observer: &dyn Observer) -> Files {
    let Files {
        names, pictures, ..
    } = files;
    let labels: Vec<u16> = pictures.iter().map(|(_, class)| *class as u16).collect();
    let split = hold_out(&labels, seed);
    observer.note(format!(
        "{} of {} pictures are held out for testing, drawn by seed {seed}: there is no folder `test` of \
         them",
        split.validation.len(),
        labels.len(),
    ));
    let kept = match part {
        Part::Train => split.train,
        Part::Test => split.validation,
    };
    let kept = kept.iter().map(|&index| pictures[index as usize].clone());
    Files {
        names,
        pictures: kept.collect(),
        empty: Vec::new(),
        nested: Vec::new(),
    }
}

/// The pictures in the folders below `root`, each of which is a class; sorted by name.
fn list(root: &Path) -> Result<Files, DataError> {
    let mut files = Files {
        names: Vec::new(),
        pictures: Vec::new(),
        empty: Vec::new(),
        nested: Vec::new(),
    };
    for name in all_entries(root)? {
        let place = root.join(&name);
        let name = name.to_string_lossy().into_owned();
        if pictures::is_litter(&name)
            || name.starts_with('.')
            || !fs::metadata(&place).is_ok_and(|entry| entry.is_dir())
        {
            continue;
        }
        if name.contains(char::REPLACEMENT_CHARACTER) {
            return Err(DataError::ClassName {
                name,
                problem: "it is not text in UTF-8",
            });
        }
        let class = files.names.len();
        let is_litter = |file: &OsString| {
            let file = file.to_string_lossy();
            pictures::is_litter(&file) || file.starts_with("._")
        };
        let before = files.pictures.len();
        for file in all_entries(&place)?
            .into_iter()
            .filter(|file| !is_litter(file))
        {
            let path = place.join(&file);
            if path.is_file() {
                files.pictures.push((path, class));
            } else if path.is_dir() {
                files
                    .nested
                    .push(format!("{name}/{}", file.to_string_lossy()));
            }
        }
        match files.pictures.len() > before {
            true => files.names.push(name),
            false => files.empty.push(name),
        }
    }
    Ok(files)
}

/// Whether red, green and blue are the same in all images, `[count, 3, height, width]`.
fn is_grey(pixels: &[u8], shape: ImageShape) -> bool {
    pixels.chunks_exact(shape.len()).all(|image| {
        let mut planes = image.chunks_exact(shape.plane());
        let first = planes.next();
        planes.all(|plane| Some(plane) == first)
    })
}
