//! `artifacts/latest`.

use std::{fs, path::Path};

use crate::run_dir::RunDir;

impl RunDir {
    /// Points `artifacts/latest` to this run, if it lies in `artifacts` under a name of its own and
    /// the file system has links.
    pub(crate) fn point_latest(&self, artifacts: &Path) {
        #[cfg(unix)]
        if let Some(name) = self.path().file_name()
            && let Some(Ok(parent)) = self.path().parent().map(fs::canonicalize)
            && fs::canonicalize(artifacts).is_ok_and(|artifacts| artifacts == parent)
            && !self.path().is_symlink()
        {
            let link = artifacts.join("latest");
            let next = artifacts.join(format!(".latest-{}", std::process::id()));
            // A convenience: a run without it is as good.
            let _ = std::os::unix::fs::symlink(name, &next)
                .and_then(|()| fs::rename(&next, &link))
                .or_else(|_| fs::remove_file(&next));
        }
        #[cfg(not(unix))]
        let _ = artifacts;
    }
}
