//! Breaks training runs and checkpoints in every way that docs/reliability.md promises to survive.
//!
//! `cargo run --release -p tests --bin reliability -- TEST`, after `cargo build --release`. Each test
//! is bounded in count and time, prints its random seed and what it did, and exits with 1 at the
//! first broken promise, leaving the folder for a look.

mod damage;
mod faults;
mod kill;
mod lender;
mod resume;
mod run;
mod sweep;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use tests::{
    Sandbox,
    random::{self, Random},
};

#[derive(Parser)]
struct Args {
    /// What to do
    test: Test,
    /// Kills, flipped bits, … [default: 1000 kills, 10000 bits, 20 kills between resumptions, 40 runs of a sweep]
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// Stop after this many seconds, whatever was done
    #[arg(long, value_name = "S", default_value_t = 1800)]
    seconds: u64,
    /// Seed of all random choices [default: drawn from the clock]
    #[arg(long, value_name = "X")]
    seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Test {
    /// SIGKILL at random moments of training, then go on
    Kill,
    /// Flip single bits in the files of a checkpoint
    Flip,
    /// Cut the files of a checkpoint at every 4 KiB; take away, add and swap files
    Truncate,
    /// Stop after every epoch and at random moments, go on, and compare the ends bit for bit
    Resume,
    /// Kill lenders of devices, or make them hang (needs `train` with its feature remote-server)
    Lender,
    /// Full disks, read-only folders, failing system calls
    Faults,
    /// Four processes on one sweep, two of them killed at random moments and started again
    Sweep,
}

/// How much is to be done.
struct Budget {
    count: Option<usize>,
    ends: Instant,
}

impl Budget {
    /// The number of trials asked for.
    fn count(&self, default: usize) -> usize {
        self.count.unwrap_or(default)
    }

    /// Whether the time is over.
    fn is_spent(&self) -> bool {
        Instant::now() >= self.ends
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(random::from_clock);
    let name = format!("{:?}", args.test).to_lowercase();
    println!("{name}: seed {seed}");
    let began = Instant::now();
    let budget = Budget {
        count: args.count,
        ends: began + Duration::from_secs(args.seconds),
    };
    let sandbox = Sandbox::new();
    let mut random = Random::new(seed);
    let result = match args.test {
        Test::Kill => kill::test(&sandbox, &budget, &mut random),
        Test::Flip => damage::flip(&sandbox, &budget, &mut random),
        Test::Truncate => damage::truncate(&sandbox, &budget),
        Test::Resume => resume::test(&sandbox, &budget, &mut random),
        Test::Lender => lender::test(&sandbox, &budget, &mut random),
        Test::Faults => faults::test(&sandbox, &budget),
        Test::Sweep => sweep::test(&sandbox, &budget, &mut random),
    };
    let seconds = began.elapsed().as_secs();
    match result {
        Ok(done) => {
            println!("{name}: {done}; {seconds} s");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let folder = sandbox.keep();
            println!(
                "{name}: FAILED after {seconds} s: {error:#}; see {}",
                folder.display()
            );
            ExitCode::FAILURE
        }
    }
}
