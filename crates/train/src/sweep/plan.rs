//! A sweep as meant: every run with its recipe, checked before any of them begins.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use model::{Backend, checkpoint};
use report::sweep::{Asked, Difference};
use runs::{Layout, SweepLayout};

use super::{
    SweepArgs, differences,
    file::{Group, Table, place},
};
use crate::{
    Args, Config, Failure, failure::usage, paths::behind_links, precision, resolve::recipe,
};

/// Where sweeps go.
const ARTIFACTS: &str = "artifacts";

/// Runs that are to be made, each once.
pub(super) struct Plan {
    /// What the sweep is called.
    pub(super) name: String,
    pub(super) layout: SweepLayout,
    /// The groups as the page shows them.
    pub(super) groups: Vec<Asked>,
    /// The keys on which the recipes of the groups differ.
    pub(super) differing: Vec<Difference>,
    /// In the order of the file.
    pub(super) runs: Vec<Planned>,
}

/// A run that is to be made.
pub(super) struct Planned {
    /// The name of its folder.
    pub(super) name: String,
    pub(super) group: String,
    pub(super) seed: u64,
    /// Its folder.
    pub(super) layout: Layout,
    /// The recipe that it has to have.
    pub(super) config: Config,
    /// What `train` is asked to begin it with.
    pub(super) begin: Vec<OsString>,
}

impl Plan {
    /// Reads the file of a sweep and resolves the recipe of every run.
    pub(super) fn new(args: &SweepArgs) -> Result<Self, Failure> {
        let in_file = || args.file.display().to_string();
        let table = Table::read(&args.file)
            .with_context(in_file)
            .map_err(usage)?;
        let folder = args.folder.clone().or_else(|| table.folder.clone());
        let folder = folder.unwrap_or_else(|| Path::new(ARTIFACTS).join(&table.name));
        let layout = SweepLayout::new(free(&folder)?);
        let mut plan = Plan {
            name: table.name.clone(),
            layout,
            groups: Vec::with_capacity(table.groups.len()),
            differing: Vec::new(),
            runs: Vec::new(),
        };
        let mut recipes = Vec::with_capacity(table.groups.len());
        for (number, group) in (1..).zip(&table.groups) {
            let first = plan.runs.len();
            let planned = plan.add(group, table.backend.as_deref());
            planned.map_err(|failure| {
                let place = format!("{}: {} ({})", in_file(), place(number), group.name);
                usage(failure.error.context(place))
            })?;
            recipes.push(differences::values(&plan.runs[first].config)?);
        }
        plan.differing = differences::among(&recipes);
        Ok(plan)
    }

    /// Adds the runs of a group, of which there is at least one.
    fn add(&mut self, group: &Group, backend: Option<&str>) -> Result<(), Failure> {
        for &seed in &group.seeds {
            let name = SweepLayout::name(&group.name, seed);
            let layout = self.layout.run(&name);
            let config = recipe(&Args {
                config: group.recipe.clone(),
                changes: group.set.clone(),
                seed: Some(seed),
                backend: backend.map(str::to_owned),
                ..Args::default()
            })?;
            // What would be found when its turn comes, which may be in the night.
            config.to_toml()?;
            let named: Backend = config.backend.as_deref().unwrap_or_default().parse()?;
            let asked = config.training.precision;
            precision::products(asked, named, asked.products())?;
            self.runs.push(Planned {
                begin: begin(group, seed, backend, &layout),
                name,
                group: group.name.clone(),
                seed,
                layout,
                config,
            });
        }
        self.groups.push(Asked {
            name: group.name.clone(),
            recipe: group.named.as_ref().map(|path| path.display().to_string()),
            set: group.set.clone(),
        });
        Ok(())
    }
}

/// What begins a run, with values where no shell and no leading dash changes them.
fn begin(group: &Group, seed: u64, backend: Option<&str>, layout: &Layout) -> Vec<OsString> {
    let option = |name: &str, value: OsString| {
        let mut option = OsString::from(name);
        option.push(value);
        option
    };
    let recipe = group.recipe.iter();
    let mut args: Vec<OsString> = recipe
        .map(|path| option("--config=", path.into()))
        .collect();
    let changes = group.set.iter();
    args.extend(changes.map(|change| option("--set=", change.into())));
    args.extend(backend.map(|name| option("--backend=", name.into())));
    args.push(option("--seed=", seed.to_string().into()));
    args.push(option("--run-dir=", layout.path().into()));
    args
}

/// The folder of a sweep, behind links; what is something else is refused.
fn free(folder: &Path) -> Result<PathBuf, Failure> {
    let refused = |what: &str| {
        let folder = folder.display();
        Err(usage(anyhow!(
            "{folder}: {what}; choose another folder with --folder"
        )))
    };
    if fs::metadata(folder).is_ok_and(|found| !found.is_dir()) {
        return refused("this is no folder");
    }
    if Layout::new(folder).config().exists() {
        return refused("this is the folder of a run");
    }
    if folder.join(checkpoint::MANIFEST).exists() {
        return refused("this is a checkpoint");
    }
    Ok(behind_links(folder))
}
