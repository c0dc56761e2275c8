//! Loads a server of this machine and says how it fares.
//!
//! `cargo run --release -p tests --bin load -- TEST`, after `cargo build --release`. Each test is bounded in
//! count and time and asks servers on loopback only, which it starts. It prints what it measured as rows of a
//! table in Markdown, and exits with 1 if something was lost, mixed or too large; with `--must` also if the
//! median of the rounds is slower than it has to be on a machine with nothing else to do.

mod burden;
mod drive;
mod images;
mod kill;
mod speed;
mod swap;
mod wire;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use tests::{Sandbox, pretrained, random, server::Server};

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    test: Test,
    /// Checkpoint folder to serve [default: artifacts/pretrained]
    #[arg(long, global = true, value_name = "FOLDER")]
    checkpoint: Option<PathBuf>,
    /// Another argument for the server; may be repeated
    #[arg(
        long,
        global = true,
        value_name = "ARGUMENT",
        allow_hyphen_values = true
    )]
    serve: Vec<String>,
    /// Seconds of each measurement
    #[arg(long, global = true, value_name = "S", default_value_t = 10.0)]
    seconds: f64,
    /// Measurements, one after the other
    #[arg(long, global = true, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// Fail if `images`, `latency` or `slow` measure less than has to be reached on an idle machine
    #[arg(long, global = true)]
    must: bool,
}

#[derive(Subcommand)]
enum Test {
    /// Images per second in batches by the binary extension, beside `digits evaluate`
    Images {
        /// Connections
        #[arg(long, default_value_t = 4)]
        connections: usize,
        /// Images of a request
        #[arg(long, default_value_t = 64)]
        batch: usize,
    },
    /// Requests of one image per second over connections that are kept
    Single {
        /// Ask the server at this address instead, as HOST:PORT, at this path
        #[arg(long, num_args = 2, value_names = ["ADDRESS", "PATH"])]
        at: Option<Vec<String>>,
        /// Connections
        #[arg(long, default_value_t = 32)]
        connections: usize,
        /// Fail below so many
        #[arg(long, value_name = "REQUESTS")]
        at_least: Option<f64>,
    },
    /// Time of one request where requests come at random times
    Latency {
        /// Share of what the server can answer at most
        #[arg(long, default_value_t = 0.2)]
        share: f64,
        /// Connections
        #[arg(long, default_value_t = 16)]
        connections: usize,
    },
    /// Offers many times what the server can answer: nothing that it accepts may be lost
    Overload {
        /// How many times
        #[arg(long, default_value_t = 12.0)]
        times: f64,
        /// Images of a request
        #[arg(long, default_value_t = 256)]
        batch: usize,
        /// Connections
        #[arg(long, default_value_t = 200)]
        connections: usize,
    },
    /// Times of ordinary requests beside connections that only hold on
    Slow {
        /// Connections that do nothing or send a byte now and then
        #[arg(long, default_value_t = 1000)]
        count: usize,
        /// Share of what the server can answer at most
        #[arg(long, default_value_t = 0.2)]
        share: f64,
    },
    /// Kills the server while people answer: no answer that was acknowledged may be lost, none counted twice
    Kill {
        /// Kills, within the seconds of a measurement
        #[arg(long, default_value_t = 200)]
        count: usize,
        /// People
        #[arg(long, default_value_t = 4)]
        reviewers: usize,
        /// The queue's database, as the server takes it [default: a SQLite file]
        #[arg(long)]
        database: Option<String>,
        /// Seed of all random choices [default: drawn from the clock]
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Replaces the model while it is asked: each answer has to be that of one model
    Swap {
        /// Times, within the seconds of a measurement
        #[arg(long, default_value_t = 200)]
        count: usize,
        /// Connections
        #[arg(long, default_value_t = 8)]
        connections: usize,
    },
}

/// What a test runs with.
struct Setting {
    sandbox: Sandbox,
    checkpoint: String,
    serve: Vec<String>,
    time: Duration,
    rounds: usize,
    must: bool,
}

impl Setting {
    /// Fails if what was measured is more than it may be and `--must` was given.
    fn must(&self, what: &str, values: &[f64], most: f64) -> anyhow::Result<()> {
        let found = median(values);
        anyhow::ensure!(
            !self.must || found <= most,
            "{what}: {found:.3}, which may be {most} at most"
        );
        Ok(())
    }

    /// A server of the checkpoint under the name `model`.
    fn server(&self) -> Server {
        self.server_with(&[])
    }

    /// The same with further arguments.
    fn server_with(&self, more: &[&str]) -> Server {
        let model = format!("model={}", self.checkpoint);
        let own = self.serve.iter().map(String::as_str);
        let arguments: Vec<_> = [&model[..]].into_iter().chain(own).collect();
        Server::start_with(&self.sandbox, &[&arguments, more].concat())
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let checkpoint = args.checkpoint.unwrap_or_else(pretrained);
    let checkpoint = std::path::absolute(&checkpoint).unwrap_or(checkpoint);
    let setting = Setting {
        sandbox: Sandbox::new(),
        checkpoint: checkpoint.display().to_string(),
        serve: args.serve,
        time: Duration::from_secs_f64(args.seconds),
        rounds: args.rounds.max(1),
        must: args.must,
    };
    let result = match args.test {
        Test::Images { connections, batch } => speed::images(&setting, connections, batch),
        Test::Single {
            at,
            connections,
            at_least,
        } => speed::single(&setting, at.as_deref(), connections, at_least),
        Test::Latency { share, connections } => speed::latency(&setting, share, connections),
        Test::Overload {
            times,
            batch,
            connections,
        } => burden::overload(&setting, times, batch, connections),
        Test::Slow { count, share } => burden::slow(&setting, count, share),
        Test::Kill {
            count,
            reviewers,
            database,
            seed,
        } => {
            let seed = seed.unwrap_or_else(random::from_clock);
            println!("seed {seed}");
            kill::kill(&setting, count, reviewers, database.as_deref(), seed)
        }
        Test::Swap { count, connections } => swap::swap(&setting, count, connections),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The median, and the lowest and the highest in brackets.
fn spread(values: &[f64], digits: usize) -> String {
    let [low, middle, high] = [0.0, 0.5, 1.0].map(|share| at(values, share));
    format!("{middle:.digits$} ({low:.digits$}–{high:.digits$})")
}

fn median(values: &[f64]) -> f64 {
    at(values, 0.5)
}

fn at(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(share * (sorted.len() - 1) as f64) as usize]
}
