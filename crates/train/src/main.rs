//! The binary `train`: see `train --help`.

use std::process::ExitCode;

use clap::Parser;
use train::{Args, Failure};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match train::run(&Args::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(Failure { error, usage }) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}
