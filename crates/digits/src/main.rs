//! The binary `digits`: uses what was trained. See `digits --help`.

#![recursion_limit = "256"]

/// Prints to standard output, and returns from the function if that fails.
macro_rules! out {
    ($($text:tt)*) => { std::io::Write::write_fmt(&mut std::io::stdout(), format_args!($($text)*))? };
}

/// [`out`] with the end of a line.
macro_rules! outln {
    ($format:literal $($rest:tt)*) => { out!("{}\n", format_args!($format $($rest)*)) };
}

/// Prints a line to standard error; if nobody reads it, that is no failure.
macro_rules! errln {
    ($($text:tt)*) => {{
        let line = format!($($text)*) + "\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
    }};
}

mod calibrate;
mod compare;
mod evaluate;
mod export;
mod files;
mod import;
mod inspect;
mod join;
mod ordered;
mod output;
mod png;
mod predict;
mod predictions;
mod resplits;
mod review;
mod show;
mod sign;
mod stress;
mod table;
mod test_images;
mod verify;

use std::{io, path::Path, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use data::DataError;
use exchange::ExchangeError;
use model::{Backend, CheckpointError, Classifier, Device, InferencePrecision};
use runs::Layout;

/// Evaluates, applies and inspects trained digit classifiers.
#[derive(Parser)]
#[command(
    name = "digits",
    version,
    after_help = "Examples:
  digits predict artifacts/pretrained digit.png
  digits join answers.csv to-check/review.csv
  digits evaluate artifacts/latest/model --json
  digits compare artifacts/pretrained artifacts/latest/model
  digits inspect artifacts/pretrained
  digits verify artifacts/latest/checkpoints/epoch-012
  digits export artifacts/pretrained --to exported --format onnx

Exit codes: 0 done, 1 failed, 2 bad usage."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Examine a checkpoint on the test images
    Evaluate(evaluate::Evaluate),
    /// Fit anew what a checkpoint accepts, on other images or for another risk
    Calibrate(calibrate::Calibrate),
    /// Compare two checkpoints on the same images
    Compare(compare::Compare),
    /// Classify image files
    Predict(predict::Predict),
    /// Put the answers of machine and person into one table
    Join(join::Join),
    /// Make a checkpoint of weights that PyTorch saved
    Import(import::Import),
    /// Show what is in a checkpoint
    Inspect(inspect::Inspect),
    /// Try a checkpoint on corrupted digits and on images that show none
    Stress(stress::Stress),
    /// Sign a checkpoint with a key
    Sign(sign::Sign),
    /// Check every byte of a checkpoint, and whose it is
    Verify(verify::Verify),
    /// Write a checkpoint as other programs have it
    Export(export::Export),
}

/// A classifier, and how it computes.
#[derive(Args)]
struct Computing {
    /// What to compute in: f32, or int8, which is several times as fast and needs a processor with AVX-512 VNNI
    #[arg(long, value_name = "NAME", default_value_t)]
    precision: InferencePrecision,
    #[command(flatten)]
    backend: BackendArg,
}

impl Computing {
    fn classifier(&self, checkpoint: &Path) -> anyhow::Result<Classifier> {
        let classifier = Classifier::load(checkpoint, &self.backend.device()?)?;
        Ok(classifier.with_precision(self.precision)?)
    }
}

/// The backend to compute on.
#[derive(Args)]
struct BackendArg {
    /// Backend to compute on: ndarray, flex or wgpu, as far as compiled in [default: DIGITS_BACKEND or the
    /// first of these]
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
}

impl BackendArg {
    fn device(&self) -> anyhow::Result<Device> {
        Ok(self.named()?.device()?)
    }

    /// The name of the backend.
    fn name(&self) -> anyhow::Result<String> {
        Ok(self.named()?.name().to_owned())
    }

    fn named(&self) -> anyhow::Result<Backend> {
        let asked = self.backend.clone();
        Ok(
            match asked.or_else(|| std::env::var("DIGITS_BACKEND").ok()) {
                Some(name) => name.parse()?,
                None => Backend::default(),
            },
        )
    }
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Evaluate(command) => command.run(),
        Command::Calibrate(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Compare(command) => command.run(),
        Command::Predict(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Join(command) => command.run(),
        Command::Stress(command) => command.run(),
        Command::Sign(command) => command.run(),
        Command::Verify(command) => command.run(),
    };
    match result {
        Ok(code) => code,
        // `digits … | head` has read all that it wanted.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            errln!("error: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}

/// What happened and why; most messages name their cause themselves.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line += &way_out(error);
    // Paths may hold line breaks.
    line.replace(char::is_control, " ")
}

/// What this program can add to what the libraries say.
fn way_out(error: &anyhow::Error) -> String {
    if let Some(error) = error.downcast_ref::<CheckpointError>() {
        return match error {
            CheckpointError::Missing { .. } => {
                ", or train one with `cargo run -p train --release`".to_owned()
            }
            CheckpointError::Foreign { path, .. } if Layout::new(path).config().is_file() => {
                "; this is a run folder: its trained model is in `model`, its checkpoints are in \
                 `checkpoints`"
                    .to_owned()
            }
            _ => String::new(),
        };
    }
    if let Some(ExchangeError::Exists { .. }) = error.downcast_ref() {
        return " or replace it with --force".to_owned();
    }
    match error.downcast_ref::<DataError>() {
        Some(DataError::NoFolder { .. } | DataError::Missing { .. }) => {
            " (--data-dir says which)".to_owned()
        }
        _ => String::new(),
    }
}
