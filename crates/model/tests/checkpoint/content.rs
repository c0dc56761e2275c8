//! Files whose digests are right and whose content is not.

use std::{fs, path::Path};

use burn::tensor::{Bytes, DType};
use burn_pack::Writer;
use model::{
    CheckpointError, Classifier, Manifest,
    checkpoint::{Checkpoint, MANIFEST, MODEL},
};
use serde_json::json;

use crate::{
    common::{Folder, device, json_of, manifest, network, refused, seeded, tiny, weights},
    with,
};

#[test]
fn a_newer_format_is_refused_by_its_version_whatever_else_it_holds() {
    let path = Path::new("checkpoint.json");
    for text in [
        r#"{"version": 4}"#,
        r#"{"version": 987, "architecture": "a graph"}"#,
    ] {
        let error = Manifest::parse(text.as_bytes(), path).unwrap_err();
        assert!(matches!(error, CheckpointError::Newer { .. }), "{error}");
        let line = error.to_string();
        assert!(
            line.contains("version 4") || line.contains("version 987"),
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

#[test]
fn a_newer_format_may_have_other_files() {
    let folder = Folder::new();
    let files = [
        (MANIFEST, &br#"{"version": 4}"#[..]),
        ("model.safetensors", &[0; 9]),
    ];
    let error = Checkpoint::open(folder.write("a", &files)).unwrap_err();
    assert!(matches!(error, CheckpointError::Newer { .. }), "{error}");
    // A damaged version isn't believed.
    let path = folder.training("b", 7);
    let text = fs::read_to_string(path.join(MANIFEST)).unwrap();
    fs::write(path.join(MANIFEST), text.replacen("3", "4", 1)).unwrap();
    let error = Checkpoint::open(path).unwrap_err();
    assert!(matches!(error, CheckpointError::Damaged { .. }), "{error}");
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
        ("/classes", json!(["0"])),
        ("/classes", json!([])),
        ("/classes", json!(["0", "0"])),
        ("/classes", json!(["0", ""])),
        ("/input/channels", json!(2)),
        ("/input/height", json!(0)),
        ("/input/width", json!(257)),
        ("/input", json!([1, 28])),
        ("/input", json!("28x28")),
        ("/picture", json!("cropped")),
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
    let other = [wider, deeper, without_norm].map(|config| weights(network(&config, 7)));
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
        let files = [(MANIFEST, &json_of(&manifest(tiny()))[..]), (MODEL, bytes)];
        let path = folder.write("a", &files);
        let error = Classifier::load(&path, &device()).expect_err(what);
        assert!(
            matches!(error, CheckpointError::Invalid { .. }),
            "{what}: {error}"
        );
        assert!(error.to_string().contains(MODEL), "{what}: {error}");
    }
}
