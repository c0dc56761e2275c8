//! The binary `train`: see `train --help`.

use std::process::ExitCode;

use clap::Parser;
use train::{Args, Failure, say};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = rayon::ThreadPoolBuilder::new().build_global() {
        say(format_args!(
            "error: can't start threads to compute on: {error}"
        ));
        return ExitCode::FAILURE;
    }
    let result = if args.serve_device.is_some() {
        // Its sessions have threads of their own, and need the pool's.
        train::serve(&args).map(|()| 0)
    } else if !args.devices.is_empty() {
        // This thread waits for others most of the time, and a thread of the pool has other work.
        train::run(&args)
    } else {
        // On a thread of the pool a parallel section begins and ends without waking another thread and
        // being woken by it, which a training step of a few milliseconds would feel a dozen times.
        rayon::scope(|_| train::run(&args))
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(Failure { error, usage }) => {
            say(format_args!("error: {}", one_line(&error)));
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

/// What happened and why; most messages name their cause themselves.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    // Paths may hold line breaks.
    line.replace(char::is_control, " ")
}
