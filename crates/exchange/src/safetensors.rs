//! The weights of a checkpoint as PyTorch has them, in a safetensors file.
//!
//! Names are those of the network that [`network_py`](crate::network_py()) writes. What differs from
//! Burn: a dense layer's weights are `[out, in]`, Burn's are `[in, out]`; `gamma` and `beta` of a
//! normalization are `weight` and `bias`. Running mean and variance are the same numbers: Burn gathers the
//! variance of a batch divided by n and PyTorch by n - 1, which matters to further training alone.
//! `num_batches_tracked` is 0: Burn doesn't count, and PyTorch reads it only without a momentum.

use std::collections::HashMap;

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use model::{
    Network,
    checkpoint::{Checkpoint, model_file},
};
use safetensors::{Dtype, View, serialize};

use crate::ExchangeError;
use crate::layers::prefix;

/// The file's usual name.
pub const MODEL_SAFETENSORS: &str = "model.safetensors";

/// The content of a safetensors file with all weights and running statistics of a checkpoint's networks.
/// With several of them, the names of each begin with `members.0.`, `members.1.`, …
///
/// # Errors
/// [`ExchangeError::Checkpoint`] if the weights don't fit the architecture.
pub fn safetensors(
    checkpoint: &Checkpoint,
    networks: &[Network],
) -> Result<Vec<u8>, ExchangeError> {
    let mut tensors = Vec::new();
    for (member, network) in networks.iter().enumerate() {
        let mut visitor = Collect {
            path: Path::new(prefix(member, networks.len())),
            tensors: Vec::new(),
        };
        network.visit(&mut visitor);
        tensors.append(&mut visitor.tensors);
    }
    // What tells Python's libraries that names and layouts are PyTorch's.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    serialize(tensors, Some(metadata)).map_err(|error| ExchangeError::Invalid {
        path: checkpoint.path().join(model_file(0)),
        problem: format!("its weights make no safetensors file: {error}"),
    })
}

/// The way to a tensor of a network, as PyTorch names it.
pub(crate) struct Path {
    prefix: String,
    parts: Vec<String>,
}

impl Path {
    pub(crate) fn new(prefix: String) -> Self {
        Path {
            prefix,
            parts: Vec::new(),
        }
    }

    pub(crate) fn enter(&mut self, part: &str) {
        self.parts.push(part.to_owned());
    }

    pub(crate) fn leave(&mut self) {
        self.parts.pop();
    }

    /// Such as `blocks.0.norm.weight`.
    pub(crate) fn name(&self) -> String {
        let Some((leaf, layer)) = self.parts.split_last() else {
            return String::new();
        };
        let leaf = match &leaf[..] {
            "gamma" => "weight",
            "beta" => "bias",
            leaf => leaf,
        };
        format!("{}{}.{leaf}", self.prefix, layer.join("."))
    }
}

/// The columns of a matrix as its rows; anything else as it is.
pub(crate) fn transposed(values: Vec<f32>, dims: &[usize]) -> Vec<f32> {
    let [rows, columns] = *dims else {
        return values;
    };
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| row * columns + column))
        .map(|at| values[at])
        .collect()
}

struct Collect {
    path: Path,
    tensors: Vec<(String, Stored)>,
}

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let mut shape = tensor.dims().to_vec();
        let values = tensor.into_data().iter::<f32>().collect();
        let values = transposed(values, &shape);
        if D == 2 {
            shape.reverse();
        }
        let name = self.path.name();
        if let Some(layer) = name.strip_suffix("running_var") {
            let counter = Stored {
                dtype: Dtype::I64,
                shape: Vec::new(),
                bytes: vec![0; 8],
            };
            self.tensors
                .push((format!("{layer}num_batches_tracked"), counter));
        }
        let tensor = Stored {
            dtype: Dtype::F32,
            shape,
            bytes: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        };
        self.tensors.push((name, tensor));
    }

    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.leave();
    }
}

struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        (&self.bytes[..]).into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
