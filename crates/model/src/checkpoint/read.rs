//! Reading: no byte is believed before it is compared with `SHA256SUMS`.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use burn::{
    module::Module,
    store::ModuleRecord,
    tensor::{Bytes, DType, Device},
};

use super::{
    CheckpointError, MANIFEST, MODEL, Manifest, OPTIMIZER, SCHEDULER, SUMS, is_strewn, write::sums,
};
use crate::network::Network;

/// `checkpoint.json` holds the history of a run: 300 bytes an epoch, at most 100,000 epochs.
const MANIFEST_LIMIT: u64 = 1 << 25;
/// `SHA256SUMS` has a line for each of at most four files.
const SUMS_LIMIT: u64 = 1 << 12;
/// What a file of tensors may hold beside them: names, shapes, a schedule.
const OVERHEAD: u64 = 1 << 20;

/// So often a checkpoint may be replaced while it is read.
const REPLACEMENTS: usize = 10;

/// A checkpoint whose bytes are known to be the ones that were written.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    manifest: Manifest,
    files: BTreeMap<&'static str, Vec<u8>>,
}

impl Checkpoint {
    /// Reads the checkpoint folder at `path` and verifies it.
    ///
    /// # Errors
    /// A [`CheckpointError`] that names the file: missing, foreign, damaged (a changed, cut,
    /// missing or additional file), newer than this program, or unreadable. What [`is_strewn`] in a
    /// folder is no additional file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        for _ in 0..REPLACEMENTS {
            let before = identity(path);
            let read = Self::read(path);
            // A writer may have put another checkpoint in the place of the one whose files were being
            // read: files of both are no damage.
            if read.is_ok() || identity(path) == before {
                return read;
            }
        }
        Self::read(path)
    }

    /// Verifies a checkpoint whose files are in memory, by their names: compiled in, or from a store of
    /// objects. `origin` stands for the folder in errors.
    ///
    /// # Errors
    /// Those of [`Self::open`] but for the operating system's.
    pub fn from_bytes(origin: &str, files: &[(&str, &[u8])]) -> Result<Self, CheckpointError> {
        let names: Vec<_> = files.iter().map(|(name, _)| OsString::from(name)).collect();
        let origin = Path::new(origin);
        is_checkpoint(origin, &names)?;
        // A folder has each name once.
        let twice = (1..).zip(files).find_map(|(next, (name, _))| {
            let again = files[next..].iter().any(|(other, _)| other == name);
            again.then_some(name)
        });
        if let Some(name) = twice {
            return Err(damaged(origin, name, "the file is there twice"));
        }
        Self::verify(origin, names, |name, limit| {
            let file = files.iter().find(|(known, _)| *known == name);
            match file {
                Some((_, bytes)) if bytes.len() as u64 > limit => {
                    Err(too_large(origin, name, limit))
                }
                file => Ok(file.map(|(_, bytes)| bytes.to_vec())),
            }
        })
    }

    fn read(path: &Path) -> Result<Self, CheckpointError> {
        Self::verify(path, list(path)?, |name, limit| {
            read_part(path, name, limit)
        })
    }

    /// Verifies files of these names, which `read` gives: of at most so many bytes, none where there is
    /// no file.
    fn verify(
        path: &Path,
        names: Vec<OsString>,
        read: impl Fn(&str, u64) -> Result<Option<Vec<u8>>, CheckpointError>,
    ) -> Result<Self, CheckpointError> {
        let required = |name: &str, limit: u64| {
            read(name, limit)?.ok_or_else(|| damaged(path, name, "the file is missing"))
        };
        let stated = required(SUMS, SUMS_LIMIT)?;
        let bytes = required(MANIFEST, MANIFEST_LIMIT)?;
        // The manifest is verified first: it says whether this program knows the format, and how
        // large the other files may be.
        let line = sums(&[(MANIFEST, &bytes)]);
        if !stated
            .split_inclusive(|byte| *byte == b'\n')
            .any(|stated| stated == line.as_bytes())
        {
            return Err(changed_file(path, &stated, &line).unwrap_or_else(|| changed_sums(path)));
        }
        let manifest = Manifest::parse(&bytes, &path.join(MANIFEST))?;
        let mut files = BTreeMap::from([(MANIFEST, bytes)]);
        for name in names {
            let known = [MANIFEST, MODEL, OPTIMIZER, SCHEDULER, SUMS];
            if !known.iter().any(|known| name == *known) && !is_strewn(&name) {
                return Err(damaged(
                    path,
                    &name,
                    "this file doesn't belong to the checkpoint",
                ));
            }
        }
        let weights = (manifest.summary().parameters() * size_of::<f32>()) as u64;
        // Twice the weights, as running statistics are with them; the optimizer has two moments.
        files.insert(MODEL, required(MODEL, 2 * weights + OVERHEAD)?);
        for (name, limit) in [(OPTIMIZER, 4 * weights + OVERHEAD), (SCHEDULER, OVERHEAD)] {
            if let Some(bytes) = read(name, limit)? {
                files.insert(name, bytes);
            }
        }
        let listed: Vec<_> = files
            .iter()
            .map(|(name, bytes)| (*name, &bytes[..]))
            .collect();
        let actual = sums(&listed);
        if actual.as_bytes() != stated {
            return Err(first_difference(path, &stated, &actual));
        }
        files.insert(SUMS, stated);
        let training = [OPTIMIZER, SCHEDULER].map(|name| files.contains_key(name));
        if training != [manifest.training.is_some(); 2] {
            return Err(damaged(
                path,
                MANIFEST,
                "the training state is there only in part",
            ));
        }
        Ok(Checkpoint {
            path: path.to_owned(),
            manifest,
            files,
        })
    }

    /// Where the checkpoint was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the checkpoint says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The verified bytes of one of the files, such as [`OPTIMIZER`](super::OPTIMIZER).
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// The names and sizes in bytes of the files, `SHA256SUMS` included.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, usize)> + '_ {
        self.files.iter().map(|(name, bytes)| (*name, bytes.len()))
    }

    /// Builds the network with the checkpoint's weights, in evaluation mode.
    ///
    /// # Errors
    /// [`CheckpointError::Invalid`] if the weights don't fit the architecture or don't give finite
    /// numbers.
    pub fn network(&self, device: &Device) -> Result<Network, CheckpointError> {
        let path = self.path.join(MODEL);
        let invalid = |problem: String| CheckpointError::Invalid {
            path: path.clone(),
            problem,
        };
        let bytes = Bytes::from_bytes_vec(self.file(MODEL).unwrap_or_default().to_vec());
        check_tensors(bytes.clone(), self.manifest.summary().parameters()).map_err(invalid)?;
        let record = ModuleRecord::from_bytes(bytes)
            .map_err(|error| invalid(format!("not a burnpack file: {error}")))?;
        let device = device.clone().without_autodiff();
        let Manifest {
            architecture,
            input,
            classes,
            normalization,
            ..
        } = &self.manifest;
        let network = architecture
            .init(0, *input, classes.len(), &device)
            .map_err(|error| invalid(error.to_string()))?
            .try_load_record(record.cast_to_module_dtype())
            .map_err(|error| invalid(format!("weights don't fit the architecture: {error}")))?;
        if !network.is_finite(*input, normalization) {
            return Err(invalid("weights that don't give finite numbers".into()));
        }
        Ok(network)
    }
}

/// Checks what loading takes for granted: that all tensors are of the type that the network has, and
/// that the file is large enough for the network, which is built first.
fn check_tensors(file: Bytes, weights: usize) -> Result<(), String> {
    if weights * size_of::<f32>() > file.len() {
        return Err(format!(
            "{} bytes can't hold the {weights} weights of the architecture",
            file.len()
        ));
    }
    let not_a_pack = |error: burn_pack::Error| format!("not a burnpack file: {error}");
    let tensors = burn_pack::Reader::from_bytes(file)
        .and_then(burn_pack::Reader::into_tensors)
        .map_err(not_a_pack)?;
    for tensor in tensors {
        let (name, dtype, ..) = tensor.into_parts().map_err(not_a_pack)?;
        if dtype != DType::F32 {
            return Err(format!(
                "`{name}` does not hold 32-bit floating-point numbers"
            ));
        }
    }
    Ok(())
}

/// Which folder has the name at the moment; none where it isn't there or where that can't be asked for.
fn identity(path: &Path) -> Option<[i128; 4]> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // Numbers of folders are used again, so the time at which it got its name belongs to it.
        fs::metadata(path).ok().map(|folder| {
            [
                folder.dev().into(),
                folder.ino().into(),
                folder.ctime().into(),
                folder.ctime_nsec().into(),
            ]
        })
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// The names in the folder of a checkpoint.
fn list(path: &Path) -> Result<Vec<OsString>, CheckpointError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            return Err(CheckpointError::Foreign {
                path: path.to_owned(),
                problem: "a checkpoint is a folder and this is a file".into(),
            });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CheckpointError::Missing {
                path: path.to_owned(),
            });
        }
        Err(error) => return Err(unreadable(path)(error)),
    }
    let names: Vec<_> = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
        .map_err(unreadable(path))?;
    is_checkpoint(path, &names)?;
    Ok(names)
}

/// Whether files of these names can be those of a checkpoint.
fn is_checkpoint(path: &Path, names: &[OsString]) -> Result<(), CheckpointError> {
    if names.iter().any(|name| name == MANIFEST || name == SUMS) {
        return Ok(());
    }
    Err(CheckpointError::Foreign {
        path: path.to_owned(),
        problem: format!("there is no {MANIFEST} in it"),
    })
}

/// Reads a file of the checkpoint, of at most `limit` bytes; none if it isn't there.
fn read_part(folder: &Path, name: &str, limit: u64) -> Result<Option<Vec<u8>>, CheckpointError> {
    let path = folder.join(name);
    // Asked before opening: opening a pipe would wait for a writer.
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(damaged(folder, name, "not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&path)(error)),
    }
    match read_file(&path, limit).map_err(unreadable(&path))? {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(too_large(folder, name, limit)),
    }
}

/// Reads a file of at most `limit` bytes; none if it is larger, whatever its metadata says.
fn read_file(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > limit {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(length as usize + 1);
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// Says which file differs from what `SHA256SUMS` states.
fn first_difference(path: &Path, stated: &[u8], actual: &str) -> CheckpointError {
    let text = String::from_utf8_lossy(stated);
    let missing = digests_and_names(&text).find(|(_, name)| {
        !actual
            .lines()
            .any(|line| line.ends_with(&format!("  {name}")))
    });
    changed_file(path, stated, actual).unwrap_or_else(|| match missing {
        Some((_, name)) if !name.contains(|c: char| c == '/' || c.is_control()) => {
            damaged(path, name, "the file is missing, SHA256SUMS lists it")
        }
        _ => changed_sums(path),
    })
}

/// The first file whose digest `SHA256SUMS` doesn't state.
fn changed_file(path: &Path, stated: &[u8], actual: &str) -> Option<CheckpointError> {
    let stated = String::from_utf8_lossy(stated);
    digests_and_names(actual).find_map(|(digest, name)| {
        let problem = match digests_and_names(&stated).find(|(_, stated)| *stated == name) {
            Some((stated, _)) if stated.len() == 64 && stated != digest => {
                "its SHA-256 is not the one in SHA256SUMS"
            }
            Some(_) => return None,
            None => "it is not listed in SHA256SUMS",
        };
        Some(damaged(path, name, problem))
    })
}

fn digests_and_names(sums: &str) -> impl Iterator<Item = (&str, &str)> {
    sums.lines().filter_map(|line| line.split_once("  "))
}

fn changed_sums(path: &Path) -> CheckpointError {
    damaged(path, SUMS, "its text is not as it was written")
}

fn damaged(folder: &Path, name: impl AsRef<Path>, problem: impl Into<String>) -> CheckpointError {
    CheckpointError::Damaged {
        path: folder.join(name),
        problem: problem.into(),
    }
}

fn too_large(folder: &Path, name: &str, limit: u64) -> CheckpointError {
    let problem = format!("more than the {limit} bytes that such a file may have");
    damaged(folder, name, problem)
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Read { path, source }
}
