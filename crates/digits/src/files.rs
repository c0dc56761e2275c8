//! Which pictures the arguments name.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Names by which files are taken for pictures, whatever they hold: if one can't be read, that is an
/// error and not passed over.
const ENDINGS: [&str; 17] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib", "heic", "heif", "avif", "gif",
    "tif", "tiff", "jxl", "jp2", "dng",
];
/// Names that a note shows at most.
const NAMED: usize = 5;

/// What the arguments came to.
#[derive(Default)]
pub struct Files {
    /// The files named and, for each folder, its pictures in the order of their names.
    pub pictures: Vec<PathBuf>,
    /// What was passed over, a line each.
    pub notes: Vec<String>,
    /// Folders that gave no pictures or could not be read, a line each.
    pub problems: Vec<String>,
}

/// Looks into the folders among `paths`, with `recursive` into those within them, but not into
/// `excluded`.
pub fn expand(paths: &[PathBuf], recursive: bool, excluded: Option<&Path>) -> Files {
    let mut files = Files::default();
    let excluded = excluded.and_then(|folder| folder.canonicalize().ok());
    for path in paths {
        if !path.is_dir() {
            files.pictures.push(path.clone());
            continue;
        }
        let shown = pictures::shown(path);
        let mut found = Found::default();
        if let Err((folder, error)) = found.look_into(path, recursive, excluded.as_deref()) {
            let folder = pictures::shown(&folder);
            let problem = format!("{folder}: can't read the folder: {error}");
            files.problems.push(problem);
        } else if found.pictures.is_empty() {
            let way = match found.folders.is_empty() {
                true => "",
                false => "; --recursive looks into the folders in it",
            };
            let problem = format!("{shown}: no pictures in this folder{way}");
            files.problems.push(problem);
        }
        found.pictures.sort();
        files.pictures.append(&mut found.pictures);
        if let Some(list) = listed(
            &mut found.others,
            "file that is no picture",
            "files that are no pictures",
        ) {
            files.notes.push(format!("{shown}: passed over {list}"));
        }
        if let Some(list) = listed(&mut found.folders, "folder in it", "folders in it") {
            files.notes.push(format!(
                "{shown}: passed over {list}; --recursive looks into them"
            ));
        }
        if let Some(list) = listed(&mut found.links, "link to a folder", "links to folders") {
            files.notes.push(format!("{shown}: passed over {list}"));
        }
    }
    files
}

/// The number of paths and the first of them.
fn listed(paths: &mut [PathBuf], one: &str, many: &str) -> Option<String> {
    paths.sort();
    let count = paths.len();
    let named: Vec<_> = paths
        .iter()
        .take(NAMED)
        .map(|path| pictures::shown(path))
        .collect();
    let more = match count.saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = if count == 1 { one } else { many };
    (count > 0).then(|| format!("{count} {what} ({}{more})", named.join(", ")))
}

/// What a folder holds, by paths within it.
#[derive(Default)]
struct Found {
    pictures: Vec<PathBuf>,
    others: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    links: Vec<PathBuf>,
}

impl Found {
    fn look_into(
        &mut self,
        root: &Path,
        recursive: bool,
        excluded: Option<&Path>,
    ) -> Result<(), (PathBuf, io::Error)> {
        let mut waiting = vec![root.to_owned()];
        while let Some(folder) = waiting.pop() {
            let failed = |error| (folder.clone(), error);
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let path = entry.path();
                if is_litter(&path) {
                    continue;
                }
                let inside = || path.strip_prefix(root).unwrap_or(&path).to_owned();
                // Links to files are followed; those to folders could lead round in a circle.
                if path.is_dir() {
                    let itself =
                        excluded.is_some() && path.canonicalize().ok().as_deref() == excluded;
                    if itself {
                        continue;
                    }
                    match (
                        recursive,
                        entry.file_type().is_ok_and(|kind| kind.is_symlink()),
                    ) {
                        (true, true) => self.links.push(inside()),
                        (true, false) => waiting.push(path),
                        (false, _) => self.folders.push(inside()),
                    }
                } else if path.is_file() && (has_ending(&path) || is_picture(&path)) {
                    self.pictures.push(path);
                } else {
                    self.others.push(inside());
                }
            }
        }
        Ok(())
    }
}

fn has_ending(path: &Path) -> bool {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

fn is_picture(path: &Path) -> bool {
    pictures::is_picture(&start(path))
}

/// The first bytes of a file; none if it can't be read, which then tells the error.
fn start(path: &Path) -> Vec<u8> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(32).read_to_end(&mut start));
    read.map(|_| start).unwrap_or_default()
}

/// Whether a desktop left it there: also the notes of macOS beside each file, which bear its name.
fn is_litter(path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy()) else {
        return false;
    };
    pictures::is_litter(&name) || name.starts_with("._") && path.is_file() && !is_picture(path)
}
