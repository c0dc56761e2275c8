//! Which layer of a file is which of the network, where names say nothing: by position and by shape.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{Shapes, is_counter, listed, quoted};
use crate::layers::{Kind, Layer};

/// A layer of a file.
pub(super) struct Theirs<'a> {
    /// What the names of its tensors begin with.
    prefix: &'a str,
    kind: Option<Kind>,
    weight: &'a [usize],
}

impl<'a> Theirs<'a> {
    pub(super) fn all(file: &'a Shapes) -> Vec<Self> {
        let mut layers: BTreeMap<&str, BTreeMap<&str, &[usize]>> = BTreeMap::new();
        for (name, shape) in file {
            if is_counter(name, shape) {
                continue;
            }
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

    /// Its name, what it is and its shape, for errors.
    fn told(&self) -> String {
        let kind = self.kind.map_or("unknown", Kind::name);
        format!("{} {kind} {:?}", quoted(self.prefix), self.weight)
    }

    /// What it is in, and its place there.
    fn place(&self) -> Option<(&'a str, u64)> {
        let (parent, number) = self.prefix.rsplit_once('.').unwrap_or(("", self.prefix));
        Some((parent, number.parse().ok()?))
    }
}

/// The file's names of the layers, where their numbers tell;
/// none where they aren't numbered.
///
/// # Errors
/// If they are numbered, and others than those of the architecture.
pub(super) fn by_position(
    layers: &[Layer],
    theirs: &[Theirs],
) -> Result<Option<Vec<String>>, String> {
    let Some(places) = places(theirs) else {
        return Ok(None);
    };
    let kinds = places.iter().map(|layer| layer.kind);
    if kinds.eq(layers.iter().map(|layer| Some(layer.kind))) {
        let prefixes = places.iter().map(|layer| layer.prefix.to_owned());
        return Ok(Some(prefixes.collect()));
    }
    let found: Vec<_> = places.iter().map(|layer| layer.told()).collect();
    let wanted: Vec<_> = layers.iter().map(told).collect();
    Err(format!(
        "its numbered layers are not those of the architecture, in their order: the file has {}; the architecture \
         has {}; correct the architecture, or say under [names] which layer is which",
        listed(&found),
        listed(&wanted)
    ))
}

/// The layers of a file in the order of their numbers; none where not all have one in one or two containers.
fn places<'a>(theirs: &'a [Theirs<'a>]) -> Option<Vec<&'a Theirs<'a>>> {
    let mut places = Vec::with_capacity(theirs.len());
    for layer in theirs {
        let (parent, number) = layer.place()?;
        places.push((parent, number, layer.kind?, layer));
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
    let distinct = places
        .windows(2)
        .all(|pair| (pair[0].0, pair[0].1) != (pair[1].0, pair[1].1));
    distinct.then(|| places.into_iter().map(|(.., layer)| layer).collect())
}

/// A layer of the architecture, for errors.
fn told(layer: &Layer) -> String {
    format!("{} {:?}", layer.kind.name(), weight(layer))
}

/// The shape of a layer's weights.
fn weight(layer: &Layer) -> &[usize] {
    layer.tensors.first().map_or(&[], |(_, shape)| shape)
}

/// The file's names of the layers, where their shapes tell, and among alike ones the numbers in
/// their names.
///
/// # Errors
/// Names what is open.
pub(super) fn by_shape(layers: &[Layer], theirs: &[Theirs]) -> Result<Vec<String>, String> {
    let mut prefixes = Vec::with_capacity(layers.len());
    let mut open = Vec::new();
    for (at, layer) in layers.iter().enumerate() {
        let alike = |other: &&Layer| other.kind == layer.kind && weight(other) == weight(layer);
        let wanted = layers.iter().filter(alike).count();
        let fits =
            |found: &&Theirs| found.kind == Some(layer.kind) && found.weight == weight(layer);
        let fitting: Vec<_> = theirs
            .iter()
            .filter(fits)
            .map(|found| found.prefix)
            .collect();
        match (&fitting[..], in_order(&fitting)) {
            ([only], _) => prefixes.push((*only).to_owned()),
            ([], _) => open.push(format!("none is a {}", told(layer))),
            (_, Some(ordered)) if ordered.len() == wanted => {
                let place = layers[..at].iter().filter(alike).count();
                prefixes.extend(ordered.get(place).map(|prefix| (*prefix).to_owned()));
            }
            _ => {
                let several: Vec<_> = fitting.iter().map(|prefix| quoted(prefix)).collect();
                open.push(format!("{} are {}", listed(&several), told(layer)));
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

/// Names in the order of the numbers in them, where they differ in nothing else: `conv2`, `conv10`; `layer1.0`,
/// `layer2.0`.
fn in_order<'a>(names: &[&'a str]) -> Option<Vec<&'a str>> {
    let mut numbered = Vec::with_capacity(names.len());
    for name in names {
        numbered.push((numbers(name)?, *name));
    }
    numbered.sort();
    let same = |pair: &[((Vec<u64>, String), &str)]| {
        let [(one, _), (other, _)] = pair else {
            return false;
        };
        one.1 == other.1 && one.0 != other.0
    };
    let told = numbered.windows(2).all(same);
    told.then(|| numbered.into_iter().map(|(_, name)| name).collect())
}

/// The numbers in a name, and what it is without them.
fn numbers(name: &str) -> Option<(Vec<u64>, String)> {
    let (mut found, mut text, mut digits) = (Vec::new(), String::new(), String::new());
    for letter in name.chars().chain(['\0']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        if !digits.is_empty() {
            found.push(digits.parse().ok()?);
            digits.clear();
            text.push('\0');
        }
        text.push(letter);
    }
    Some((found, text))
}
