//! The layers of a network by the names that they have in PyTorch, with the shapes of their tensors there.

use model::{BlockConfig, ConfigError, Manifest, NetworkConfig, Shapes, checkpoint::Checkpoint};

use crate::ExchangeError;

/// What a layer with weights computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Convolution,
    Norm,
    Dense,
}

impl Kind {
    /// In words, for errors.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Convolution => "convolution",
            Kind::Norm => "normalization",
            Kind::Dense => "dense",
        }
    }
}

/// A layer with weights.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Such as `blocks.0.conv`.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The last part of each tensor's name, and its shape in PyTorch: `[out, in, height, width]` for a
    /// convolution, `[out, in]` for a dense layer (Burn has `[in, out]`), `[channels]` for all others.
    pub(crate) tensors: Vec<(&'static str, Vec<usize>)>,
    /// Whether a normalization follows. A bias before it would be one with its mean, so that there is none.
    pub(crate) normalized: bool,
}

/// Refuses to write a network that would come without a part of it: somebody gave blocks another field, which
/// no export knows yet.
///
/// # Errors
/// [`ExchangeError::Invalid`] with the first such block.
pub(crate) fn all_known(checkpoint: &Checkpoint) -> Result<(), ExchangeError> {
    // All fields are named below, until there are others.
    #[allow(clippy::needless_update)]
    let written = |block: &BlockConfig| BlockConfig {
        channels: block.channels,
        kernel: block.kernel,
        padding: block.padding,
        pool: block.pool,
        ..BlockConfig::default()
    };
    let blocks = &checkpoint.manifest().architecture.blocks;
    match blocks.iter().position(|block| *block != written(block)) {
        None => Ok(()),
        Some(at) => Err(ExchangeError::Invalid {
            path: checkpoint.path().to_owned(),
            problem: format!(
                "network.blocks[{at}] has a part that an export would leave out; teach it to onnx/network.rs and \
                 network_py.rs in crates/exchange/src, then to layers.rs there"
            ),
        }),
    }
}

/// The layers of all networks of a checkpoint, in the order in which they compute.
///
/// # Errors
/// If the architecture can't be built.
pub(crate) fn layers_of(manifest: &Manifest) -> Result<Vec<Layer>, ConfigError> {
    let one = layers(&manifest.architecture, &manifest.shapes()?);
    let members = 0..manifest.members;
    Ok(members
        .flat_map(|member| {
            let prefix = prefix(member, manifest.members);
            one.iter().cloned().map(move |layer| Layer {
                name: format!("{prefix}{}", layer.name),
                ..layer
            })
        })
        .collect())
}

/// What the names of a member's tensors begin with: nothing where it is the only one.
pub(crate) fn prefix(member: usize, members: usize) -> String {
    match members {
        1 => String::new(),
        _ => format!("members.{member}."),
    }
}

fn layers(config: &NetworkConfig, shapes: &Shapes) -> Vec<Layer> {
    let mut layers = Vec::new();
    for (at, (block, shape)) in config.blocks.iter().zip(&shapes.blocks).enumerate() {
        let (inputs, outputs, side) = (shape.input[0], block.channels, block.kernel);
        let weight = vec![outputs, inputs, side, side];
        let name = format!("blocks.{at}");
        push(&mut layers, &name, "conv", weight, config.norm);
    }
    for (at, ends) in shapes.dense.windows(2).enumerate() {
        let name = format!("dense.{at}");
        let weight = vec![ends[1], ends[0]];
        push(&mut layers, &name, "linear", weight, config.norm);
    }
    let features = shapes.dense.last().copied().unwrap_or_default();
    layers.push(weighted(
        "output".to_owned(),
        vec![shapes.classes, features],
        false,
    ));
    layers
}

/// A layer, and the normalization that may follow it.
fn push(layers: &mut Vec<Layer>, name: &str, part: &str, weight: Vec<usize>, normalized: bool) {
    let outputs = weight[0];
    layers.push(weighted(format!("{name}.{part}"), weight, normalized));
    if normalized {
        let tensors = ["weight", "bias", "running_mean", "running_var"];
        layers.push(Layer {
            name: format!("{name}.norm"),
            kind: Kind::Norm,
            tensors: tensors.map(|leaf| (leaf, vec![outputs])).to_vec(),
            normalized: false,
        });
    }
}

fn weighted(name: String, weight: Vec<usize>, normalized: bool) -> Layer {
    let kind = match weight.len() {
        2 => Kind::Dense,
        _ => Kind::Convolution,
    };
    let bias = (!normalized).then(|| ("bias", vec![weight[0]]));
    let tensors = [("weight", weight)].into_iter().chain(bias).collect();
    Layer {
        name,
        kind,
        tensors,
        normalized,
    }
}
