//! The file of a sweep: a strict table of runs.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use crate::{keys::meant, recipe};

/// No sweep has more runs.
const MOST_RUNS: usize = 10_000;
/// No name has more bytes: with what is added to it, it has to be the name of a file.
const LONGEST_NAME: usize = 100;
/// The integers of TOML are signed.
const LARGEST_SEED: u64 = i64::MAX as u64;

/// A table of runs.
#[derive(Debug)]
pub(super) struct Table {
    /// What it is called.
    pub(super) name: String,
    /// Where its runs go, if it says so.
    pub(super) folder: Option<PathBuf>,
    /// The backend of all runs, if it names one.
    pub(super) backend: Option<String>,
    /// At least one.
    pub(super) groups: Vec<Group>,
}

/// Runs that differ in nothing but their seed.
#[derive(Debug)]
pub(super) struct Group {
    /// A file name, and no other group's.
    pub(super) name: String,
    /// The recipe as the file has it; none is the default recipe.
    pub(super) named: Option<PathBuf>,
    /// The same by a path that holds from here.
    pub(super) recipe: Option<PathBuf>,
    /// Changes to it: those of all groups, then its own.
    pub(super) set: Vec<String>,
    /// At least one, each once.
    pub(super) seeds: Vec<u64>,
}

/// [`Table`] as it is typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedTable {
    folder: Option<PathBuf>,
    backend: Option<String>,
    #[serde(default)]
    set: Vec<String>,
    runs: Vec<TypedGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedGroup {
    name: Option<String>,
    recipe: Option<PathBuf>,
    #[serde(default)]
    set: Vec<String>,
    seeds: Seeds,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "seeds are [0, 1, 2] or { first = 0, count = 20 }, of whole numbers from 0"
)]
enum Seeds {
    Listed(Vec<u64>),
    Counted(Counted),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    #[serde(default)]
    first: u64,
    count: u64,
}

impl Table {
    /// Reads the file of a sweep.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = recipe::read(file).context("can't read the table of runs")?;
        let TypedTable {
            folder,
            backend,
            set,
            runs: typed,
        } = toml::from_str(&text).map_err(|error| anyhow::anyhow!(explained(&error, &text)))?;
        ensure!(!typed.is_empty(), "there are no runs: add a table [[runs]]");
        let near = file.parent().unwrap_or(Path::new(""));
        let mut groups: Vec<Group> = Vec::with_capacity(typed.len());
        let mut runs = 0;
        for (number, typed) in (1..).zip(typed) {
            let group = Group::new(typed, near, &set).with_context(|| place(number))?;
            // Some file systems take letters of either case for the same.
            let same = |other: &&Group| other.name.to_lowercase() == group.name.to_lowercase();
            if groups.iter().any(|other| same(&other)) {
                bail!(
                    "{}, name: there is another group `{}`; give each a `name` of its own",
                    place(number),
                    group.name
                );
            }
            runs += group.seeds.len();
            groups.push(group);
        }
        ensure!(
            runs <= MOST_RUNS,
            "{runs} runs are more than {MOST_RUNS}; divide them among several files"
        );
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Table {
            name: name.into_owned(),
            folder,
            backend,
            groups,
        })
    }
}

impl Group {
    fn new(typed: TypedGroup, near: &Path, all: &[String]) -> anyhow::Result<Self> {
        let stem = typed.recipe.as_deref().and_then(Path::file_stem);
        let name = match (typed.name, stem) {
            (Some(name), _) => name,
            (None, Some(stem)) => stem.to_string_lossy().into_owned(),
            (None, None) => "default".to_owned(),
        };
        check_name(&name).map_err(|problem| anyhow::anyhow!("name: `{name}` {problem}"))?;
        let set: Vec<String> = all.iter().chain(&typed.set).cloned().collect();
        let is_seed = |change: &String| change.split('=').next().map(str::trim) == Some("seed");
        ensure!(
            !set.iter().any(is_seed),
            "set: the seed is what `seeds` says"
        );
        Ok(Group {
            name,
            recipe: typed.recipe.as_ref().map(|recipe| near.join(recipe)),
            named: typed.recipe,
            set,
            seeds: typed.seeds.all()?,
        })
    }
}

impl Seeds {
    fn all(self) -> anyhow::Result<Vec<u64>> {
        let seeds = match self {
            Seeds::Listed(seeds) => seeds,
            Seeds::Counted(Counted { first, count }) => {
                ensure!(
                    count <= MOST_RUNS as u64,
                    "seeds: more than {MOST_RUNS} runs; divide them among several files"
                );
                (0..count).map(|n| first.saturating_add(n)).collect()
            }
        };
        ensure!(!seeds.is_empty(), "seeds: there is none");
        let mut seen = HashSet::new();
        for seed in &seeds {
            ensure!(
                *seed <= LARGEST_SEED,
                "seeds: {seed} is larger than {LARGEST_SEED}"
            );
            ensure!(seen.insert(seed), "seeds: {seed} is there twice");
        }
        Ok(seeds)
    }
}

/// Which group it is, as people count.
pub(super) fn place(number: usize) -> String {
    format!("[[runs]] {number}")
}

/// The names of runs are names of folders.
fn check_name(name: &str) -> Result<(), String> {
    let forbidden = |c: char| c.is_control() || ['/', '\\'].contains(&c);
    if name.is_empty() || name.starts_with(['.', '-']) || name.contains(forbidden) {
        return Err(
            "is no plain file name: no slashes, and no dot or dash at its beginning".into(),
        );
    }
    match name.len() {
        0..=LONGEST_NAME => Ok(()),
        _ => Err(format!("is longer than {LONGEST_NAME} bytes")),
    }
}

/// One line: where and what, and what a key of a recipe is doing here.
fn explained(error: &toml::de::Error, text: &str) -> String {
    let placed = recipe::placed(error, text);
    let mut quoted = error.message().split('`').skip(1);
    let unknown = quoted
        .next()
        .filter(|_| error.message().starts_with("unknown field"));
    match unknown.and_then(meant) {
        Some(key) => format!("{placed}; a recipe is changed by set = [\"{key}=…\"]"),
        None => placed,
    }
}
