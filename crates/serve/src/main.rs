//! The binary `serve`: see `serve --help`. The way of a request is in `http.rs`.

use std::process::ExitCode;

use clap::Parser;
use serve::args::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_max_level(args.log)
        .with_writer(std::io::stderr)
        .with_ansi(args.colours())
        .with_target(false)
        .init();
    if let Err(error) = args.check() {
        return fail(&error, 2);
    }
    match serve::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

/// One line for people, and the exit code.
fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    let mut line = error.to_string();
    // Most messages name their cause themselves.
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    eprintln!("error: {}", line.replace(char::is_control, " "));
    ExitCode::from(code)
}
