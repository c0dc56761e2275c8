//! Which pictures the arguments name.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The files named and, for each folder, its PNG and JPEG files in the order of their names; and a
/// line, already on stderr, for each folder that gave none.
pub fn expand(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<String>) {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let problem = match pictures_in(path) {
            Ok(found) if !found.is_empty() => {
                files.extend(found);
                continue;
            }
            Ok(_) => format!("{}: no PNG or JPEG files in this folder", path.display()),
            Err(error) => format!("{}: can't read the folder: {error}", path.display()),
        };
        errln!("error: {problem}");
        problems.push(problem);
    }
    (files, problems)
}

fn pictures_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_picture(&path) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_picture(path: &Path) -> bool {
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase());
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg"))
}
