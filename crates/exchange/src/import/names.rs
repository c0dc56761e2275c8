//! Which tensor of a file is which of the network. In this order:
//!
//! 1. as the table `[names]` says, where there is one: a layer's name or a tensor's;
//! 2. by our own names, where the file has any of them, behind what all names begin with (`module.`);
//! 3. by position, where all layers are numbered, as in an `nn.Sequential` or two (convolutions in one, dense
//!    layers in the other): they have to be the architecture's, kind by kind;
//! 4. by shape, where each layer of the architecture has the shape of exactly one of the file, and where
//!    several are alike by the numbers in their names (`conv2`, `conv3`).
//!
//! What none of these decides is an error.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{Theirs, by_position, by_shape};
use crate::layers::Layer;

/// The shapes of tensors by their names.
pub(super) type Shapes = BTreeMap<String, Vec<usize>>;

/// What the tensors of a network are called in a file that has each of them in its shape, and no other.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By our names.
    pub(super) theirs: BTreeMap<String, String>,
    /// By a running mean, the bias before it that is to be taken from it.
    pub(super) folded: BTreeMap<String, String>,
    pub(super) notes: Vec<String>,
}

impl Names {
    pub(super) fn resolve(
        layers: &[Layer],
        file: &Shapes,
        table: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        check_table(layers, table)?;
        let before = wrapper(layers, file).filter(|_| table.is_empty());
        let ours = |layer: &Layer| format!("{}{}", before.unwrap_or_default(), layer.name);
        let known = |layer: &Layer| {
            let mut tensors = layer.tensors.iter();
            tensors.any(|(leaf, _)| file.contains_key(&format!("{}.{leaf}", ours(layer))))
        };
        let prefixes: Vec<String> = if !table.is_empty() || layers.iter().any(known) {
            let named = |layer: &Layer| table.get(&layer.name).cloned();
            layers
                .iter()
                .map(|layer| named(layer).unwrap_or_else(|| ours(layer)))
                .collect()
        } else {
            let theirs = Theirs::all(file);
            match by_position(layers, &theirs)? {
                Some(prefixes) => prefixes,
                None => by_shape(layers, &theirs)?,
            }
        };
        Self::check(layers, &prefixes, file, table)
    }

    /// Whether the file has each tensor in its shape, and no other.
    fn check(
        layers: &[Layer],
        prefixes: &[String],
        file: &Shapes,
        table: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let mut names = Names::default();
        let (mut missing, mut misshapen, mut used) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (at, (layer, prefix)) in layers.iter().zip(prefixes).enumerate() {
            let mut tensors = layer.tensors.clone();
            let of = |leaf: &str| {
                let ours = format!("{}.{leaf}", layer.name);
                let theirs = table.get(&ours).cloned();
                (ours, theirs.unwrap_or_else(|| joined(prefix, leaf)))
            };
            let (bias, theirs) = of("bias");
            if layer.normalized && file.contains_key(&theirs) {
                let outputs = layer.tensors.iter().map(|(_, shape)| shape[0]).take(1);
                tensors.push(("bias", outputs.collect()));
                if let Some(norm) = layers.get(at + 1) {
                    let mean = format!("{}.running_mean", norm.name);
                    names.folded.insert(mean, bias);
                }
                names.notes.push(format!(
                    "{} stands before a normalization and is taken from its mean, which is the same",
                    quoted(&theirs)
                ));
            }
            for (leaf, shape) in tensors {
                let (ours, theirs) = of(leaf);
                match file.get(&theirs) {
                    None => missing.push(format!("{} {shape:?}", quoted(&theirs))),
                    Some(found) if *found != shape => {
                        let reversed = found.iter().rev().eq(&shape);
                        let hint = if reversed { " (transposed)" } else { "" };
                        let theirs = quoted(&theirs);
                        misshapen.push(format!("{theirs} is {found:?}{hint}, not {shape:?}"));
                    }
                    Some(_) => {}
                }
                if !used.insert(theirs.clone()) {
                    return Err(format!(
                        "{} would be two tensors of the network",
                        quoted(&theirs)
                    ));
                }
                names.theirs.insert(ours, theirs);
            }
        }
        let unexpected: Vec<_> = file
            .iter()
            .filter(|(name, shape)| !used.contains(*name) && !is_counter(name, shape))
            .map(|(name, shape)| format!("{} {shape:?}", quoted(name)))
            .collect();
        let biases = missing.iter().all(|name| name.contains(".bias` "));
        let hint = match (&missing[..], &misshapen[..], &unexpected[..]) {
            ([], [], _) => "; leave out of the file what the network doesn't compute with",
            ([_, ..], _, _) if biases => {
                "; a layer without a bias is one with zeros: add them in Python"
            }
            _ => "",
        };
        let problems = [
            ("missing: ", missing),
            ("of another shape: ", misshapen),
            ("unexpected: ", unexpected),
        ];
        let problems: Vec<_> = problems
            .into_iter()
            .filter(|(_, tensors)| !tensors.is_empty())
            .map(|(what, tensors)| format!("{what}{}", listed(&tensors)))
            .collect();
        match problems.is_empty() {
            true => Ok(names),
            false => Err(format!(
                "its tensors are not those of the architecture; {}{hint}",
                problems.join("; ")
            )),
        }
    }
}

/// PyTorch counts the batches that a normalization has seen, and the networks in an average of weights
/// (`torch.optim.swa_utils.AveragedModel`); nothing is computed with either.
pub(super) fn is_counter(name: &str, shape: &[usize]) -> bool {
    let leaf = name.rsplit('.').next().unwrap_or(name);
    let known = leaf == "num_batches_tracked" || name == "n_averaged";
    known && shape.iter().all(|&size| size == 1)
}

/// What all names begin with where ours come after it: `module.` of a `DataParallel`, `_orig_mod.` of
/// `torch.compile`, or both.
fn wrapper<'a>(layers: &[Layer], file: &'a Shapes) -> Option<&'a str> {
    let last = format!("{}.weight", layers.last()?.name);
    let before = file.keys().find_map(|name| {
        let before = name.strip_suffix(&last)?;
        before.ends_with('.').then_some(before)
    })?;
    let all =
        |(name, shape): (&String, &Vec<usize>)| name.starts_with(before) || is_counter(name, shape);
    file.iter().all(all).then_some(before)
}

fn check_table(layers: &[Layer], table: &BTreeMap<String, String>) -> Result<(), String> {
    let known = |key: &String| {
        layers.iter().any(|layer| {
            let leaf = key.strip_prefix(&layer.name);
            leaf.is_some_and(|leaf| {
                let mut leaves = layer.tensors.iter().map(|(leaf, _)| *leaf);
                let leaf = leaf.strip_prefix('.').ok_or(leaf);
                leaf == Err("")
                    || leaf.is_ok_and(|leaf| {
                        leaves.any(|known| known == leaf) || (leaf == "bias" && layer.normalized)
                    })
            })
        })
    };
    match table.keys().find(|key| !known(key)) {
        None => Ok(()),
        Some(key) => {
            let all: Vec<_> = layers.iter().map(|layer| quoted(&layer.name)).collect();
            Err(format!(
                "the architecture's [names] has {}; its layers are {}",
                quoted(key),
                listed(&all)
            ))
        }
    }
}

fn joined(prefix: &str, leaf: &str) -> String {
    match prefix {
        "" => leaf.to_owned(),
        _ => format!("{prefix}.{leaf}"),
    }
}

/// So many are named in an error: more than any network that is likely to be imported has.
const NAMED: usize = 100;

pub(super) fn listed(items: &[String]) -> String {
    let named = items[..items.len().min(NAMED)].join(", ");
    match items.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// A name from a file, in an error of one line.
pub(super) fn quoted(name: &str) -> String {
    let short: String = name.chars().take(100).collect();
    format!("`{}`", short.escape_debug())
}
