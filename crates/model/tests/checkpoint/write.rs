//! Writing, replacing and removing, interrupted or not.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use model::{
    CheckpointError,
    checkpoint::{self, Checkpoint, MANIFEST, MODEL, OPTIMIZER},
};

use crate::common::{Folder, device, seeded};

#[test]
fn a_failing_write_leaves_the_older_checkpoint_and_nothing_else() {
    let folder = Folder::new();
    let path = folder.published("a", 7);
    let files = [
        (MANIFEST, &b"new"[..]),
        // No folder can be where a file is.
        ("checkpoint.json/model.bpk", b"new"),
    ];
    let error = checkpoint::write(&path, &files).unwrap_err();
    assert!(error.to_string().contains("model.bpk"), "{error}");
    assert_eq!(folder.names(), ["a"]);
    assert_eq!(
        Checkpoint::open(&path).unwrap().file(MODEL),
        Some(&seeded(7)[..])
    );

    fs::write(folder.path("file"), "mine").unwrap();
    let error = checkpoint::write(&folder.path("file/a"), &files).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    assert_eq!(fs::read(folder.path("file")).unwrap(), b"mine");
}

/// Whether permissions bind this user: root's are never refused.
#[cfg(unix)]
fn is_bound_by_permissions(folder: &Folder) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let probe = folder.path("probe");
    fs::create_dir(&probe).unwrap();
    fs::set_permissions(&probe, fs::Permissions::from_mode(0o555)).unwrap();
    let refused = fs::write(probe.join("file"), "").is_err();
    fs::set_permissions(&probe, fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_dir_all(probe).unwrap();
    refused
}

#[cfg(unix)]
#[test]
fn a_write_protected_checkpoint_is_replaced_and_removed_by_root_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let bound = is_bound_by_permissions(&folder);
    let path = folder.published("a", 7);
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let files = [(MANIFEST, &b"new"[..]), (MODEL, b"new")];
    let replaced = checkpoint::write(&path, &files);
    if bound {
        let removed = checkpoint::remove(&path).unwrap_err();
        for error in [replaced.unwrap_err(), removed] {
            assert!(error.to_string().contains("write-protected"), "{error}");
            assert!(error.to_string().contains("untouched"), "{error}");
        }
        assert_eq!(folder.names(), ["a"]);
        Checkpoint::open(&path).unwrap();
        mode(0);
        let error = Checkpoint::open(&path).unwrap_err();
        assert!(matches!(error, CheckpointError::Read { .. }), "{error}");
        mode(0o755);
    } else {
        replaced.unwrap();
        assert_eq!(fs::read(path.join(MODEL)).unwrap(), b"new");
        mode(0o555);
        checkpoint::remove(&path).unwrap();
        assert!(folder.names().is_empty());
    }
}

#[test]
fn a_checkpoint_is_replaced_as_a_whole() {
    let folder = Folder::new();
    folder.training("a", 7);
    let path = folder.published("a", 8);
    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!(checkpoint.file(MODEL), Some(&seeded(8)[..]));
    assert_eq!(checkpoint.file(OPTIMIZER), None);
    assert_eq!(folder.names(), ["a"]);
}

/// Looks at a checkpoint again and again while others take its place.
#[cfg(target_os = "linux")]
fn while_it_is_replaced(look: impl Fn(&Path)) {
    let folder = Folder::new();
    let path = folder.published("a", 0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seed in 1..200 {
                folder.published("a", seed);
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            look(&path);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_is_never_without_a_checkpoint_while_another_takes_its_place() {
    while_it_is_replaced(|path| assert!(path.is_dir()));
}

#[cfg(target_os = "linux")]
#[test]
fn who_reads_while_another_takes_its_place_gets_one_of_the_two() {
    while_it_is_replaced(|path| {
        let checkpoint = Checkpoint::open(path).unwrap();
        assert!(checkpoint.networks(&device()).is_ok());
    });
}

#[test]
fn a_checkpoint_that_lost_files_while_it_was_replaced_comes_back() {
    let folder = Folder::new();
    let path = folder.published("a", 7);
    folder.published(".replaced-a", 8);
    fs::remove_file(path.join(MODEL)).unwrap();
    checkpoint::remove_partial(&folder.path("")).unwrap();
    assert_eq!(folder.names(), ["a"]);
    assert_eq!(
        Checkpoint::open(path).unwrap().file(MODEL),
        Some(&seeded(8)[..])
    );
}

#[cfg(unix)]
#[test]
fn a_checkpoint_that_stands_in_for_one_that_can_not_be_read_is_kept() {
    let folder = Folder::new();
    folder.published(".replaced-a", 8);
    std::os::unix::fs::symlink("a", folder.path("a")).unwrap();
    let error = checkpoint::remove_partial(&folder.path("")).unwrap_err();
    assert!(matches!(error, CheckpointError::Read { .. }), "{error}");
    Checkpoint::open(folder.path(".replaced-a")).unwrap();
}

#[cfg(unix)]
#[test]
fn the_mask_of_the_user_decides_who_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.published("a", 7);
    // What the system gives to a new file and folder of this user.
    let mode = |path: std::path::PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    fs::create_dir(folder.path("like")).unwrap();
    fs::write(folder.path("like/file"), "").unwrap();
    assert_eq!(mode(path.clone()), mode(folder.path("like")));
    assert_eq!(mode(path.join(MODEL)), mode(folder.path("like/file")));
}

#[test]
fn what_interrupted_writes_left_is_removed_and_what_they_took_away_comes_back() {
    let folder = Folder::new();
    let kept = folder.published("kept", 7);
    for name in [".partial-folder", ".replaced-kept", ".replaced-lost"] {
        folder.published(name, 8);
    }
    fs::write(folder.path(".partial-file"), "half").unwrap();
    fs::write(folder.path("notes.txt"), "mine").unwrap();
    checkpoint::remove_partial(&folder.path("")).unwrap();
    assert_eq!(folder.names(), ["kept", "lost", "notes.txt"]);
    assert_eq!(
        Checkpoint::open(kept).unwrap().file(MODEL),
        Some(&seeded(7)[..])
    );
    Checkpoint::open(folder.path("lost")).unwrap();
    checkpoint::remove_partial(&folder.path("nowhere")).unwrap();
}

#[test]
fn a_removed_checkpoint_is_gone_with_whatever_kept_it_from_going_before() {
    let folder = Folder::new();
    let path = folder.published("a", 7);
    folder.published(".partial-a", 8);
    checkpoint::remove(&path).unwrap();
    checkpoint::remove(&path).unwrap();
    fs::write(&path, "a file under the name of a checkpoint").unwrap();
    checkpoint::remove(&path).unwrap();
    assert!(folder.names().is_empty());
}
