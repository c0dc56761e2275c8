//! Weights that PyTorch saved, as a checkpoint.
//!
//! Nothing is guessed: each tensor of the network is found under a name that follows from a rule
//! (`names.rs`), in the shape that the architecture gives it, or the import fails and names each that isn't.

mod digest;
mod file;
mod names;
mod order;
mod values;

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Device, Tensor, TensorData},
};
use data::SplitDigest;
use model::{
    CheckpointError, Manifest, Network, Precision, Provenance,
    checkpoint::{self, Checkpoint, DataDigests, MANIFEST, Versions, model_file},
};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::ExchangeError;
use crate::architecture::Architecture;
use crate::layers::{layers_of, prefix};
use crate::safetensors::{Path as TensorPath, transposed};
use digest::check_digest;
use file::Weights;
use names::Names;

/// A checkpoint made of somebody's weights, not yet written. It is uncalibrated: it accepts nothing.
#[derive(Debug)]
pub struct Imported {
    /// What the checkpoint says of itself.
    pub manifest: Manifest,
    /// What was done to the weights beside giving them other names, a sentence each.
    pub notes: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
}

impl Imported {
    /// Writes the checkpoint folder, whole or not at all. A checkpoint that is there is replaced only if
    /// `replace` says so.
    ///
    /// # Errors
    /// Those of [`check_place`]; [`CheckpointError::Write`] if the operating system refuses to write.
    pub fn write(&self, destination: &Path, replace: bool) -> Result<(), ExchangeError> {
        check_place(destination, replace)?;
        Ok(checkpoint::write(destination, &self.files())?)
    }

    /// The files of the checkpoint but for their digests, by name.
    pub fn files(&self) -> Vec<(&str, &[u8])> {
        let files = self.files.iter();
        files.map(|(name, bytes)| (&name[..], &bytes[..])).collect()
    }
}

/// Refuses a place for a checkpoint that isn't free, before any work is done: whatever isn't a checkpoint or an
/// empty folder, and a checkpoint unless it is to be replaced.
///
/// # Errors
/// [`ExchangeError::Foreign`], or [`ExchangeError::Exists`] where `replace` would help.
pub fn check_place(destination: &Path, replace: bool) -> Result<(), ExchangeError> {
    let empty = || fs::read_dir(destination).is_ok_and(|mut entries| entries.next().is_none());
    match Checkpoint::open(destination) {
        Err(CheckpointError::Missing { .. }) => Ok(()),
        Ok(_) if !replace => Err(ExchangeError::Exists {
            path: destination.to_owned(),
        }),
        Ok(_) => Ok(()),
        Err(_) if empty() => Ok(()),
        Err(_) => Err(ExchangeError::Foreign {
            path: destination.to_owned(),
            problem: "something is there that is no whole checkpoint".to_owned(),
        }),
    }
}

/// Makes a checkpoint of the safetensors file `weights` and the file `architecture`, computing on `device`.
///
/// # Errors
/// [`ExchangeError::Invalid`] names the file and each tensor that is missing, unexpected, of another shape or
/// type, or holds what is no number.
pub fn import(
    weights: &Path,
    architecture: &Path,
    device: &Device,
) -> Result<Imported, ExchangeError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| ExchangeError::Read { path, source }
    };
    let described = read_text(architecture)?;
    let described = Architecture::parse(&described, architecture)?;
    // Asked before opening: opening a pipe would wait for a writer.
    let metadata = fs::metadata(weights).map_err(unreadable(weights))?;
    if !metadata.is_file() {
        return Err(invalid(
            weights,
            "not a regular file; name a safetensors file",
        ));
    }
    let unlisted = [check_digest(weights)?, check_digest(architecture)?];
    let file = File::open(weights).map_err(unreadable(weights))?;
    let mut imported = import_from(
        file,
        metadata.len(),
        weights,
        &described,
        architecture,
        device,
    )?;
    imported.notes.extend(unlisted.into_iter().flatten());
    Ok(imported)
}

/// [`import`] of what is already open: `length` bytes of `source`. The paths are named in errors.
///
/// # Errors
/// As [`import`].
pub fn import_from(
    source: impl Read,
    length: u64,
    weights: &Path,
    described: &Architecture,
    architecture: &Path,
    device: &Device,
) -> Result<Imported, ExchangeError> {
    let (mut manifest, found) = read(source, length, weights, described, architecture)?;
    let bad = |problem: String| invalid(weights, &problem);
    manifest.provenance = provenance(weights, &found);
    let mut files = Vec::new();
    for (member, network) in networks(&manifest, &found, weights, device)?
        .into_iter()
        .enumerate()
    {
        let bytes = network
            .into_record()
            .into_bytes()
            .map_err(|error| bad(error.to_string()))?;
        files.push((model_file(member), bytes.to_vec()));
    }
    let json = manifest.to_json().map_err(|error| bad(error.to_string()))?;
    files.insert(0, (MANIFEST.to_owned(), json));
    Ok(Imported {
        manifest,
        notes: found.notes,
        files,
    })
}

/// The networks of a file that is in memory, as [`import_from`] reads it. The paths are named in errors.
///
/// # Errors
/// As [`import`].
pub(crate) fn networks_of(
    file: &[u8],
    weights: &Path,
    described: &Architecture,
    architecture: &Path,
    device: &Device,
) -> Result<Vec<Network>, ExchangeError> {
    let (manifest, found) = read(file, file.len() as u64, weights, described, architecture)?;
    networks(&manifest, &found, weights, device)
}

/// What the architecture says, and the tensors of it that were found.
fn read(
    source: impl Read,
    length: u64,
    weights: &Path,
    described: &Architecture,
    architecture: &Path,
) -> Result<(Manifest, Weights), ExchangeError> {
    let manifest = described.manifest(unknown(), architecture)?;
    let layers = layers_of(&manifest).map_err(|error| invalid(architecture, &error.to_string()))?;
    let bad = |problem: String| invalid(weights, &problem);
    let header = file::header(source, length).map_err(bad)?;
    let names = Names::resolve(&layers, &header.shapes(), &described.names).map_err(bad)?;
    let found = header.body(&names).map_err(bad)?;
    Ok((manifest, found))
}

fn networks(
    manifest: &Manifest,
    found: &Weights,
    weights: &Path,
    device: &Device,
) -> Result<Vec<Network>, ExchangeError> {
    (0..manifest.members)
        .map(|member| network(manifest, member, found, device))
        .collect::<Result<_, _>>()
        .map_err(|problem| invalid(weights, &problem))
}

/// More than any architecture with a thousand names takes.
const TEXT_LIMIT: u64 = 1 << 20;

fn read_text(path: &Path) -> Result<String, ExchangeError> {
    let unreadable = |source| ExchangeError::Read {
        path: path.to_owned(),
        source,
    };
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(invalid(
            path,
            "not a regular file; name an architecture, TOML or config.json",
        ));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(TEXT_LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > TEXT_LIMIT {
        return Err(invalid(path, "more than 1 MiB: that is no architecture"));
    }
    String::from_utf8(bytes)
        .map_err(|_| invalid(path, "not text; name an architecture, TOML or config.json"))
}

fn invalid(path: &Path, problem: &str) -> ExchangeError {
    ExchangeError::Invalid {
        path: path.to_owned(),
        problem: problem.replace(char::is_control, " "),
    }
}

/// The network of a member with the weights that were found.
fn network(
    manifest: &Manifest,
    member: usize,
    found: &Weights,
    device: &Device,
) -> Result<Network, String> {
    let Manifest {
        architecture,
        input,
        classes,
        normalization,
        ..
    } = manifest;
    let device = device.clone().without_autodiff();
    let empty = architecture
        .init(0, *input, classes.len(), &device)
        .map_err(|error| error.to_string())?;
    let mut fill = Fill {
        path: TensorPath::new(prefix(member, manifest.members)),
        found,
        problem: None,
    };
    let network = empty.map(&mut fill);
    if let Some(problem) = fill.problem {
        return Err(problem);
    }
    if !network.is_finite(*input, normalization) {
        return Err("weights that don't give finite numbers for a black or a white image".into());
    }
    Ok(network)
}

struct Fill<'a> {
    path: TensorPath,
    found: &'a Weights,
    problem: Option<String>,
}

impl ModuleMapper for Fill<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.problem.is_some() {
            return param;
        }
        let name = self.path.name();
        let values = match self.found.values(&name) {
            Ok(values) => values,
            Err(problem) => {
                self.problem = Some(problem);
                return param;
            }
        };
        param.map(|tensor| {
            let mut dims = tensor.dims().to_vec();
            dims.reverse();
            let data = TensorData::new(transposed(values, &dims), tensor.dims());
            Tensor::from_data(data, &tensor.device())
        })
    }

    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.leave();
    }
}

/// What is known of somebody's training before their weights are read.
fn unknown() -> Provenance {
    Provenance {
        seed: 0,
        config: json!({}),
        data: DataDigests {
            source: "unknown images".to_owned(),
            train: SplitDigest {
                images: "unknown".to_owned(),
                labels: "unknown".to_owned(),
            },
        },
        backend: "unknown".to_owned(),
        precision: Precision::F32,
        versions: Versions::current(),
    }
}

fn provenance(weights: &Path, found: &Weights) -> Provenance {
    let name = weights.file_name().unwrap_or_default().to_string_lossy();
    let name = name.replace(char::is_control, " ");
    let digest: String = Sha256::digest(&found.body)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut provenance = unknown();
    provenance.data.source = format!("unknown images (weights imported from {name})");
    provenance.config = json!({ "imported": { "file": name, "tensors_sha256": digest } });
    provenance
}
