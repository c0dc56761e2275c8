//! Writes that fail: a full disk, a folder that is read-only, system calls that return errors.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use tests::{Outcome, Sandbox, binary};

use crate::{Budget, run};

pub fn test(sandbox: &Sandbox, budget: &Budget) -> Result<String> {
    run::write_data(sandbox)?;
    run::succeed(sandbox, &begin("whole"))?;
    let done = [
        size_limit(sandbox, budget)?,
        full_disk(sandbox, budget)?,
        read_only(sandbox)?,
        image_layer(sandbox)?,
        failing_calls(sandbox, budget)?,
    ];
    Ok(done.join("; "))
}

fn begin(run: &str) -> Vec<String> {
    let small = ["training.epochs=3", "data.limit=256", "network.dense=[16]"];
    run::begin(run, &small)
}

/// Runs a shell line in which `"$@"` is `train` with the arguments.
fn shell(sandbox: &Sandbox, line: &str, args: &[String]) -> Result<Outcome> {
    let output = Command::new("sh")
        .args(["-c", line, "sh"])
        .arg(binary("train"))
        .args(args)
        .current_dir(sandbox.path(""))
        .output()?;
    Ok(output.into())
}

/// Checks a run whose writes failed: an error that names a path of the run, and everything that was
/// whole still whole. Then it goes on without the fault and ends like a run that never had one.
fn check_failed(sandbox: &Sandbox, outcome: &Outcome, run: &str, what: &str) -> Result<()> {
    let text = &outcome.stderr;
    ensure!(!text.contains("panicked"), "{what}: {text}");
    ensure!(
        outcome.code == Some(1),
        "{what}: exits with {:?}: {text}",
        outcome.code
    );
    let errors: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    ensure!(errors.len() == 1, "{what}: {text}");
    let named = Path::new(run)
        .file_name()
        .context("a run has a name")?
        .to_string_lossy();
    let named = errors[0].contains(&*named) || errors[0].contains("standard output");
    ensure!(named, "{what}: no path is named: {text}");
    check_goes_on(sandbox, run).context(what.to_owned())
}

fn check_goes_on(sandbox: &Sandbox, run: &str) -> Result<()> {
    run::check_whole(sandbox, run)?;
    let folder = sandbox.path(run);
    match folder.join("config.toml").is_file() {
        true => run::succeed(sandbox, &run::resume(run))?,
        false => run::succeed(sandbox, &begin(run))?,
    };
    run::check_equal(&sandbox.path("whole"), &folder)?;
    let left = run::strays(&folder);
    ensure!(left.is_empty(), "left over: {left:?}");
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// Files may not grow beyond a limit, from nothing to enough.
fn size_limit(sandbox: &Sandbox, budget: &Budget) -> Result<String> {
    let (mut failed, mut blocks) = (0, 0);
    loop {
        let line = format!("ulimit -f {blocks}; exec \"$@\"");
        let outcome = shell(sandbox, &line, &begin("limited"))?;
        if outcome.code == Some(0) || budget.is_spent() {
            break;
        }
        check_failed(
            sandbox,
            &outcome,
            "limited",
            &format!("files of at most {blocks} blocks"),
        )?;
        failed += 1;
        blocks += 1 + blocks / 8;
    }
    fs::remove_dir_all(sandbox.path("limited"))?;
    Ok(format!("{failed} limits on the size of files"))
}

/// A file system of a few kilobytes, where this user may mount one.
fn full_disk(sandbox: &Sandbox, budget: &Budget) -> Result<String> {
    let disk = sandbox.path("disk");
    fs::create_dir(&disk)?;
    let mount = |options: &str| {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&disk)
            .output();
        status.is_ok_and(|output| output.status.success())
    };
    if !mount("size=16k") {
        return Ok("full disk: skipped, needs the right to mount".into());
    }
    let unmount = Unmount(&disk);
    let (mut failed, mut kilobytes) = (0, 16);
    loop {
        let outcome = shell(sandbox, "exec \"$@\"", &begin("disk/run"))?;
        if outcome.code == Some(0) || budget.is_spent() {
            break;
        }
        ensure!(mount("remount,size=100m"), "the disk can't be enlarged");
        check_failed(
            sandbox,
            &outcome,
            "disk/run",
            &format!("a disk of {kilobytes} KiB"),
        )?;
        failed += 1;
        kilobytes += 4 + kilobytes / 16;
        ensure!(
            mount(&format!("remount,size={kilobytes}k")),
            "the disk can't be reduced"
        );
    }
    drop(unmount);
    Ok(format!("{failed} full disks"))
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        // Best effort: the test has its result.
        let _ = Command::new("umount").arg(self.0).status();
    }
}

/// Folders that may not be written to, as a user for whom permissions count.
fn read_only(sandbox: &Sandbox) -> Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let id = Command::new("id").arg("-u").output()?;
    let drop_rights = "exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";
    let line = match id.stdout.trim_ascii() {
        b"0" => drop_rights,
        _ => "exec \"$@\"",
    };
    let set = |path: &str, mode: u32| {
        fs::set_permissions(sandbox.path(path), fs::Permissions::from_mode(mode))
    };
    set("", 0o777)?;
    if shell(sandbox, line, &["--version".into()])?.code != Some(0) {
        return Ok("read-only folders: skipped, there is no user without rights".into());
    }
    let mut two = begin("locked");
    two.extend(["--set".into(), "training.epochs=2".into()]);
    let mut tried = 0;
    for path in ["locked", "locked/checkpoints"] {
        let outcome = shell(sandbox, line, &two)?;
        ensure!(outcome.code == Some(0), "{}", outcome.stderr);
        set(path, 0o555)?;
        let mut args = run::resume("locked");
        args.extend(["--set".into(), "training.epochs=3".into()]);
        let outcome = shell(sandbox, line, &args)?;
        set(path, 0o777)?;
        ensure!(
            !outcome.stderr.contains("panicked"),
            "{path}: {}",
            outcome.stderr
        );
        ensure!(outcome.code == Some(1), "{path}: {}", outcome.stderr);
        ensure!(
            outcome.stderr.contains("error: locked"),
            "{path}: {}",
            outcome.stderr
        );
        run::check_whole(sandbox, "locked")?;
        let outcome = shell(sandbox, line, &args)?;
        ensure!(outcome.code == Some(0), "{}", outcome.stderr);
        run::check_equal(&sandbox.path("whole"), &sandbox.path("locked"))?;
        fs::remove_dir_all(sandbox.path("locked"))?;
        tried += 1;
    }
    Ok(format!("{tried} read-only folders"))
}

/// A run that is part of a container's image: its folders can be copied there, and not renamed.
fn image_layer(sandbox: &Sandbox) -> Result<String> {
    let mut two = begin("image/run");
    two.extend(["--set".into(), "training.epochs=2".into()]);
    run::succeed(sandbox, &two)?;
    let [image, changes, work, merged] =
        ["image", "changes", "work", "merged"].map(|name| sandbox.path(name));
    for folder in [&changes, &work, &merged] {
        fs::create_dir(folder)?;
    }
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        image.display(),
        changes.display(),
        work.display()
    );
    let mounted = Command::new("mount")
        .args(["-t", "overlay", "-o", &layers, "overlay"])
        .arg(&merged)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        return Ok("layers of an image: skipped, needs the right to mount them".into());
    }
    let unmount = Unmount(&merged);
    let mut args = run::resume("merged/run");
    args.extend(["--set".into(), "training.epochs=3".into()]);
    run::succeed(sandbox, &args)?;
    run::check_equal(&sandbox.path("whole"), &sandbox.path("merged/run"))?;
    let left = run::strays(&sandbox.path("merged/run"));
    ensure!(left.is_empty(), "left over: {left:?}");
    drop(unmount);
    Ok("a run in a layer of an image goes on".into())
}

/// The n-th call of a kind fails, for every n that occurs, by `strace -e inject`.
fn failing_calls(sandbox: &Sandbox, budget: &Budget) -> Result<String> {
    let strace = Command::new("strace").arg("-V").output();
    if !strace.is_ok_and(|output| output.status.success()) {
        return Ok("failing system calls: skipped, strace is not installed".into());
    }
    let mut done = Vec::new();
    for (calls, error) in [
        ("fsync", "EIO"),
        ("rename,renameat,renameat2", "EIO"),
        ("mkdir,mkdirat", "ENOSPC"),
        ("write,pwrite64,writev", "ENOSPC"),
        ("unlink,unlinkat,rmdir", "EIO"),
    ] {
        let (mut failed, mut survived, mut n) = (0, 0, 1);
        while !budget.is_spent() {
            let log = sandbox.path("strace.log");
            let line = format!(
                "exec strace -f -qq -o {} -e trace={calls} -e inject={calls}:error={error}:when={n} \"$@\"",
                log.display()
            );
            let mut args = begin("faulty");
            args.push("--quiet".into());
            let outcome = shell(sandbox, &line, &args)?;
            let what = format!("{error} from {calls} number {n}");
            let injected = fs::read_to_string(&log)?;
            let mut injected = injected.lines().filter(|line| line.ends_with("(INJECTED)"));
            if injected.clone().next().is_none() {
                fs::remove_dir_all(sandbox.path("faulty"))?;
                break;
            }
            // The count is kept for each thread: the message may have been hit as well.
            let silenced = injected.any(|line| line.contains(" write(2, "));
            // What only serves convenience may fail unnoticed.
            if outcome.code == Some(0) {
                run::check_equal(&sandbox.path("whole"), &sandbox.path("faulty"))
                    .context(what.clone())?;
                fs::remove_dir_all(sandbox.path("faulty"))?;
                survived += 1;
            } else if silenced {
                check_goes_on(sandbox, "faulty").context(what)?;
                failed += 1;
            } else {
                check_failed(sandbox, &outcome, "faulty", &what)?;
                failed += 1;
            }
            n += 1;
        }
        done.push(format!("{calls} {failed} + {survived}"));
    }
    Ok(format!(
        "failing system calls, stopped + survived: {}",
        done.join(", ")
    ))
}
