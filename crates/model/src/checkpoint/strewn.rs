//! What lies in a folder although nobody put it there.

use std::ffi::OsStr;

/// Names that systems give, compared without regard to case.
const NAMES: [&str; 16] = [
    // macOS
    ".DS_Store",
    ".localized",
    ".apdisk",
    ".Spotlight-V100",
    ".fseventsd",
    ".Trashes",
    ".TemporaryItems",
    // Windows
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "$RECYCLE.BIN",
    "System Volume Information",
    // KDE
    ".directory",
    // the root of a file system of Linux
    "lost+found",
    // network storage
    "@eaDir",
    ".snapshot",
];

/// Names that begin so: macOS's second file beside each on a foreign disk (`._model.bpk`), the
/// folders and the link behind a volume of Kubernetes (`..data`, `..2026_01_31_…`), a deleted file
/// that is still open on NFS or FUSE, and a trash of Linux (`.Trash-1000`).
const BEGINNINGS: [&str; 5] = ["._", "..", ".nfs", ".fuse_hidden", ".Trash-"];

/// Whether a name is one that desktops, file systems and container platforms strew in any folder:
/// it is neither damage to a checkpoint nor content of a folder. Everything else that doesn't belong
/// (notes, copies, files of editors) is somebody's.
///
/// ```
/// use model::checkpoint::is_strewn;
/// assert!(is_strewn(".DS_Store".as_ref()) && is_strewn("..data".as_ref()));
/// assert!(!is_strewn("model.bpk~".as_ref()));
/// ```
pub fn is_strewn(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
        || BEGINNINGS.iter().any(|start| name.starts_with(start))
}
