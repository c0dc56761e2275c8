//! The command line.

use std::{
    io::IsTerminal as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

use anyhow::{bail, ensure};
use clap::{Parser, Subcommand};
use model::InferencePrecision;
use queue::Address;
use tracing::level_filters::LevelFilter;

use crate::{accept::Connections, callbacks::Callbacks, export::Export};

/// Serves trained classifiers over HTTP.
///
/// Without arguments it serves artifacts/pretrained on 127.0.0.1:8080.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "serve",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  serve                                             the committed checkpoint, on this machine only
  serve digits=artifacts/latest/model letters=emnist/model
  serve --listen 0.0.0.0:8080 --token-file tokens   for others, who need a token
  serve export --to answers                         what people answered, for `train`

A token file has a line `ask TOKEN` or `review TOKEN` for each token of at least 16 characters.
A model whose folder is replaced is compared with the one in service, on what people answered and on its test
images, and taken over if it is shown to be not worse; SIGHUP looks at once, and again at what was refused.
SIGTERM and Ctrl-C answer what was accepted, then end. Exit codes: 0 ended by a signal, 1 failed, 2 bad usage."
)]
pub struct Args {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Checkpoint folders, as FOLDER or NAME=FOLDER
    #[arg(value_name = "MODEL", default_value = "artifacts/pretrained")]
    pub models: Vec<String>,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080))]
    pub listen: SocketAddr,
    /// Who may ask and who may review: a line for each token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Let everyone in, although others than this machine can reach the address
    #[arg(long)]
    pub no_auth: bool,
    /// Names by which the server is reached, besides addresses and localhost; asked for by other names it
    /// refuses, as it does on this machine and with --no-auth without this option
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub host: Vec<String>,
    /// Backend to compute on: ndarray, flex or wgpu, as far as compiled in [default: DIGITS_BACKEND or the
    /// first of these]
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// What to compute in: f32, or int8, which is several times as fast and needs a processor with AVX-512 VNNI
    #[arg(long, value_name = "NAME", default_value_t)]
    pub precision: InferencePrecision,
    /// Images that are computed together at most
    #[arg(long, value_name = "IMAGES", default_value_t = 256)]
    pub max_batch: usize,
    /// Microseconds that a request waits for others that are on their way
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 200)]
    pub max_wait: u64,
    /// Megabytes of requests that are read, wait and are computed at a time; what comes beyond is told to
    /// come back later
    #[arg(long, value_name = "MEGABYTES", default_value_t = 32)]
    pub queue: usize,
    /// Megabytes that one request may have
    #[arg(long, value_name = "MEGABYTES", default_value_t = 16)]
    pub max_body: usize,
    /// Connections at a time
    #[arg(long, value_name = "COUNT", default_value_t = 2048)]
    pub max_connections: usize,
    /// Seconds in which a request's head and its body have to arrive, each, and in which a client has to take
    /// something of its answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub read_timeout: u64,
    /// Seconds that what was accepted may take to be answered after SIGTERM
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub drain: u64,
    /// Where the review queue is: a SQLite file, or postgres://USER@HOST/DATABASE
    #[arg(
        long,
        value_name = "DATABASE",
        default_value = DATABASE
    )]
    pub database: String,
    /// Share of the images for people that two of them answer, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub second_opinion: f64,
    /// Days that pictures are kept after they were answered
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub keep_days: u32,
    /// Hosts that may be called back when a person has answered, as HOST or HOST:PORT (80), over plain http;
    /// without, nobody is
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub callback_hosts: Vec<String>,
    /// Take whatever model is put into a folder, not only one that is shown to be not worse
    #[arg(long)]
    pub swap_unchecked: bool,
    /// A loss of accuracy by which a new model is still not worse; up to 0.05 where the images that judge are
    /// too few to show so little
    #[arg(long, value_name = "SHARE", default_value_t = 0.005, value_parser = margin)]
    pub margin: f64,
    /// The test images that a new model must not be worse on, for the first model or the one named
    /// [default: those of what the model in service was trained on]
    #[arg(long, value_name = "[NAME=]FOLDER")]
    pub test_data: Vec<String>,
    /// What is logged: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: LevelFilter,
}

fn margin(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("give a share between 0 and 1, such as 0.005".to_owned()),
    }
}

/// What to do instead of serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Write what people answered as a data set that `train` reads
    Export(Export),
}

/// Where the review queue is when nobody says.
pub const DATABASE: &str = "artifacts/reviews.sqlite";

/// Bytes in a megabyte of the command line.
const MEGABYTE: usize = 1_000_000;

impl Args {
    /// # Errors
    /// If what was asked for isn't safe, or makes no sense.
    pub fn check(&self) -> anyhow::Result<()> {
        if !self.listen.ip().is_loopback() && self.token_file.is_none() && !self.no_auth {
            bail!(
                "{} can be reached by others: name who may ask with --token-file FILE, or let everyone in with --no-auth",
                self.listen
            );
        }
        ensure!(
            !(self.no_auth && self.token_file.is_some()),
            "--no-auth lets everyone in, --token-file doesn't: choose one of them"
        );
        for (option, value) in [
            ("--max-batch", self.max_batch),
            ("--queue", self.queue),
            ("--max-body", self.max_body),
            ("--max-connections", self.max_connections),
        ] {
            ensure!(value > 0, "{option} must be at least 1");
        }
        ensure!(
            self.max_body <= self.queue,
            "--max-body {} is more than --queue {} could ever let in",
            self.max_body,
            self.queue
        );
        Callbacks::new(&self.callback_hosts)?;
        self.database.parse::<Address>()?;
        Ok(())
    }

    /// Bytes that one request may have.
    pub fn body_bytes(&self) -> usize {
        self.max_body.saturating_mul(MEGABYTE)
    }

    /// Bytes of requests at a time.
    pub fn queue_bytes(&self) -> usize {
        self.queue.saturating_mul(MEGABYTE)
    }

    /// How long requests wait for others.
    pub fn wait(&self) -> Duration {
        Duration::from_micros(self.max_wait)
    }

    /// How long the body of a request may take to arrive.
    pub fn body_time(&self) -> Duration {
        Duration::from_secs(self.read_timeout.max(1))
    }

    /// How long ending may take.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain)
    }

    /// What connections may cost.
    pub fn connections(&self) -> Connections {
        Connections {
            at_once: self.max_connections,
            head: self.body_time(),
            write: self.body_time(),
        }
    }

    /// Threads that unpack bodies and decode pictures.
    pub fn worker_threads(&self) -> NonZeroUsize {
        std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
    }

    /// Whether the log may be coloured.
    pub fn colours(&self) -> bool {
        std::io::stderr().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }
}
