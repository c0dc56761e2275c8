//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::sweep::SweepArgs;

/// Trains a digit classifier and leaves a verified checkpoint.
///
/// Without arguments it trains the recipe configs/default.toml on MNIST and writes a run folder
/// below artifacts/.
#[derive(Clone, Debug, Default, Parser)]
#[command(
    name = "train",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Examples:
  train                                         the default recipe
  train --config configs/fast.toml --seed 7     another recipe, another seed
  train --set training.epochs=3 --print-config  see what would run
  train --data-dir fashion-mnist                another data set in MNIST's format
  train --config configs/adapt.toml --start-from artifacts/pretrained --set data.also='[\"new\"]'
                                                learn from the images in the folder new, too
  train --resume artifacts/latest               go on with a run
  train --device remote://gpu-box:7010 --token-file token
                                                compute the steps on a device that is lent there
  train sweep configs/sweeps/recipes.toml       many runs: recipes over seeds, compared

Exit codes: 0 done, 1 failed, 2 bad usage, 130 stopped by Ctrl-C, 143 stopped by SIGTERM."
)]
pub struct Args {
    /// What to do instead of one run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Recipe to train [default: configs/default.toml, compiled in]
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub config: Option<PathBuf>,
    /// Change a value of the recipe, such as training.epochs=3; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub changes: Vec<String>,
    /// Seed of all randomness
    // The integers of TOML, in which the run folder keeps it, are signed.
    #[arg(long, value_name = "N", conflicts_with = "resume", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Folder with the four IDX files of MNIST, Fashion-MNIST or any set in that format
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Fetch MNIST into the folder of --data-dir first, where it lacks the published files (needs a
    /// build with --features download)
    #[arg(long, requires = "data_dir", conflicts_with = "resume")]
    pub download: bool,
    /// Address of a folder on the web to fetch from instead of MNIST's public ones; may be repeated
    #[arg(long = "mirror", value_name = "URL", requires = "download")]
    pub mirrors: Vec<String>,
    /// Folder of the new run [default: artifacts/RECIPE-NNN]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub run_dir: Option<PathBuf>,
    /// Begin with the weights of this checkpoint instead of random ones; with --resume, where it has moved to.
    /// The recipe's network has to be its own; where the classes differ, the last layer is drawn anew
    #[arg(long, value_name = "CHECKPOINT")]
    pub start_from: Option<PathBuf>,
    /// Go on with the run in this folder
    #[arg(long, value_name = "RUN")]
    pub resume: Option<PathBuf>,
    /// Backend to compute on: ndarray, flex or wgpu, as far as compiled in [default: DIGITS_BACKEND or the
    /// first of these]
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    pub backend: Option<String>,
    /// Compute the steps on a device that another machine lends, at remote://HOST:PORT; may be repeated, and then
    /// each gets a part of every batch (needs a build with --features remote)
    #[arg(
        long = "device",
        value_name = "ADDRESS",
        requires = "token_file",
        conflicts_with = "precision"
    )]
    pub devices: Vec<String>,
    /// File with the token that a lender asks for
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// How long a lender may be silent before the run ends, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub patience: u64,
    /// Lend a device of this machine to runs on others: ndarray, flex or wgpu (needs a build with --features
    /// remote-server)
    #[arg(long, value_name = "NAME", requires = "token_file", conflicts_with_all = ["config", "changes", "seed", "resume", "run_dir", "devices"])]
    pub serve_device: Option<String>,
    /// Where to lend it
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7010")]
    pub listen: String,
    /// What products are computed in while the network learns, as training.precision says
    #[arg(long, value_name = "NAME", conflicts_with = "resume", value_parser = ["f32", "bf16"])]
    pub precision: Option<String>,
    /// Write event files for TensorBoard into the run folder, as training.tensorboard=true does
    #[arg(long)]
    pub tensorboard: bool,
    /// Draw what the recipe's augmentation makes of training images, kind by kind, as an SVG picture, and
    /// stop
    #[arg(long, value_name = "FILE", conflicts_with_all = ["resume", "run_dir"])]
    pub sheet: Option<PathBuf>,
    /// Print the resolved recipe and stop
    #[arg(long)]
    pub print_config: bool,
    /// Print nothing but the result and errors
    #[arg(long, short)]
    pub quiet: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Show Burn's dashboard while training (needs a build with --features tui)
    #[arg(long, conflicts_with = "quiet")]
    pub tui: bool,
    /// Stop at the end of standard input as at SIGTERM: for who starts this process and may die before it
    #[arg(long, hide = true)]
    pub stop_at_end_of_input: bool,
}

/// What to do instead of one run.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Train many runs, each once, and compare them
    ///
    /// FILE is a table of runs: recipes, changes to them, seeds. Each run has a folder of its own. What is done
    /// is skipped, what was begun goes on; any number of processes may work on the same folder at once.
    Sweep(SweepArgs),
}
