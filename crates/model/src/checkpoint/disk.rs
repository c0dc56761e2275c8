//! Files and folders on disk: written through, removed, made durable.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Refuses a folder whose files may not be removed, while it still has its name.
pub(super) fn check_removable(path: &Path) -> io::Result<()> {
    let Ok(metadata) = fs::metadata(path) else {
        return Ok(());
    };
    #[cfg(target_os = "linux")]
    let protected = {
        use rustix::fs::{Access, access};
        access(path, Access::WRITE_OK | Access::EXEC_OK).is_err()
    };
    #[cfg(not(target_os = "linux"))]
    let protected = metadata.permissions().readonly();
    if metadata.is_dir() && protected {
        let problem = "what is there is write-protected, make it writable";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    Ok(())
}

/// Removes a folder, file or link, if it is there.
pub(super) fn remove_any(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Writes a file that isn't there yet; it is not on the disk before it is synced.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Makes the names in a folder durable, where the file system can: some can't sync a folder, and say
/// so each in its own way. Windows has no such call and needs none.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let synced = File::open(path)?.sync_all();
        let unable = [io::ErrorKind::InvalidInput, io::ErrorKind::Unsupported];
        if let Err(error) = synced
            && !unable.contains(&error.kind())
        {
            return Err(error);
        }
    }
    Ok(())
}

pub(super) fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
