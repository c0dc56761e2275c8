//! File systems that can't do everything: network and FUSE mounts, shared folders of virtual machines.
//!
//! A small library in C stands before the system's: it needs `cc`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    path::PathBuf,
    process::{Command, ExitStatus},
};

use tests::{Outcome, Sandbox, root, smoke};

const EIO: i32 = 5;
const EINVAL: i32 = 22;
const ENOLCK: i32 = 37;
const ENOSYS: i32 = 38;
const EOPNOTSUPP: i32 = 95;

/// Compiles a library that stands before the system's. None where there is no compiler, which only
/// the machine of a user may lack.
fn shim(sandbox: &Sandbox, name: &str) -> Option<PathBuf> {
    let library = sandbox.path(&format!("{name}.so"));
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(
            root()
                .join("tests/tests/filesystems")
                .join(format!("{name}.c")),
        )
        .arg("-ldl")
        .status();
    if compiled.is_err() {
        assert!(std::env::var_os("CI").is_none(), "no C compiler");
        eprintln!("skipped: no C compiler");
        return None;
    }
    assert!(compiled.as_ref().is_ok_and(ExitStatus::success), "{name}.c");
    Some(library)
}

/// Trains for a moment on such a file system.
fn train(sandbox: &Sandbox, library: &PathBuf, errno: i32, args: &[&str]) -> Outcome {
    let mut command = sandbox.command("train", args);
    command.env("LD_PRELOAD", library);
    command.env("SHIM_ERRNO", errno.to_string());
    command.output().unwrap().into()
}

fn begin<'a>(recipe: &'a str, run: &'a str) -> Vec<&'a str> {
    vec![
        "--config",
        recipe,
        "--run-dir",
        run,
        "--set",
        "data.limit=128",
    ]
}

#[test]
fn a_file_system_that_can_not_sync_folders_keeps_runs() {
    let (sandbox, recipe) = (Sandbox::new(), smoke());
    let Some(library) = shim(&sandbox, "no_folder_sync") else {
        return;
    };
    for errno in [EINVAL, EOPNOTSUPP, ENOSYS] {
        let run = format!("run-{errno}");
        let outcome = train(&sandbox, &library, errno, &begin(&recipe, &run));
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        // The second time the model is replaced.
        let outcome = train(&sandbox, &library, errno, &["--resume", &run]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        sandbox.succeed("digits", &["verify", &run]);
    }
    // A disk that fails is another matter.
    let outcome = train(&sandbox, &library, EIO, &begin(&recipe, "broken"));
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("untouched"), "{}", outcome.stderr);
}

#[test]
fn a_file_system_without_locks_keeps_runs_and_a_warning_says_so() {
    let (sandbox, recipe) = (Sandbox::new(), smoke());
    let Some(library) = shim(&sandbox, "no_locks") else {
        return;
    };
    for errno in [ENOSYS, ENOLCK, EOPNOTSUPP] {
        let run = format!("run-{errno}");
        for args in [begin(&recipe, &run), vec!["--resume", &run]] {
            let outcome = train(&sandbox, &library, errno, &args);
            assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
            let warnings = outcome.stderr.matches("warning: ").count();
            assert_eq!(warnings, 1, "{}", outcome.stderr);
            assert!(
                outcome.stderr.contains("can't be locked"),
                "{}",
                outcome.stderr
            );
        }
        sandbox.succeed("digits", &["verify", &run]);
    }
    let outcome = train(&sandbox, &library, EIO, &begin(&recipe, "broken"));
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
}

#[test]
fn a_sweep_on_a_file_system_without_locks_says_so_once() {
    let (sandbox, recipe) = (Sandbox::new(), smoke());
    let Some(library) = shim(&sandbox, "no_locks") else {
        return;
    };
    let table =
        format!("set = ['data.limit=128']\n[[runs]]\nrecipe = '{recipe}'\nseeds = [0, 1]\n");
    std::fs::write(sandbox.path("table.toml"), table).unwrap();
    let outcome = train(&sandbox, &library, ENOLCK, &["sweep", "table.toml"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(
        outcome.stderr.matches("warning: ").count(),
        1,
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("--shard"), "{}", outcome.stderr);
    assert!(
        sandbox
            .path("artifacts/table/smoke-seed-1/summary.json")
            .is_file()
    );
}

#[test]
fn an_error_after_a_checkpoint_was_replaced_says_that_it_was() {
    let (sandbox, recipe) = (Sandbox::new(), smoke());
    let Some(library) = shim(&sandbox, "no_removal") else {
        return;
    };
    sandbox.succeed("train", &begin(&recipe, "run"));
    let outcome = train(&sandbox, &library, EIO, &["--resume", "run"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    for part in [
        "run/model: ",
        "the new checkpoint is in its place",
        "the older one is",
    ] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("untouched"), "{}", outcome.stderr);
    sandbox.succeed("digits", &["verify", "run"]);
    // What is left is tidied up by who comes next.
    sandbox.succeed("train", &["--resume", "run"]);
    let names = std::fs::read_dir(sandbox.path("run")).unwrap();
    let left = names.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with(".partial-")
    });
    assert_eq!(left.count(), 0);
}
