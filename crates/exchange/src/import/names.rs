//! Which tensor of a file is which of the network. In this order:
//!
//! 1. as the table `[names]` says, where there is one: a layer's name or a tensor's;
//! 2. by our own names, where the file has any of them;
//! 3. by position, where all layers are numbered, as in an `nn.Sequential` or two (convolutions in one, dense
//!    layers in the other), and are the architecture's, kind by kind;
//! 4. by shape, where each layer of the architecture has the shape of exactly one of the file.
//!
//! What none of these decides is an error.

use std::collections::{BTreeMap, BTreeSet};

use crate::layers::{Kind, Layer};

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
        let ours = |layer: &Layer| layer.name.clone();
        let known = |layer: &Layer| {
            let mut tensors = layer.tensors.iter();
            tensors.any(|(leaf, _)| file.contains_key(&format!("{}.{leaf}", layer.name)))
        };
        let prefixes: Vec<String> = if !table.is_empty() || layers.iter().any(known) {
            let named = |layer: &Layer| table.get(&layer.name).cloned();
            layers
                .iter()
                .map(|layer| named(layer).unwrap_or_else(|| ours(layer)))
                .collect()
        } else {
            let theirs = Theirs::all(file);
            match by_position(layers, &theirs) {
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
                "its tensors are not those of the architecture; {}",
                problems.join("; ")
            )),
        }
    }
}

/// PyTorch counts the batches that a normalization has seen; nothing is computed with it.
fn is_counter(name: &str, shape: &[usize]) -> bool {
    let leaf = name.rsplit('.').next().unwrap_or(name);
    leaf == "num_batches_tracked" && shape.iter().all(|&size| size == 1)
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

/// A layer of a file.
struct Theirs<'a> {
    /// What the names of its tensors begin with.
    prefix: &'a str,
    kind: Option<Kind>,
    weight: &'a [usize],
}

impl<'a> Theirs<'a> {
    fn all(file: &'a Shapes) -> Vec<Self> {
        let mut layers: BTreeMap<&str, BTreeMap<&str, &[usize]>> = BTreeMap::new();
        for (name, shape) in file {
            let (prefix, leaf) = name.rsplit_once('.').unwrap_or(("", name));
            layers.entry(prefix).or_default().insert(leaf, shape);
        }
        let layers = layers.into_iter();
        layers
            .map(|(prefix, tensors)| {
                let weight = tensors.get("weight").copied().unwrap_or_default();
                let kind = match weight.len() {
                    _ if tensors.contains_key("running_mean") => Some(Kind::Norm),
                    2 => Some(Kind::Dense),
                    4 => Some(Kind::Convolution),
                    _ => None,
                };
                Theirs {
                    prefix,
                    kind,
                    weight,
                }
            })
            .collect()
    }

    /// What it is in, and its place there.
    fn place(&self) -> Option<(&'a str, u64)> {
        let (parent, number) = self.prefix.rsplit_once('.').unwrap_or(("", self.prefix));
        Some((parent, number.parse().ok()?))
    }
}

/// The file's names of the layers, where their numbers tell.
fn by_position(layers: &[Layer], theirs: &[Theirs]) -> Option<Vec<String>> {
    let mut places = Vec::with_capacity(theirs.len());
    for layer in theirs {
        let (parent, number) = layer.place()?;
        places.push((parent, number, layer.kind?, layer.prefix));
    }
    let with = |kind| {
        let of_kind = places.iter().filter(move |(_, _, found, _)| *found == kind);
        of_kind.map(|(parent, ..)| *parent).collect::<BTreeSet<_>>()
    };
    let [convolutions, dense] = [with(Kind::Convolution), with(Kind::Dense)];
    let parents: BTreeSet<_> = places.iter().map(|(parent, ..)| *parent).collect();
    let in_two = convolutions.len() == 1 && dense.len() == 1 && parents.len() == 2;
    if parents.len() != 1 && !(in_two && convolutions != dense) {
        return None;
    }
    places.sort_by_key(|&(parent, number, ..)| (dense.contains(parent), number));
    let kinds = places.iter().map(|(_, _, kind, _)| *kind);
    let distinct = places
        .windows(2)
        .all(|pair| (pair[0].0, pair[0].1) != (pair[1].0, pair[1].1));
    (distinct && kinds.eq(layers.iter().map(|layer| layer.kind))).then(|| {
        let prefixes = places.iter().map(|(.., prefix)| (*prefix).to_owned());
        prefixes.collect()
    })
}

/// The file's names of the layers, where their shapes tell.
fn by_shape(layers: &[Layer], theirs: &[Theirs]) -> Result<Vec<String>, String> {
    let mut prefixes = Vec::with_capacity(layers.len());
    let mut open = Vec::new();
    for layer in layers {
        let shape = layer.tensors.first().map(|(_, shape)| &shape[..]);
        let shape = shape.unwrap_or_default();
        let fits = |found: &&Theirs| found.kind == Some(layer.kind) && found.weight == shape;
        let fitting: Vec<_> = theirs.iter().filter(fits).collect();
        match fitting[..] {
            [only] => prefixes.push(only.prefix.to_owned()),
            [] => open.push(format!("none is a {} {shape:?}", layer.kind.name())),
            _ => {
                let several: Vec<_> = fitting.iter().map(|found| quoted(found.prefix)).collect();
                open.push(format!(
                    "{} are {} {shape:?}",
                    listed(&several),
                    layer.kind.name()
                ));
            }
        }
    }
    open.sort();
    open.dedup();
    // Two layers that are alike have found the same one.
    let found: BTreeSet<_> = prefixes.iter().collect();
    if open.is_empty() && found.len() == layers.len() {
        return Ok(prefixes);
    }
    if open.is_empty() {
        open.push("layers of the network are alike".to_owned());
    }
    let all: Vec<_> = theirs.iter().map(|found| quoted(found.prefix)).collect();
    Err(format!(
        "nothing tells which layer of the file is which: it has {}, of which {}; say so under [names] in the \
         architecture, or correct its layers",
        listed(&all),
        listed(&open)
    ))
}

fn joined(prefix: &str, leaf: &str) -> String {
    match prefix {
        "" => leaf.to_owned(),
        _ => format!("{prefix}.{leaf}"),
    }
}

/// So many are named in an error: more than any network that is likely to be imported has.
const NAMED: usize = 100;

fn listed(items: &[String]) -> String {
    let named = items[..items.len().min(NAMED)].join(", ");
    match items.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// A name from a file, in an error of one line.
fn quoted(name: &str) -> String {
    let short: String = name.chars().take(100).collect();
    format!("`{}`", short.escape_debug())
}
