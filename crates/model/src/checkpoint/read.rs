//! Reading: no byte is believed before it is compared with `SHA256SUMS`.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use burn::{
    module::Module,
    store::ModuleRecord,
    tensor::{Bytes, DType, Device},
};

use super::folder::{identity, is_checkpoint, list, read_part};
use super::problem::{damaged, too_large};
use super::sums::{changed_file, changed_sums, first_difference, sums};
use super::{
    CheckpointError, LIVE, MANIFEST, MAX_MEMBERS, Manifest, OPTIMIZER, SCHEDULER, SIGNATURE, SUMS,
    is_strewn, model_file,
};
use crate::network::Network;

/// `checkpoint.json` holds the history of a run: 300 bytes an epoch, at most 100,000 epochs.
const MANIFEST_LIMIT: u64 = 1 << 25;
/// `SHA256SUMS` has a line of 80 bytes for each of the others, of which most are weights.
const SUMS_LIMIT: u64 = 80 * (MAX_MEMBERS as u64 + 4);
/// What a file of tensors may hold beside them: names, shapes, a schedule.
const OVERHEAD: u64 = 1 << 20;

/// So often a checkpoint may be replaced while it is read.
const REPLACEMENTS: usize = 10;

/// A checkpoint whose bytes are known to be the ones that were written.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
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
        let models: Vec<String> = (0..manifest.members).map(model_file).collect();
        for name in names {
            let known = [MANIFEST, LIVE, OPTIMIZER, SCHEDULER, SUMS, SIGNATURE];
            let mut known = known.into_iter().chain(models.iter().map(String::as_str));
            if !known.any(|known| name == known) && !is_strewn(&name) {
                return Err(damaged(
                    path,
                    &name,
                    "this file doesn't belong to the checkpoint",
                ));
            }
        }
        let mut files = BTreeMap::from([(MANIFEST.to_owned(), bytes)]);
        let weights = (manifest.summary().parameters() * size_of::<f32>()) as u64;
        for name in models {
            // Twice the weights, as running statistics are with them; the optimizer has two moments.
            let bytes = required(&name, 2 * weights + OVERHEAD)?;
            files.insert(name, bytes);
        }
        for (name, limit) in [
            (LIVE, 2 * weights + OVERHEAD),
            (OPTIMIZER, 4 * weights + OVERHEAD),
            (SCHEDULER, OVERHEAD),
        ] {
            if let Some(bytes) = read(name, limit)? {
                files.insert(name.to_owned(), bytes);
            }
        }
        let listed: Vec<_> = files
            .iter()
            .map(|(name, bytes)| (&name[..], &bytes[..]))
            .collect();
        let actual = sums(&listed);
        if actual.as_bytes() != stated {
            return Err(first_difference(path, &stated, &actual));
        }
        files.insert(SUMS.to_owned(), stated);
        let training = [OPTIMIZER, SCHEDULER].map(|name| files.contains_key(name));
        let live = files.contains_key(LIVE) && manifest.training.is_none();
        if live || training != [manifest.training.is_some(); 2] {
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
    pub fn files(&self) -> impl Iterator<Item = (&str, usize)> {
        self.files
            .iter()
            .map(|(name, bytes)| (&name[..], bytes.len()))
    }

    /// Builds the networks with the checkpoint's weights, in evaluation mode: as many as it has members.
    ///
    /// # Errors
    /// [`CheckpointError::Invalid`] if weights don't fit the architecture or don't give finite numbers.
    pub fn networks(&self, device: &Device) -> Result<Vec<Network>, CheckpointError> {
        let members = (0..self.manifest.members).map(model_file);
        members.map(|file| self.network(&file, device)).collect()
    }

    /// The network whose weights are in a file.
    pub(super) fn network(&self, file: &str, device: &Device) -> Result<Network, CheckpointError> {
        let path = self.path.join(file);
        let invalid = |problem: String| CheckpointError::Invalid {
            path: path.clone(),
            problem,
        };
        let bytes = Bytes::from_bytes_vec(self.file(file).unwrap_or_default().to_vec());
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
