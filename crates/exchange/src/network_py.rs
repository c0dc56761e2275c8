//! The network of a checkpoint as a few lines of Python.

use std::fmt::Write as _;

use model::{Manifest, Order};

/// The file's usual name.
pub const NETWORK_PY: &str = "network.py";

/// A Python module that builds the network of a checkpoint in PyTorch, loads the weights that
/// [`safetensors`](crate::safetensors()) writes, and turns bytes of images into logits: of one view of an
/// image, without the calibration. At most 40 lines where there is one network.
///
/// # Errors
/// If the architecture can't be built: that of a checkpoint has been checked.
pub fn network_py(manifest: &Manifest) -> Result<String, model::ConfigError> {
    let shapes = manifest.shapes()?;
    let config = &manifest.architecture;
    let input = manifest.input;
    let blocks = config.blocks.iter().zip(&shapes.blocks);
    let blocks: Vec<_> = blocks
        .map(|(block, shape)| {
            let pool = if block.pool { "True" } else { "False" };
            let inputs = shape.input[0];
            let (outputs, kernel, padding) = (block.channels, block.kernel, block.padding);
            format!("({inputs}, {outputs}, {kernel}, {padding}, {pool})")
        })
        .collect();
    let dense = shapes.dense.windows(2);
    let dense: Vec<_> = dense
        .map(|ends| format!("({}, {})", ends[0], ends[1]))
        .collect();
    let bias = if config.norm { "False" } else { "True" };
    let norm = |rank: usize| match config.norm {
        true => format!("norm=nn.BatchNorm{rank}d(outputs), "),
        false => String::new(),
    };
    let parts = match config.order {
        Order::ConvNormReluPool => format!("conv=conv, {}relu=nn.ReLU(), pool=pool", norm(2)),
        Order::ConvPoolNormRelu => format!("conv=conv, pool=pool, {}relu=nn.ReLU()", norm(2)),
    };
    let dropout = |x: &str| match config.dropout > 0.0 {
        true => format!(
            "nn.functional.dropout({x}, {:?}, self.training)",
            config.dropout
        ),
        false => x.to_owned(),
    };
    let drop = match config.dropout > 0.0 {
        true => format!("drop=nn.Dropout({:?}), ", config.dropout),
        false => String::new(),
    };
    let (mean, std) = (&manifest.normalization.mean, &manifest.normalization.std);
    let features = shapes.dense.last().copied().unwrap_or_default();
    let (channels, height, width) = (input.channels, input.height, input.width);
    let classes = shapes.classes;
    let (class, committee) = match manifest.members {
        1 => ("Network", String::new()),
        members => ("Committee", committee(members)),
    };
    let mut text = String::new();
    // Writing to a string doesn't fail.
    let _ = write!(
        text,
        r#""""Bytes [batch, {channels}, {height}, {width}] to logits [batch, {classes}]: one view, not calibrated."""
from collections import OrderedDict

import torch
from safetensors.torch import load_file
from torch import nn

MEAN, STD = {mean:?}, {std:?}  # of byte / 255, by channel
BLOCKS = [{blocks}]  # in, out, kernel, padding, pool
DENSE = [{dense}]  # in, out


def block(inputs, outputs, kernel, padding, pool):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=padding, bias={bias})
    pool = nn.MaxPool2d(2) if pool else nn.Identity()
    return nn.Sequential(OrderedDict({parts}))


def dense(inputs, outputs):
    linear = nn.Linear(inputs, outputs, bias={bias})
    return nn.Sequential(OrderedDict({drop}linear=linear, {norm}relu=nn.ReLU()))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(*(block(*sizes) for sizes in BLOCKS))
        self.dense = nn.Sequential(*(dense(*sizes) for sizes in DENSE))
        self.output = nn.Linear({features}, {classes})

    def forward(self, images):
        mean, std = torch.tensor([MEAN, STD], device=images.device)[:, :, None, None]
        x = self.dense(self.blocks((images.float() / 255 - mean) / std).flatten(1))
        return self.output({last})


{committee}def load(file="model.safetensors"):
    network = {class}()
    network.load_state_dict(load_file(file), strict=True)
    return network.eval()
"#,
        blocks = blocks.join(", "),
        dense = dense.join(", "),
        norm = norm(1),
        last = dropout("x"),
    );
    Ok(text)
}

/// What several networks say together, as [`evaluation::combine`] has it.
fn committee(members: usize) -> String {
    format!(
        r#"class Committee(nn.Module):
    """The logarithms of the mean of the members' probabilities, and the mean of their energies."""

    def __init__(self):
        super().__init__()
        self.members = nn.ModuleList(Network() for _ in range({members}))

    def forward(self, images):
        rows = torch.stack([network(images) for network in self.members])
        sums = rows.logsumexp(2, keepdim=True)
        count = torch.tensor(float(len(rows)), device=images.device)
        return (rows - sums).logsumexp(0) - count.log() + sums.mean(0)


"#
    )
}
