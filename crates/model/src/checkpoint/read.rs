//! Reading: every byte is compared with `SHA256SUMS` before any is believed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    store::ModuleRecord,
    tensor::{Bytes, DType, Device, Tensor},
};

use super::{CheckpointError, MANIFEST, MODEL, Manifest, OPTIMIZER, SCHEDULER, SUMS, write::sums};
use crate::network::{Network, NetworkConfig};

/// No file of a checkpoint is larger than this many bytes: 4096×4096 weights a layer leave room.
const LIMIT: u64 = 1 << 30;
/// `checkpoint.json` holds the history of a run: 300 bytes an epoch, at most 100,000 epochs.
const MANIFEST_LIMIT: u64 = 1 << 25;
/// `SHA256SUMS` has a line for each of at most four files.
const SUMS_LIMIT: u64 = 1 << 12;

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
    /// missing or additional file), newer than this program, or unreadable.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        let files = read_folder(path)?;
        let bytes = |name| files.get(name).map(Vec::as_slice);
        let stated = bytes(SUMS).unwrap_or_default();
        let listed: Vec<_> = files
            .iter()
            .filter(|(name, _)| **name != SUMS)
            .map(|(name, bytes)| (*name, bytes.as_slice()))
            .collect();
        let actual = sums(&listed);
        if actual.as_bytes() != stated {
            return Err(first_difference(path, stated, &actual));
        }
        let manifest = Manifest::parse(bytes(MANIFEST).unwrap_or_default(), &path.join(MANIFEST))?;
        let training = [OPTIMIZER, SCHEDULER].map(|name| files.contains_key(name));
        if training != [manifest.training.is_some(); 2] {
            return Err(CheckpointError::Damaged {
                path: path.join(MANIFEST),
                problem: "the training state is there only in part".into(),
            });
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
    /// [`CheckpointError::Invalid`] if the weights don't fit the architecture or aren't finite.
    pub fn network(&self, device: &Device) -> Result<Network, CheckpointError> {
        let path = self.path.join(MODEL);
        let invalid = |problem: String| CheckpointError::Invalid {
            path: path.clone(),
            problem,
        };
        let bytes = Bytes::from_bytes_vec(self.file(MODEL).unwrap_or_default().to_vec());
        check_tensors(bytes.clone(), &self.manifest.architecture).map_err(invalid)?;
        let record = ModuleRecord::from_bytes(bytes)
            .map_err(|error| invalid(format!("not a burnpack file: {error}")))?;
        let device = device.clone().without_autodiff();
        let network = self
            .manifest
            .architecture
            .init(0, &device)
            .map_err(|error| invalid(error.to_string()))?
            .try_load_record(record.cast_to_module_dtype())
            .map_err(|error| invalid(format!("weights don't fit the architecture: {error}")))?;
        let mut finite = Finite(true);
        network.visit(&mut finite);
        if !finite.0 {
            return Err(invalid("weights that are not finite numbers".into()));
        }
        Ok(network)
    }
}

/// Checks what loading takes for granted: that all tensors are of the type that the network has, and
/// that the file is large enough for the network, which is built first.
fn check_tensors(file: Bytes, architecture: &NetworkConfig) -> Result<(), String> {
    let weights = architecture.summary().parameters();
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

/// Whether all visited values are finite.
struct Finite(bool);

impl ModuleVisitor for Finite {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data();
        self.0 &= data.iter::<f32>().all(f32::is_finite);
    }
}

/// Reads exactly the files that a checkpoint may have.
fn read_folder(path: &Path) -> Result<BTreeMap<&'static str, Vec<u8>>, CheckpointError> {
    let read_error = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| CheckpointError::Read { path, source }
    };
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
        Err(error) => return Err(read_error(path)(error)),
    }
    let names: Vec<_> = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
        .map_err(read_error(path))?;
    if !names.iter().any(|name| name == MANIFEST || name == SUMS) {
        let problem = if path.join("checkpoints").is_dir() {
            "this is a run folder; its trained model is in `model`, its checkpoints are in `checkpoints`".into()
        } else {
            format!("there is no {MANIFEST} in it")
        };
        return Err(CheckpointError::Foreign {
            path: path.to_owned(),
            problem,
        });
    }
    for name in names {
        let known = [MANIFEST, MODEL, OPTIMIZER, SCHEDULER, SUMS];
        if !known.iter().any(|known| name == *known) {
            return Err(CheckpointError::Damaged {
                path: path.join(name),
                problem: "this file doesn't belong to the checkpoint".into(),
            });
        }
    }
    let mut files = BTreeMap::new();
    for (name, required, limit) in [
        (SUMS, true, SUMS_LIMIT),
        (MANIFEST, true, MANIFEST_LIMIT),
        (MODEL, true, LIMIT),
        (OPTIMIZER, false, LIMIT),
        (SCHEDULER, false, LIMIT),
    ] {
        let file = path.join(name);
        let damaged = |problem: String| CheckpointError::Damaged {
            path: file.clone(),
            problem,
        };
        // Asked before opening: opening a pipe would wait for a writer.
        match fs::metadata(&file) {
            Ok(metadata) if !metadata.is_file() => {
                return Err(damaged("not a regular file".into()));
            }
            Ok(_) => {
                let bytes = read_file(&file, limit).map_err(read_error(&file))?;
                let bytes = bytes.ok_or_else(|| {
                    damaged(format!(
                        "more than the {limit} bytes that such a file may have"
                    ))
                })?;
                files.insert(name, bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("the file is missing".into()));
            }
            Err(error) => return Err(read_error(&file)(error)),
        }
    }
    Ok(files)
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
    let stated = String::from_utf8_lossy(stated);
    let names: Vec<_> = stated
        .lines()
        .filter_map(|line| line.split_once("  "))
        .collect();
    for line in actual.lines() {
        let Some((digest, name)) = line.split_once("  ") else {
            continue;
        };
        let problem = match names.iter().find(|(_, stated)| *stated == name) {
            Some((stated, _)) if stated.len() == 64 && *stated != digest => {
                "its SHA-256 is not the one in SHA256SUMS"
            }
            Some(_) => continue,
            None => "it is not listed in SHA256SUMS",
        };
        return CheckpointError::Damaged {
            path: path.join(name),
            problem: problem.into(),
        };
    }
    let missing = names.iter().find(|(_, name)| {
        !actual
            .lines()
            .any(|line| line.ends_with(&format!("  {name}")))
    });
    match missing {
        Some((_, name)) if !name.contains(|c: char| c == '/' || c.is_control()) => {
            CheckpointError::Damaged {
                path: path.join(name),
                problem: "the file is missing, SHA256SUMS lists it".into(),
            }
        }
        _ => CheckpointError::Damaged {
            path: path.join(SUMS),
            problem: "its text is not as it was written".into(),
        },
    }
}
