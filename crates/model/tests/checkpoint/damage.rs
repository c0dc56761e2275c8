//! Files that are not as they were written.

use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use model::{
    CheckpointError,
    checkpoint::{Checkpoint, LIVE, MANIFEST, MODEL, OPTIMIZER, SCHEDULER, SUMS},
};
use serde_json::json;

use crate::{
    ALL,
    common::{Folder, json_of, manifest, refused, seeded, tiny},
};

/// Overwrites one byte in place, which costs the disk nothing.
fn put(file: &Path, index: usize, byte: u8) {
    let mut file = File::options().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(index as u64)).unwrap();
    file.write_all(&[byte]).unwrap();
}

#[test]
fn any_flipped_bit_is_refused_and_its_file_named() {
    let folder = Folder::new();
    let path = folder.training("a", 7);
    for name in ALL {
        let file = path.join(name);
        let whole = fs::read(&file).unwrap();
        for (index, &byte) in whole.iter().enumerate() {
            for bit in 0..8 {
                put(&file, index, byte ^ 1 << bit);
                let error = refused(&path);
                assert!(
                    error.contains(name),
                    "bit {bit} of byte {index} of {name}: {error}"
                );
            }
            put(&file, index, byte);
        }
    }
    Checkpoint::open(&path).unwrap();
}

#[test]
fn a_file_cut_at_any_length_or_continued_is_refused_and_named() {
    let folder = Folder::new();
    let path = folder.training("a", 7);
    for name in ALL {
        let file = path.join(name);
        let whole = fs::read(&file).unwrap();
        for more in [&b"\0"[..], b"\n", b"more"] {
            fs::write(&file, [&whole, more].concat()).unwrap();
            assert!(refused(&path).contains(name), "{name} continued");
        }
        for length in (0..whole.len()).rev() {
            let file = File::options().write(true).open(&file).unwrap();
            file.set_len(length as u64).unwrap();
            let error = refused(&path);
            assert!(error.contains(name), "{name} cut to {length}: {error}");
        }
        fs::write(&file, whole).unwrap();
    }
    Checkpoint::open(&path).unwrap();
}

#[test]
fn a_missing_file_is_named() {
    for name in ALL {
        let folder = Folder::new();
        let path = folder.training("a", 7);
        fs::remove_file(path.join(name)).unwrap();
        let error = refused(&path);
        assert!(error.contains(name), "{name}: {error}");
    }
}

#[test]
fn files_of_a_training_checkpoint_are_there_together_or_not_at_all() {
    let folder = Folder::new();
    let mut training = manifest(tiny());
    training.training = Some(json!({ "epoch": 1 }));
    let (training, published) = (json_of(&training), json_of(&manifest(tiny())));
    let weights = seeded(7);
    for (manifest, extra) in [
        (&training, vec![]),
        (&training, vec![(OPTIMIZER, &[1_u8][..])]),
        (&training, vec![(SCHEDULER, &[1][..])]),
        (
            &published,
            vec![(OPTIMIZER, &[1][..]), (SCHEDULER, &[1][..])],
        ),
        (&published, vec![(LIVE, &weights[..])]),
    ] {
        let mut files = vec![(MANIFEST, &manifest[..]), (MODEL, &weights[..])];
        files.extend(extra);
        let path = folder.write("a", &files);
        assert!(refused(&path).contains(MANIFEST));
    }
}

#[test]
fn what_does_not_belong_is_named() {
    let folder = Folder::new();
    let path = folder.training("a", 7);
    for name in [
        "notes.txt",
        "model.bpk~",
        "Model.bpk",
        ".model.bpk.swp",
        "DS_Store",
        "SHA256SUMS.asc",
    ] {
        fs::write(path.join(name), "mine").unwrap();
        assert!(refused(&path).contains(name), "{name}");
        fs::remove_file(path.join(name)).unwrap();
    }
    fs::create_dir(path.join("more")).unwrap();
    assert!(refused(&path).contains("more"));
}

#[test]
fn what_desktops_and_servers_strew_is_no_damage() {
    let folder = Folder::new();
    let path = folder.training("a", 7);
    for name in [
        ".DS_Store",
        "._model.bpk",
        "._.DS_Store",
        "Thumbs.db",
        "thumbs.db",
        "Desktop.ini",
        ".directory",
        ".nfs0000000000c0ffee00000001",
        ".fuse_hidden0000000100000001",
    ] {
        fs::write(path.join(name), "not ours").unwrap();
    }
    for name in ["lost+found", "@eaDir", "..2026_01_31_12_00_00.12345"] {
        fs::create_dir(path.join(name)).unwrap();
    }
    Checkpoint::open(&path).unwrap();
    // They are replaced and removed with it.
    folder.published("a", 8);
    Checkpoint::open(&path).unwrap();
    model::checkpoint::remove(&path).unwrap();
    assert!(folder.names().is_empty());
}

#[cfg(unix)]
#[test]
fn a_checkpoint_in_a_volume_of_kubernetes_is_whole() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let path = folder.training("a", 7);
    let version = path.join("..2026_01_31_12_00_00.12345");
    fs::create_dir(&version).unwrap();
    symlink(version.file_name().unwrap(), path.join("..data")).unwrap();
    for name in ALL {
        fs::rename(path.join(name), version.join(name)).unwrap();
        symlink(Path::new("..data").join(name), path.join(name)).unwrap();
    }
    Checkpoint::open(&path).unwrap();
    put(&version.join(MODEL), 100, 0xff);
    assert!(refused(&path).contains(MODEL));
}

#[test]
fn files_that_changed_places_are_refused() {
    let folder = Folder::new();
    let path = folder.training("a", 7);
    let other = folder.training("b", 8);
    for name in [MODEL, LIVE, OPTIMIZER, SCHEDULER] {
        let own = fs::read(path.join(name)).unwrap();
        // The file of another checkpoint of the same shape and size.
        fs::copy(other.join(name), path.join(name)).unwrap();
        assert!(
            refused(&path).contains(name),
            "{name} of another checkpoint"
        );
        // Another file of this one.
        fs::copy(path.join(MANIFEST), path.join(name)).unwrap();
        assert!(refused(&path).contains(name), "{name} swapped");
        fs::write(path.join(name), own).unwrap();
    }
    fs::copy(other.join(SUMS), path.join(SUMS)).unwrap();
    assert!(refused(&path).contains(SUMS));
}

#[test]
fn a_folder_in_the_place_of_a_file_is_named() {
    for name in ALL {
        let folder = Folder::new();
        let path = folder.training("a", 7);
        fs::remove_file(path.join(name)).unwrap();
        fs::create_dir(path.join(name)).unwrap();
        assert!(refused(&path).contains(name), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_is_as_good_as_the_bytes_behind_it() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let path = folder.training("a", 7);
    let other = folder.training("b", 8);
    let file = path.join(MODEL);
    let aside = folder.path("aside.bpk");
    fs::rename(&file, &aside).unwrap();
    symlink(&aside, &file).unwrap();
    Checkpoint::open(&path).unwrap();
    symlink(&path, folder.path("latest")).unwrap();
    Checkpoint::open(folder.path("latest")).unwrap();
    for target in [
        other.join(MODEL),
        folder.path("nowhere"),
        other,
        file.clone(),
    ] {
        fs::remove_file(&file).unwrap();
        symlink(&target, &file).unwrap();
        assert!(refused(&path).contains(MODEL), "{}", target.display());
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    for name in ALL {
        let folder = Folder::new();
        let path = folder.training("a", 7);
        fs::remove_file(path.join(name)).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(path.join(name))
            .status();
        assert!(made.unwrap().success());
        assert!(refused(&path).contains(name), "{name}");
    }
}

#[test]
fn a_file_of_absurd_length_is_refused_unread() {
    // Much less is too much for the weights that this network has.
    for (name, length) in [
        (MODEL, 1 << 40),
        (MODEL, 1 << 21),
        (LIVE, 1 << 21),
        (OPTIMIZER, 1 << 21),
        (SCHEDULER, 1 << 21),
        (MANIFEST, 1 << 40),
        (SUMS, 1 << 20),
    ] {
        let folder = Folder::new();
        let path = folder.training("a", 7);
        // Sparse: nothing on disk.
        let file = File::options().write(true).open(path.join(name)).unwrap();
        file.set_len(length).unwrap();
        let error = refused(&path);
        assert!(
            error.contains(name) && error.contains("more than"),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_checkpoint_is_called_so() {
    let folder = Folder::new();
    let error = Checkpoint::open(folder.path("nowhere")).unwrap_err();
    assert!(matches!(error, CheckpointError::Missing { .. }), "{error}");
    fs::write(folder.path("file"), "text").unwrap();
    fs::create_dir_all(folder.path("run/checkpoints")).unwrap();
    fs::create_dir(folder.path("empty")).unwrap();
    for (name, hint) in [
        ("file", "this is a file"),
        ("empty", "no checkpoint.json"),
        ("run", "no checkpoint.json"),
    ] {
        let error = Checkpoint::open(folder.path(name)).unwrap_err();
        assert!(matches!(error, CheckpointError::Foreign { .. }), "{error}");
        assert!(error.to_string().contains(hint), "{error}");
    }
}
