//! A folder as people expect one from the Hugging Face Hub: a model card, `config.json`, the weights for
//! PyTorch and the network that takes them, and the checkpoint itself.

mod card;

use model::{Network, checkpoint::Checkpoint};

use crate::{
    Architecture, CONFIG_JSON, ExchangeError, MODEL_SAFETENSORS, NETWORK_PY, check,
    layers::all_known, network_py, safetensors,
};

/// The model card's name.
pub const README: &str = "README.md";
/// The folder in which the checkpoint itself is.
pub const CHECKPOINT: &str = "checkpoint";

/// What a checkpoint doesn't say and a model card has.
#[derive(Clone, Debug)]
pub struct Card<'a> {
    /// What the model is called.
    pub name: &'a str,
    /// Its licence, as the Hub abbreviates it: `mit`, `apache-2.0`, …
    pub license: &'a str,
    /// The data set of its training, as the Hub names it; MNIST is known.
    pub dataset: Option<&'a str>,
    /// Whether there is a `model.onnx`.
    pub onnx: bool,
}

/// The files for PyTorch: weights, network, and what `digits import` needs to take weights back. Before they are
/// returned they are taken back, and a few images give the same logits.
///
/// # Errors
/// If the checkpoint makes no sense: one that was loaded does; or if what was taken back answers otherwise.
pub fn pytorch(
    checkpoint: &Checkpoint,
    networks: &[Network],
) -> Result<Vec<(String, Vec<u8>)>, ExchangeError> {
    all_known(checkpoint)?;
    let manifest = checkpoint.manifest();
    let invalid = |problem: String| ExchangeError::Invalid {
        path: checkpoint.path().to_owned(),
        problem,
    };
    let network = network_py(manifest).map_err(|error| invalid(error.to_string()))?;
    let config = Architecture::of(manifest).to_json();
    let config = config.map_err(|error| invalid(error.to_string()))?;
    let weights = safetensors(checkpoint, networks)?;
    check::pytorch(&weights, &config, manifest, networks)?;
    Ok(vec![
        (MODEL_SAFETENSORS.to_owned(), weights),
        (NETWORK_PY.to_owned(), network.into_bytes()),
        (CONFIG_JSON.to_owned(), config),
    ])
}

/// The files of a hub folder but for `model.onnx`: those of [`pytorch`], the model card, and the checkpoint in
/// a folder of its own.
///
/// # Errors
/// As [`pytorch`].
pub fn folder(
    checkpoint: &Checkpoint,
    networks: &[Network],
    card: &Card,
) -> Result<Vec<(String, Vec<u8>)>, ExchangeError> {
    let mut files = pytorch(checkpoint, networks)?;
    let text = card::text(checkpoint.manifest(), card);
    files.insert(0, (README.to_owned(), text.into_bytes()));
    for (name, _) in checkpoint.files() {
        let bytes = checkpoint.file(name).unwrap_or_default().to_vec();
        files.push((format!("{CHECKPOINT}/{name}"), bytes));
    }
    Ok(files)
}
