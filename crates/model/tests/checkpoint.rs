//! A checkpoint is as it was written, or it is refused by name.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use burn::tensor::{Bytes, DType, Tensor};
use burn_pack::Writer;
use common::{Folder, device, manifest, names, refused, seeded, tiny};
use model::{
    CheckpointError, Classifier, Manifest,
    checkpoint::{self, Checkpoint, MANIFEST, MODEL, OPTIMIZER, SCHEDULER, SUMS},
};
use proptest::prelude::*;
use serde_json::{Value, json};

const ALL: [&str; 5] = [SUMS, MANIFEST, MODEL, OPTIMIZER, SCHEDULER];

#[test]
fn what_was_written_is_read() {
    let folder = Folder::new();
    let path = folder.training("a", 7);
    let checkpoint = Checkpoint::open(&path).unwrap();
    let mut expected = manifest(tiny());
    expected.training = Some(json!({ "epoch": 1 }));
    assert_eq!(*checkpoint.manifest(), expected);
    assert_eq!(checkpoint.file(MODEL), Some(&seeded(7)[..]));
    assert_eq!(checkpoint.file(OPTIMIZER), Some(&[7; 300][..]));
    assert_eq!(checkpoint.files().count(), 5);
    let images = || Tensor::<3>::ones([3, 28, 28], &device());
    assert_eq!(
        checkpoint
            .network(&device())
            .unwrap()
            .forward(images())
            .into_data(),
        tiny()
            .init(7, &device())
            .unwrap()
            .forward(images())
            .into_data(),
    );
    let mut sorted = ALL;
    sorted.sort();
    assert_eq!(names(&path), sorted);
    assert_eq!(folder.names(), ["a"], "nothing is left beside it");
}

#[test]
fn a_checkpoint_has_the_digests_that_sha256sum_checks() {
    let folder = Folder::new();
    let path = folder.training("a", 7);
    let text = fs::read_to_string(path.join(SUMS)).unwrap();
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.split_once("  ").unwrap())
        .collect();
    assert!(lines.iter().all(|(digest, _)| digest.len() == 64));
    let listed: Vec<_> = lines.iter().map(|(_, name)| *name).collect();
    assert_eq!(listed, [MANIFEST, MODEL, OPTIMIZER, SCHEDULER]);
    // SHA-256 of thirty times the byte 7.
    assert_eq!(
        lines[3].0,
        "e9b626fe9cb2fceb5c59fab6ea88424cdf024f469a235999cfbcb0fd1b46e458"
    );
}

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
    let (training, published) = (training.to_json(), manifest(tiny()).to_json());
    let weights = seeded(7);
    for (manifest, extra) in [
        (&training, vec![]),
        (&training, vec![(OPTIMIZER, &[1_u8][..])]),
        (&training, vec![(SCHEDULER, &[1][..])]),
        (
            &published,
            vec![(OPTIMIZER, &[1][..]), (SCHEDULER, &[1][..])],
        ),
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
        ".DS_Store",
        "model.bpk~",
        "Model.bpk",
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
fn files_that_changed_places_are_refused() {
    let folder = Folder::new();
    let path = folder.training("a", 7);
    let other = folder.training("b", 8);
    for name in [MODEL, OPTIMIZER, SCHEDULER] {
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
    for (name, length) in [(MODEL, 1 << 40), (MANIFEST, 1 << 40), (SUMS, 1 << 20)] {
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
        ("run", "its trained model is in `model`"),
    ] {
        let error = Checkpoint::open(folder.path(name)).unwrap_err();
        assert!(matches!(error, CheckpointError::Foreign { .. }), "{error}");
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn a_newer_format_is_refused_by_its_version_whatever_else_it_holds() {
    let path = Path::new("checkpoint.json");
    for text in [
        r#"{"version": 2}"#,
        r#"{"version": 987, "architecture": "a graph"}"#,
    ] {
        let error = Manifest::parse(text.as_bytes(), path).unwrap_err();
        assert!(matches!(error, CheckpointError::Newer { .. }), "{error}");
        let line = error.to_string();
        assert!(
            line.contains("version 2") || line.contains("version 987"),
            "{line}"
        );
        assert!(
            line.contains("checkpoint.json") && line.contains("update"),
            "{line}"
        );
    }
    for text in [
        r#"{"version": 0}"#,
        r#"{"version": -1}"#,
        r#"{"version": "1"}"#,
        "{}",
        "",
        "[1]",
    ] {
        let error = Manifest::parse(text.as_bytes(), path).unwrap_err();
        assert!(
            matches!(error, CheckpointError::Invalid { .. }),
            "{text}: {error}"
        );
    }
}

/// A manifest with one value changed.
fn with(pointer: &str, value: Value) -> Vec<u8> {
    let mut json: Value = serde_json::from_slice(&manifest(tiny()).to_json()).unwrap();
    *json.pointer_mut(pointer).unwrap() = value;
    serde_json::to_vec(&json).unwrap()
}

#[test]
fn sizes_that_no_network_has_are_refused_before_anything_is_built() {
    let folder = Folder::new();
    let huge = [
        json!(0),
        json!(u64::MAX),
        json!(i64::MAX),
        json!(1_u64 << 32),
        json!(1_000_000),
    ];
    for pointer in [
        "/architecture/blocks/0/channels",
        "/architecture/blocks/1/kernel",
        "/architecture/dense/0",
    ] {
        for value in &huge {
            let path = folder.write(
                "a",
                &[(MANIFEST, &with(pointer, value.clone())), (MODEL, &[])],
            );
            let error = refused(&path);
            assert!(error.contains(MANIFEST), "{pointer} = {value}: {error}");
        }
    }
    // Each value is possible by itself, the weights of all together are not in the file.
    let wide = json!([{"channels": 4096, "kernel": 20}, {"channels": 4096, "kernel": 3}]);
    let large = json!([4096, 4096, 4096, 4096]);
    let padded = json!([{"channels": 4000, "kernel": 28, "padding": 27, "pool": false}]);
    for (pointer, value, file) in [
        ("/architecture/blocks", wide, MANIFEST),
        ("/architecture/dense", large, MODEL),
        ("/architecture/blocks", padded, MANIFEST),
    ] {
        let files = [
            (MANIFEST, &with(pointer, value)[..]),
            (MODEL, &seeded(7)[..]),
        ];
        let path = folder.write("a", &files);
        let error = Classifier::load(&path, &device()).unwrap_err();
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for (pointer, value) in [
        ("/architecture/dropout", json!(1.5)),
        ("/architecture/order", json!("norm-conv")),
        ("/normalization/std", json!(0.0)),
        ("/classes", json!(["0", "1"])),
        ("/metrics", json!({"accuracy": "high"})),
        ("/provenance/seed", json!(-1)),
        ("/provenance/versions", json!({})),
    ] {
        let error = Manifest::parse(&with(pointer, value), Path::new(MANIFEST)).unwrap_err();
        assert!(
            matches!(error, CheckpointError::Invalid { .. }),
            "{pointer}: {error}"
        );
    }
}

fn tensor(name: &str, dtype: DType, shape: [usize; 1], bytes: Vec<u8>) -> burn_pack::Tensor {
    let bytes = Bytes::from_bytes_vec(bytes);
    burn_pack::Tensor::new(name.into(), dtype, shape, None, bytes)
}

#[test]
fn weights_that_do_not_fit_are_refused_and_their_file_named() {
    let folder = Folder::new();
    let mut wider = tiny();
    wider.dense = vec![5];
    let mut deeper = tiny();
    deeper.dense = vec![4, 4];
    let mut without_norm = tiny();
    without_norm.norm = false;
    let other = [wider, deeper, without_norm]
        .map(|network| common::weights(network.init(7, &device()).unwrap()));
    let infinite = {
        let mut bytes = seeded(7);
        let last = bytes.len() - 4;
        bytes[last..].copy_from_slice(&f32::INFINITY.to_le_bytes());
        bytes
    };
    let pack = |dtype, size: usize| {
        let tensors = vec![
            tensor("output.bias", dtype, [10], vec![3; 10 * size]),
            tensor("filler", DType::F32, [2_000], vec![0; 8_000]),
        ];
        Writer::new(tensors).into_bytes().unwrap().to_vec()
    };
    let whole = seeded(7);
    for (what, bytes) in [
        ("wider", &other[0][..]),
        ("deeper", &other[1]),
        ("without normalization", &other[2]),
        ("infinite", &infinite),
        ("double precision", &pack(DType::F64, 8)),
        ("whole numbers", &pack(DType::I32, 4)),
        ("another network's", &pack(DType::F32, 4)),
        ("nothing", &[]),
        ("text", &b"weights".repeat(1_000)),
        ("cut", &whole[..whole.len() - 1]),
    ] {
        let files = [(MANIFEST, &manifest(tiny()).to_json()[..]), (MODEL, bytes)];
        let path = folder.write("a", &files);
        let error = Classifier::load(&path, &device()).expect_err(what);
        assert!(
            matches!(error, CheckpointError::Invalid { .. }),
            "{what}: {error}"
        );
        assert!(error.to_string().contains(MODEL), "{what}: {error}");
    }
}

#[test]
fn a_failing_write_leaves_the_older_checkpoint_and_nothing_else() {
    let folder = Folder::new();
    let path = folder.published("a", 7);
    let files = [
        (MANIFEST, &b"new"[..]),
        ("no-such-folder/model.bpk", b"new"),
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

#[cfg(target_os = "linux")]
#[test]
fn a_name_is_never_without_a_checkpoint_while_another_takes_its_place() {
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
            assert!(path.is_dir());
        }
    });
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

fn many() -> ProptestConfig {
    ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..Default::default()
    }
}

/// Values that a careless or hostile writer might put anywhere.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_usize..40).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,8}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The pointers to every value of a manifest.
fn pointers() -> Vec<String> {
    fn walk(value: &Value, at: String, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                map.iter()
                    .for_each(|(key, value)| walk(value, format!("{at}/{key}"), out));
            }
            Value::Array(list) => {
                let items = list.iter().enumerate();
                items.for_each(|(index, value)| walk(value, format!("{at}/{index}"), out));
            }
            _ => {}
        }
        out.push(at);
    }
    let mut out = Vec::new();
    let json = serde_json::from_slice(&manifest(tiny()).to_json()).unwrap();
    walk(&json, String::new(), &mut out);
    out
}

fn result_or_one_line(bytes: &[u8]) -> Result<(), TestCaseError> {
    match Manifest::parse(bytes, Path::new("a/checkpoint.json")) {
        Ok(manifest) => {
            prop_assert!(manifest.architecture.validate().is_ok());
            let again = Manifest::parse(&manifest.to_json(), Path::new(MANIFEST));
            prop_assert_eq!(again.unwrap(), manifest);
        }
        Err(error) => {
            let line = error.to_string();
            prop_assert!(
                line.starts_with("a/checkpoint.json: ") && !line.contains('\n'),
                "{}",
                line
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn any_bytes_give_a_manifest_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        start in prop::sample::select(vec!["", "{", r#"{"version":1,"#, r#"{"version":1,"architecture":"#]),
    ) {
        result_or_one_line(&[start.as_bytes(), &bytes].concat())?;
    }

    #[test]
    fn a_manifest_with_any_value_anywhere_is_read_or_refused(
        pointer in prop::sample::select(pointers()),
        value in value(),
    ) {
        result_or_one_line(&with(&pointer, value))?;
    }

    #[test]
    fn a_manifest_with_bytes_overwritten_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = manifest(tiny()).to_json();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        result_or_one_line(&bytes)?;
    }
}
