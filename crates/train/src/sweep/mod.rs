//! `train sweep`: many runs, each once, by any number of processes, and what they achieved.
//!
//! A table (`file.rs`) becomes a [`Plan`] of runs whose recipes are all checked (`plan.rs`). What the folder of a
//! run holds says how far it is (`found.rs`); there is no other state. A process takes runs that no other has
//! taken (`work.rs`, by the locks of `store.rs`), makes each in a process of its own (`child.rs`, `made.rs`), and
//! writes what all of them achieved (`gather.rs`).

mod args;
mod child;
mod differences;
mod file;
mod found;
mod gather;
mod made;
mod plan;
mod store;
mod told;
mod work;

use std::{
    collections::HashSet,
    io::{self, Write as _},
};

use anyhow::{Context, anyhow};
use report::{
    Sweep,
    sweep::{Run, RunState},
};

pub use args::{Shard, SweepArgs};

use self::{
    gather::Gathered,
    plan::{Plan, Planned},
    store::{Store, json},
    work::Work,
};
use crate::{Failure, failure::usage, interrupt::Interrupt, paths::shell_word, progress::say};

/// The exit code where a run failed.
const FAILED: u8 = 1;
/// The exit code where runs are left to other processes.
const UNFINISHED: u8 = 3;

/// Does what `train sweep` is asked for and returns the exit code.
///
/// # Errors
/// A [`Failure`] with one line for people. Runs that are done stay done.
pub(crate) fn run(args: &SweepArgs) -> Result<u8, Failure> {
    let plan = Plan::new(args)?;
    for planned in &plan.runs {
        // A table that has changed is no reason to make half of it.
        planned.look().map_err(usage)?;
    }
    let own: Vec<&Planned> = (0..)
        .zip(&plan.runs)
        .filter(|(number, _)| args.shard.is_none_or(|shard| shard.has(*number)))
        .map(|(_, planned)| planned)
        .collect();
    let names: HashSet<&str> = own.iter().map(|planned| &planned.name[..]).collect();
    let sweep = match args.summary {
        true => summary(&plan)?,
        false => {
            let interrupt = Interrupt::listen().context("can't listen to signals")?;
            let sweep = make(args, &plan, own, &interrupt)?;
            if let Some(code) = interrupt.exit_code() {
                let folder = args.folder.as_deref().map(shell_word);
                let folder = folder.map_or(String::new(), |folder| format!(" --folder {folder}"));
                say(format_args!(
                    "stopped with {} of {} runs done; go on with: train sweep {}{folder}",
                    sweep.count.done,
                    sweep.count.runs,
                    shell_word(&args.file)
                ));
                return Ok(code);
            }
            sweep
        }
    };
    print(args, &plan, &sweep).context("can't write to standard output")?;
    let own = sweep
        .runs
        .iter()
        .filter(|run| names.contains(&run.name[..]));
    Ok(code(own))
}

/// Makes the runs that this process is to make.
fn make(
    args: &SweepArgs,
    plan: &Plan,
    own: Vec<&Planned>,
    interrupt: &Interrupt,
) -> anyhow::Result<Sweep> {
    let store = Store::open(&plan.layout)?;
    Work::new(args, plan, &store, own)?.run(interrupt)
}

/// Reads what is there, and writes what is said of it.
fn summary(plan: &Plan) -> Result<Sweep, Failure> {
    let folder = plan.layout.path();
    if !folder.is_dir() {
        return Err(anyhow!(
            "{}: there is no such folder; without --summary the runs are made",
            folder.display()
        )
        .into());
    }
    Ok(Gathered::new(plan).publish(&Store::open(&plan.layout)?, true)?)
}

fn print(args: &SweepArgs, plan: &Plan, sweep: &Sweep) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if args.json {
        out.write_all(&json(sweep)?)?;
        return Ok(());
    }
    let (summary, page) = (plan.layout.summary(), plan.layout.page());
    writeln!(out, "{sweep}")?;
    writeln!(out, "summary: {}", summary.display())?;
    writeln!(out, "page:    {}", page.display())?;
    Ok(())
}

fn code<'a>(runs: impl Iterator<Item = &'a Run>) -> u8 {
    let mut code = 0;
    for run in runs {
        match run.state {
            RunState::Done => {}
            RunState::Failed => return FAILED,
            RunState::Begun | RunState::Waiting => code = UNFINISHED,
        }
    }
    code
}
