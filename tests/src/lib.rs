//! What the tests share: the real binaries, run in a temporary folder.

#![allow(clippy::expect_used, reason = "a test that can't start has failed")]

pub mod asking;
pub mod lender;
pub mod random;
pub mod server;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// The root of the workspace.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("tests/ lies in the workspace")
        .to_owned()
}

/// A recipe that trains in a second or two.
pub fn smoke() -> String {
    root().join("configs/smoke.toml").display().to_string()
}

/// The committed checkpoint.
pub fn pretrained() -> PathBuf {
    root().join("artifacts/pretrained")
}

/// The path of a binary: `cargo test --workspace` builds it beside these tests.
pub fn binary(name: &str) -> PathBuf {
    // target/<profile>/deps/<this test> or target/<profile>/<this program>
    let exe = std::env::current_exe().expect("a program has a path");
    let folder = exe.ancestors().skip(1).find(|path| !path.ends_with("deps"));
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = folder.expect("a program lies in a folder").join(file);
    assert!(
        path.is_file(),
        "{}: not built; test the whole workspace, or build it with `cargo build --release` first",
        path.display(),
    );
    path
}

/// A temporary folder to run the binaries in.
pub struct Sandbox(TempDir);

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Sandbox {
    /// A new, empty folder.
    #[allow(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        Sandbox(TempDir::new().expect("a temporary folder"))
    }

    /// Leaves the folder on disk, for a look at what went wrong in it, and returns its path.
    pub fn keep(self) -> PathBuf {
        self.0.keep()
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A command in the folder, ready to run.
    pub fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(binary(name));
        command
            .current_dir(self.0.path())
            .args(args)
            // Without a session's folder, Mesa's Vulkan layer writes lines of its own that begin with "error".
            .env("XDG_RUNTIME_DIR", self.0.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, name: &str, args: &[&str]) -> Outcome {
        self.command(name, args)
            .output()
            .expect("the binary starts")
            .into()
    }

    /// Runs a command that has to succeed.
    pub fn succeed(&self, name: &str, args: &[&str]) -> Outcome {
        let outcome = self.run(name, args);
        assert_eq!(outcome.code, Some(0), "{name} {args:?}\n{}", outcome.stderr);
        outcome
    }

    /// Runs a command that has to fail with one clear line, and returns that line.
    pub fn fail(&self, name: &str, args: &[&str]) -> String {
        let outcome = self.run(name, args);
        assert!(
            matches!(outcome.code, Some(1 | 2)),
            "{name} {args:?} exits with {:?}\n{}",
            outcome.code,
            outcome.stderr
        );
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        let errors: Vec<_> = outcome
            .stderr
            .lines()
            .filter(|line| line.starts_with("error"))
            .collect();
        assert_eq!(errors.len(), 1, "{}", outcome.stderr);
        errors[0].to_owned()
    }

    /// Starts a command and leaves it running.
    pub fn start(&self, name: &str, args: &[&str]) -> Child {
        self.command(name, args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts")
    }

    /// Trains the smoke recipe into the folder `run`, with further arguments.
    pub fn train(&self, run: &str, more: &[&str]) -> Outcome {
        let smoke = smoke();
        let mut args = vec!["--config", &smoke, "--run-dir", run];
        args.extend(more);
        self.succeed("train", &args)
    }

    /// Gives a checkpoint that was changed the digests that it would have if it had been written so.
    pub fn reseal(&self, checkpoint: &str) {
        let folder = self.path(checkpoint);
        let written = [
            "checkpoint.json",
            "live.bpk",
            "model.bpk",
            "optimizer.bpk",
            "scheduler.bpk",
        ];
        let sums = Command::new("sha256sum")
            .args(written.iter().filter(|name| folder.join(name).is_file()))
            .current_dir(&folder)
            .output()
            .expect("sha256sum is there");
        std::fs::write(folder.join("SHA256SUMS"), sums.stdout).expect("the file can be written");
    }

    /// Reads a JSON file of the folder.
    pub fn json(&self, name: &str) -> Value {
        let bytes = std::fs::read(self.path(name)).expect("the file is there");
        serde_json::from_slice(&bytes).expect("the file is JSON")
    }

    /// Reads a file of the folder.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("the file is there")
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
