//! The command line of `train sweep`.

use std::{num::NonZeroUsize, path::PathBuf, str::FromStr};

use clap::Args;

/// How a sweep is made.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  train sweep configs/sweeps/seeds.toml             one process, one run after another
  train sweep configs/sweeps/recipes.toml --jobs 2  two runs at once
  train sweep configs/sweeps/seeds.toml --shard 3/8 the third of eight jobs of a cluster
  train sweep configs/sweeps/seeds.toml --summary   what is there so far

A file:
  set = [\"training.epochs=3\"]             # for all groups
  [[runs]]
  name = \"wide\"                           # by default that of the recipe
  recipe = \"../small.toml\"                # by default the default recipe
  set = [\"network.dense=[256]\"]
  seeds = { first = 0, count = 20 }       # or [0, 1, 2]

docs/sweeps.md says more, also of sweep.json.

Exit codes: 0 done, 1 a run failed, 2 bad usage, 3 unfinished elsewhere, 130 stopped by Ctrl-C, 143 stopped by
SIGTERM.")]
pub struct SweepArgs {
    /// The table of the runs
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Folder of the runs [default: what the file says, or artifacts/FILE without its .toml]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Runs at once; the processor's threads, or RAYON_NUM_THREADS, are divided among them
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    pub jobs: NonZeroUsize,
    /// Do only every N-th run, from the I-th on, such as 2/8
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// End when all that is left is in the hands of other processes, instead of waiting for it
    #[arg(long)]
    pub no_wait: bool,
    /// Run nothing: read what is there, print it, and write sweep.json and sweep.html
    #[arg(long, conflicts_with_all = ["jobs", "no_wait"])]
    pub summary: bool,
    /// Print nothing but the result and errors
    #[arg(long, short)]
    pub quiet: bool,
    /// Print the result as JSON, as in sweep.json
    #[arg(long)]
    pub json: bool,
}

/// A part of the runs, of several that together are all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    of: usize,
}

impl Shard {
    /// Whether the run of that number, from 0, is in it.
    pub(super) fn has(self, run: usize) -> bool {
        run % self.of == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "give the number of the part, from 1, and how many there are, such as 2/8";
        let (number, of) = text.split_once('/').ok_or(wrong)?;
        match (number.parse(), of.parse()) {
            (Ok(number), Ok(of)) if (1..=of).contains(&number) => Ok(Shard { number, of }),
            _ => Err(wrong),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_of_a_sweep_have_each_run_once() {
        for of in 1..=7 {
            let shards: Vec<Shard> = (1..=of)
                .map(|number| format!("{number}/{of}").parse().unwrap())
                .collect();
            for run in 0..20 {
                assert_eq!(shards.iter().filter(|shard| shard.has(run)).count(), 1);
            }
        }
        for wrong in ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "a/b"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
