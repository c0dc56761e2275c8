//! Checkpoints of several networks.

use std::{fs, path::Path};

use model::{
    CheckpointError, Classifier, Manifest, Views,
    checkpoint::{Checkpoint, MANIFEST, MODEL, model_file},
};
use serde_json::{Value, json};

use crate::common::{
    Folder, calibration, device, full_manifest, json_of, manifest, refused, seeded, tiny,
};

/// The files of a checkpoint of so many networks of those seeds, whose manifest states `members`.
fn write(folder: &Folder, name: &str, members: usize, seeds: &[u64]) -> std::path::PathBuf {
    let json = json_of(&Manifest {
        members,
        ..manifest(tiny())
    });
    let weights = seeds.iter().map(|&seed| seeded(seed)).enumerate();
    let weights: Vec<_> = weights
        .map(|(member, bytes)| (model_file(member), bytes))
        .collect();
    let mut files = vec![(MANIFEST, &json[..])];
    files.extend(weights.iter().map(|(name, bytes)| (&name[..], &bytes[..])));
    folder.write(name, &files)
}

fn images() -> Vec<u8> {
    (0..3 * 784_u32).map(|at| (at * at % 251) as u8).collect()
}

#[test]
fn a_committee_is_the_networks_of_its_files_in_their_order() {
    let folder = Folder::new();
    let seeds = [7, 8, 9];
    let path = write(&folder, "all", 3, &seeds);
    let names: Vec<String> = (0..3).map(model_file).collect();
    assert_eq!(names, [MODEL, "model-2.bpk", "model-3.bpk"]);
    let all = Classifier::load(&path, &device()).unwrap();
    assert_eq!((all.networks().len(), all.manifest().members), (3, 3));
    assert_eq!(
        all.manifest().parameters(),
        3 * all.manifest().summary().parameters()
    );
    let alone: Vec<_> = seeds
        .iter()
        .map(|&seed| Checkpoint::open(folder.published(&seed.to_string(), seed)).unwrap())
        .collect();
    let outputs = all.outputs(&images()).unwrap();
    for (member, checkpoint) in alone.iter().enumerate() {
        let classifier = Classifier::from_checkpoint(checkpoint, &device()).unwrap();
        for (row, own) in classifier.outputs(&images()).unwrap().iter().enumerate() {
            assert_eq!(outputs[row].features[member * 2..][..2], own.features);
        }
    }
    // The same from checkpoints of one network each.
    let joined = Classifier::committee(&alone[0], &alone[1..], &device()).unwrap();
    assert_eq!(joined.manifest(), all.manifest());
    assert_eq!(joined.outputs(&images()).unwrap(), outputs);
    let logits: Vec<_> = outputs.iter().map(|output| output.logits.clone()).collect();
    assert_eq!(all.logits(&images()).unwrap(), logits);
}

#[test]
fn what_is_not_akin_makes_no_committee() {
    let folder = Folder::new();
    let one = Checkpoint::open(folder.published("one", 7)).unwrap();
    let json = json_of(&Manifest {
        views: Views::Five,
        ..manifest(tiny())
    });
    let path = folder.write("other", &[(MANIFEST, &json), (MODEL, &seeded(8))]);
    let other = Checkpoint::open(path).unwrap();
    let error = Classifier::committee(&one, &[other], &device()).unwrap_err();
    assert!(matches!(error, CheckpointError::Invalid { .. }));
    assert!(
        error.to_string().contains("other/checkpoint.json"),
        "{error}"
    );
}

#[test]
fn files_that_are_not_those_of_its_members_are_named() {
    let folder = Folder::new();
    for (members, stated, named) in [
        (2, 3, "model-3.bpk"),
        (3, 2, "model-3.bpk"),
        (2, 1, "model-2.bpk"),
    ] {
        let seeds: Vec<u64> = (0..members).collect();
        let path = write(&folder, "a", stated, &seeds);
        assert!(refused(&path).contains(named), "{members} {stated}");
    }
    let path = write(&folder, "b", 2, &[7, 8]);
    let [one, two] = [MODEL, "model-2.bpk"].map(|name| path.join(name));
    let first = fs::read(&one).unwrap();
    fs::copy(&two, &one).unwrap();
    fs::write(&two, first).unwrap();
    assert!(refused(&path).contains("model-2.bpk"));
}

#[test]
fn as_many_members_as_there_may_be_are_read() {
    let folder = Folder::new();
    let seeds: Vec<u64> = (0..64).collect();
    let classifier = Classifier::load(write(&folder, "a", 64, &seeds), &device()).unwrap();
    assert_eq!(classifier.networks().len(), 64);
}

#[test]
fn a_member_that_gives_no_numbers_is_named() {
    let folder = Folder::new();
    let json = json_of(&Manifest {
        members: 2,
        ..manifest(tiny())
    });
    let files = [
        (MANIFEST, &json[..]),
        (MODEL, &seeded(7)),
        ("model-2.bpk", b"noise"),
    ];
    let path = folder.write("a", &files);
    let error = Classifier::load(path, &device()).unwrap_err().to_string();
    assert!(error.contains("model-2.bpk"), "{error}");
}

/// A manifest with some values set, by their pointers.
fn parsed(manifest: &Manifest, changes: &[(&str, Value)]) -> Result<Manifest, String> {
    let mut json: Value = serde_json::from_slice(&json_of(manifest)).unwrap();
    for (pointer, value) in changes {
        *json.pointer_mut(pointer).unwrap() = value.clone();
    }
    let bytes = serde_json::to_vec(&json).unwrap();
    Manifest::parse(&bytes, Path::new(MANIFEST)).map_err(|error| error.to_string())
}

#[test]
fn members_and_views_that_there_can_not_be_are_refused() {
    let plain = manifest(tiny());
    assert_eq!(
        parsed(&plain, &[("/members", json!(64))]).unwrap().members,
        64
    );
    assert_eq!(
        parsed(&plain, &[("/views", json!(9))]).unwrap().views,
        Views::Nine
    );
    for members in [json!(0), json!(65), json!(-1), json!(1.5), json!(u64::MAX)] {
        assert!(
            parsed(&plain, &[("/members", members)])
                .unwrap_err()
                .contains(MANIFEST)
        );
    }
    for views in [json!(0), json!(2), json!(10), json!("5"), json!(-1)] {
        assert!(
            parsed(&plain, &[("/views", views)])
                .unwrap_err()
                .contains(MANIFEST)
        );
    }
    // Training goes on with one network.
    let error = parsed(&full_manifest(), &[("/members", json!(2))]).unwrap_err();
    assert!(error.contains("training"), "{error}");
}

#[test]
fn version_2_has_neither_members_nor_views_and_version_3_has_both() {
    let plain = manifest(tiny());
    let json: Value = serde_json::from_slice(&json_of(&plain)).unwrap();
    let parse = |json: &Value| {
        let bytes = serde_json::to_vec(json).unwrap();
        Manifest::parse(&bytes, Path::new(MANIFEST)).map_err(|error| error.to_string())
    };
    let mut version_2 = json.clone();
    version_2["version"] = 2.into();
    for key in ["members", "views"] {
        let error = parse(&version_2).unwrap_err();
        assert!(error.contains(key), "{error}");
        let value = version_2.as_object_mut().unwrap().remove(key);
        let mut lacking = json.clone();
        lacking.as_object_mut().unwrap().remove(key);
        let error = parse(&lacking).unwrap_err();
        assert!(error.contains(key), "{error}");
        assert_eq!(value, Some(1.into()));
    }
    let read = parse(&version_2).unwrap();
    assert_eq!(
        read,
        Manifest {
            version: 2,
            ..plain
        }
    );
}

#[test]
fn a_distance_for_another_number_of_networks_is_refused() {
    let with = |features: usize, members: usize| {
        let mut calibration = calibration(10, features, data::mnist::SHAPE);
        let distance = calibration.distance.as_mut().unwrap();
        distance.members = members;
        let own = features / members;
        for (row, values) in distance.whitening.iter_mut().enumerate() {
            values.truncate(row % own + 1);
        }
        Manifest {
            members: 2,
            calibration: Some(calibration),
            ..manifest(tiny())
        }
    };
    assert!(parsed(&with(4, 2), &[]).is_ok());
    for (features, members) in [(2, 1), (4, 1), (6, 2), (4, 4)] {
        let error = parsed(&with(features, members), &[]).unwrap_err();
        assert!(error.contains("distance"), "{error}");
    }
}
