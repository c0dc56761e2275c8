//! What is said of a checkpoint that can't be believed.

use std::{io, path::Path};

use super::CheckpointError;

pub(super) fn damaged(
    folder: &Path,
    name: impl AsRef<Path>,
    problem: impl Into<String>,
) -> CheckpointError {
    CheckpointError::Damaged {
        path: folder.join(name),
        problem: problem.into(),
    }
}

pub(super) fn too_large(folder: &Path, name: &str, limit: u64) -> CheckpointError {
    let problem = format!("more than the {limit} bytes that such a file may have");
    damaged(folder, name, problem)
}

pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Read { path, source }
}
