//! Files that results go to.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;

/// A file that is opened before the work whose result it takes, so that a place that can't be written
/// is known at once. What was in it stays until the result is there.
pub struct Output {
    path: PathBuf,
    file: File,
    /// It wasn't there before, and nothing is in it.
    blank: bool,
}

impl Output {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let blank = !path.exists();
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(|| format!("{}: can't write", path.display()))?;
        Ok(Output {
            path: path.to_owned(),
            file,
            blank,
        })
    }

    /// Writes the whole file. A new one is removed where that fails: a part of it might be taken for
    /// the whole.
    pub fn write(mut self, content: &[u8]) -> anyhow::Result<()> {
        self.fill(content)
            .with_context(|| format!("{}: can't write", self.path.display()))?;
        self.blank = false;
        Ok(())
    }

    fn fill(&mut self, content: &[u8]) -> io::Result<()> {
        // Pipes and terminals have no length.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write_all(content)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.blank {
            let _ = fs::remove_file(&self.path);
        }
    }
}
