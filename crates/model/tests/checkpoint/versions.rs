//! What an older version means is kept when it is written in today's.

use std::path::{Path, PathBuf};

use model::{
    Classifier, Manifest,
    checkpoint::{Checkpoint, FORMAT_VERSION, MANIFEST, MODEL},
};
use serde_json::{Value, json};

use crate::common::{Folder, device, json_of};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/v1")
        .join(name)
}

#[test]
fn version_1_written_again_as_todays_gives_the_same_answers() {
    let images: Vec<u8> = (0..300 * 784_u64)
        .map(|at| (at * at % 7919 % 256) as u8)
        .collect();
    let known = std::fs::read(golden("images-idx3-ubyte")).unwrap();
    let images = [&known[16..], &images].concat();
    for name in ["model", "training", "pretrained"] {
        let old = Checkpoint::open(golden(name)).unwrap();
        assert_eq!(old.manifest().version, 1);
        let folder = Folder::new();
        let files: Vec<(&str, Vec<u8>)> = old
            .files()
            .filter(|(file, _)| *file != "SHA256SUMS")
            .map(|(file, _)| match file {
                MANIFEST => (file, json_of(old.manifest())),
                _ => (file, old.file(file).unwrap().to_vec()),
            })
            .collect();
        let files: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(name, bytes)| (*name, &bytes[..]))
            .collect();
        let path = folder.write("a", &files);
        let new = Checkpoint::open(&path).unwrap();
        assert_eq!(new.manifest().version, FORMAT_VERSION);
        assert_eq!(new.file(MODEL), old.file(MODEL));
        let same = Manifest {
            version: 1,
            ..new.manifest().clone()
        };
        assert_eq!(same, *old.manifest());
        let [before, after] = [&old, &new].map(|checkpoint| {
            let classifier = Classifier::from_checkpoint(checkpoint, &device()).unwrap();
            classifier.classify_all(&images).unwrap()
        });
        assert_eq!(before, after, "{name}");
    }
}

/// A manifest of version 1 with some keys set.
fn version_1(changes: &[(&str, Value)]) -> Result<Manifest, String> {
    let bytes = std::fs::read(golden("pretrained").join(MANIFEST)).unwrap();
    let mut json: Value = serde_json::from_slice(&bytes).unwrap();
    for (key, value) in changes {
        json[*key] = value.clone();
    }
    let bytes = serde_json::to_vec(&json).unwrap();
    Manifest::parse(&bytes, Path::new(MANIFEST)).map_err(|error| error.to_string())
}

#[test]
fn version_1_has_no_key_of_todays_and_the_other_way_round() {
    version_1(&[]).unwrap();
    for (key, value) in [
        ("input", json!({"channels": 1, "height": 28, "width": 28})),
        ("picture", json!("framed")),
        ("members", json!(1)),
        ("views", json!(1)),
        ("labels", json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])),
    ] {
        let error = version_1(&[(key, value)]).unwrap_err();
        assert!(error.contains(key), "{key}: {error}");
    }
    let today = json_of(&version_1(&[]).unwrap());
    let mut today: Value = serde_json::from_slice(&today).unwrap();
    assert_eq!(today["version"], FORMAT_VERSION);
    assert_eq!(today["picture"], "framed");
    assert!(today.get("ink").is_none() && today["calibration"]["pixels"].is_object());
    today["ink"] = today["calibration"]["pixels"].clone();
    let bytes = serde_json::to_vec(&today).unwrap();
    let error = Manifest::parse(&bytes, Path::new(MANIFEST)).unwrap_err();
    assert!(error.to_string().contains("ink"), "{error}");
}

#[test]
fn version_1_is_of_ten_digits_of_28_by_28() {
    let manifest = version_1(&[]).unwrap();
    assert_eq!(manifest.spec().unwrap().shape, data::mnist::SHAPE);
    assert_eq!(
        manifest.spec().unwrap().classes,
        data::mnist::classes().unwrap()
    );
    for classes in [
        json!(["0", "1"]),
        json!(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]),
    ] {
        // Without a calibration nothing else tells how many there are.
        let error = version_1(&[("classes", classes), ("calibration", Value::Null)]);
        assert!(error.unwrap_err().contains("classes"));
    }
}

#[test]
fn the_limits_on_pixels_of_version_1_still_hold() {
    let path = golden("pretrained");
    let classifier = Classifier::load(path, &device()).unwrap();
    assert!(classifier.calibration().pixels.is_some());
    let known = std::fs::read(golden("images-idx3-ubyte")).unwrap();
    let digit = &known[16..][..784];
    assert_eq!(
        classifier.classify(digit).unwrap().decision,
        model::Decision::Accept
    );
    // The same digit as a negative is no image like those of training.
    let negative: Vec<u8> = digit.iter().map(|pixel| 255 - pixel).collect();
    assert_ne!(
        classifier.classify(&negative).unwrap().decision,
        model::Decision::Accept
    );
}
