//! The run folder: one folder per run, one writer at a time.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    ops::Deref,
    path::{Path, PathBuf},
};

use model::{CheckpointError, checkpoint};
use runs::Layout;
use thiserror::Error;

use crate::{
    files::{self, Lock, PARTIAL, is_file},
    paths::shell_word,
    progress::say,
};

/// A run folder that this process may write to; its paths are those of [`Layout`]. The lock ends with the process, however it ends; where
/// the file system has no locks there is a warning instead.
#[derive(Debug)]
pub struct RunDir {
    layout: Layout,
    lock: File,
}

impl Deref for RunDir {
    type Target = Layout;

    fn deref(&self) -> &Layout {
        &self.layout
    }
}

/// How [`RunDirError::InUse`] says it, by which a process that started this one knows it.
pub(crate) const IN_USE: &str =
    "another `train` is writing to this run; wait for it to end or stop it";
/// The same of [`RunDirError::NotEmpty`].
pub(crate) const NOT_EMPTY: &str = "this folder is not empty";

/// Why a run folder can't be used.
#[derive(Debug, Error)]
pub enum RunDirError {
    /// A new run may not mix with what is there.
    #[error("{path}: {NOT_EMPTY}; go on with that run by `--resume {word}`, or choose another folder", path = .0.display(), word = shell_word(.0))]
    NotEmpty(PathBuf),
    /// There is no run to resume.
    #[error("{path}: no run here (there is no config.toml in it); check the path, or start a new run with `--run-dir`", path = .0.display())]
    NoRun(PathBuf),
    /// Another process writes to it.
    #[error("{path}: {IN_USE}", path = .0.display())]
    InUse(PathBuf),
    /// The folder is gone, or another has its name.
    #[error("{path}: the folder of this run was moved, or its .lock taken away, while it was in use; nothing more is written to it; go on by `--resume` with the folder where it is now", path = .0.display())]
    Lost(PathBuf),
    /// The operating system refused.
    #[error("{path}: {source}; check free space and permissions", path = .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A left-over can't be removed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl RunDir {
    /// Creates the folder of a new run.
    ///
    /// # Errors
    /// [`RunDirError::NotEmpty`] if there is something in it already.
    pub fn create(path: &Path) -> Result<Self, RunDirError> {
        fs::create_dir_all(path).map_err(io_error(path))?;
        let run = Self::lock(path)?;
        for entry in fs::read_dir(path).map_err(io_error(path))? {
            let name = entry.map_err(io_error(path))?.file_name();
            // A run that died before it had a config.toml may have left part of one.
            let ours = run.lock().file_name() == Some(&name)
                || name.to_string_lossy().starts_with(PARTIAL);
            if !ours && !checkpoint::is_strewn(&name) {
                return Err(RunDirError::NotEmpty(path.to_owned()));
            }
        }
        checkpoint::remove_partial(path)?;
        Ok(run)
    }

    /// Creates `artifacts/<name>-001`, or the first number after it that is free.
    ///
    /// # Errors
    /// [`RunDirError::Io`] if the folder can't be made.
    pub fn create_next(artifacts: &Path, name: &str) -> Result<Self, RunDirError> {
        fs::create_dir_all(artifacts).map_err(io_error(artifacts))?;
        for number in 1.. {
            let path = artifacts.join(format!("{name}-{number:03}"));
            match fs::create_dir(&path) {
                Ok(()) => return Self::create(&path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(RunDirError::Io { path, source }),
            }
        }
        unreachable!("the numbers don't end")
    }

    /// Opens the folder of an earlier run and removes what an interrupted write left in it.
    ///
    /// # Errors
    /// [`RunDirError::NoRun`] if it isn't a run, [`RunDirError::InUse`] if another process has it.
    pub fn open(path: &Path) -> Result<Self, RunDirError> {
        if !Layout::new(path).config().is_file() {
            return Err(RunDirError::NoRun(path.to_owned()));
        }
        let run = Self::lock(path)?;
        checkpoint::remove_partial(&run.checkpoints())?;
        checkpoint::remove_partial(path)?;
        Ok(run)
    }

    fn lock(path: &Path) -> Result<Self, RunDirError> {
        let layout = Layout::new(path);
        let file = layout.lock();
        let lock = match files::lock(&file).map_err(io_error(&file))? {
            Lock::Ours(lock) => lock,
            Lock::Theirs => return Err(RunDirError::InUse(path.to_owned())),
            Lock::Unknown(lock, error) => {
                say(format_args!(
                    "warning: {}: files can't be locked here ({error}), so a second `train` that writes \
                     to this run would not be noticed; see to it that there is none",
                    path.display()
                ));
                lock
            }
        };
        Ok(RunDir { layout, lock })
    }

    /// Checks that the folder is still the one that was locked: where someone has moved it, taken its
    /// lock away or put another run in its place, that other run is not to be written to. Where files
    /// have no identity that can be asked for, nothing is checked.
    ///
    /// # Errors
    /// [`RunDirError::Lost`] if it isn't.
    pub fn check(&self) -> Result<(), RunDirError> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let identity = |file: fs::Metadata| (file.dev(), file.ino());
            let there = fs::metadata(self.layout.lock()).map(identity);
            let held = self.lock.metadata().map(identity);
            if !matches!((there, held), (Ok(there), Ok(held)) if there == held) {
                return Err(RunDirError::Lost(self.path().to_owned()));
            }
        }
        Ok(())
    }

    /// The epochs that have a training checkpoint, whole or not, newest first.
    ///
    /// # Errors
    /// [`CheckpointError::Read`] if the folder of checkpoints is there and can't be read.
    pub fn epochs(&self) -> Result<Vec<usize>, CheckpointError> {
        let folder = self.checkpoints();
        let names = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            entries => entries.and_then(|entries| {
                entries
                    .map(|entry| Ok(entry?.file_name()))
                    .collect::<io::Result<Vec<_>>>()
            }),
        };
        let names = names.map_err(|source| CheckpointError::Read {
            path: folder,
            source,
        })?;
        let mut epochs: Vec<usize> = names
            .iter()
            .filter_map(|name| Layout::epoch(name.to_str()?))
            .collect();
        epochs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(epochs)
    }

    /// Gives the training checkpoint of an epoch a name by which no run goes on from it, and returns
    /// that name. An earlier one under it gives way.
    ///
    /// # Errors
    /// [`RunDirError`] if it can't be renamed.
    pub fn set_aside(&self, epoch: usize) -> Result<PathBuf, RunDirError> {
        self.check()?;
        let path = self.checkpoint(epoch);
        let aside = self.passed_over(epoch);
        checkpoint::remove(&aside)?;
        checkpoint::rename(&path, &aside).map_err(io_error(&path))?;
        Ok(aside)
    }

    /// Removes all training checkpoints but those of the given epochs.
    ///
    /// # Errors
    /// [`RunDirError`] if they can't be listed or one can't be removed.
    pub fn keep_only(&self, keep: &[usize]) -> Result<(), RunDirError> {
        self.check()?;
        for epoch in self.epochs()? {
            if !keep.contains(&epoch) {
                checkpoint::remove(&self.checkpoint(epoch))?;
            }
        }
        Ok(())
    }

    /// Writes a file as a whole: under a temporary name, synced, renamed.
    ///
    /// # Errors
    /// [`RunDirError::Io`] or [`RunDirError::Lost`]; the file is as it was.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), RunDirError> {
        self.replace(path, |file| file.write_all(bytes))
    }

    /// Writes a file as a whole, without waiting for the disk: what is soon written again.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub fn write_soon(&self, path: &Path, bytes: &[u8]) -> Result<(), RunDirError> {
        self.put(path, false, |file| file.write_all(bytes))
    }

    /// Does the same with what `fill` writes.
    ///
    /// # Errors
    /// As for [`Self::write`], and those of `fill`.
    pub fn replace(
        &self,
        path: &Path,
        fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> Result<(), RunDirError> {
        self.put(path, true, fill)
    }

    fn put(
        &self,
        path: &Path,
        wait: bool,
        fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> Result<(), RunDirError> {
        self.check()?;
        files::write_whole(self.path(), path, wait, fill).map_err(io_error(path))
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// [`RunDirError::Io`] or [`RunDirError::Lost`].
    pub fn remove(&self, path: &Path) -> Result<(), RunDirError> {
        self.check()?;
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(io_error(path)),
        }
    }

    /// Whether there is a file of that name.
    ///
    /// # Errors
    /// [`RunDirError::Io`] if it isn't a regular one: opening a pipe would wait for its other end.
    pub fn has_file(&self, path: &Path) -> Result<bool, RunDirError> {
        is_file(path).map_err(io_error(path))
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> RunDirError + use<> {
    let path = path.to_owned();
    move |source| RunDirError::Io { path, source }
}
