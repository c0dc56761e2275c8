//! Manifests whose parts are possible by themselves and don't fit together.

use std::path::Path;

use model::{CheckpointError, Manifest, checkpoint::MANIFEST};
use serde_json::{Value, json};

use crate::common::{calibration, full_manifest, json_of};

fn parsed(changes: &[(&str, Value)]) -> Result<Manifest, CheckpointError> {
    let mut json: Value = serde_json::from_slice(&json_of(&full_manifest())).unwrap();
    for (pointer, value) in changes {
        *json.pointer_mut(pointer).unwrap() = value.clone();
    }
    Manifest::parse(&serde_json::to_vec(&json).unwrap(), Path::new(MANIFEST))
}

fn fitted(classes: usize, features: usize) -> Value {
    serde_json::to_value(calibration(classes, features, full_manifest().input)).unwrap()
}

#[test]
fn a_manifest_without_contradictions_is_read() {
    let read = parsed(&[]).unwrap();
    assert_eq!(read, full_manifest());
    let spec = read.spec().unwrap();
    assert_eq!((spec.shape, spec.classes.name(2)), (read.input, "кит"));
    assert_eq!(spec.classes.labels(), [1, 2, 7]);
    // Without labels they are indices.
    let named = parsed(&[("/labels", Value::Null)]).unwrap();
    assert!(named.spec().unwrap().classes.are_indices());
}

#[test]
fn labels_that_are_not_those_of_the_classes_are_refused() {
    for labels in [
        json!([1, 2]),
        json!([1, 2, 7, 8]),
        json!([]),
        json!([2, 1, 7]),
        json!([1, 1, 7]),
        json!([1, 2, 65_536]),
        json!([-1, 2, 7]),
    ] {
        let error = parsed(&[("/labels", labels.clone())]).unwrap_err();
        assert!(
            matches!(error, CheckpointError::Invalid { .. }),
            "{labels}: {error}"
        );
    }
}

#[test]
fn a_normalization_for_another_number_of_channels_is_refused() {
    for (mean, std) in [
        (json!(0.1), json!(0.3)),
        (json!([0.1, 0.1]), json!([0.3, 0.3])),
        (json!([]), json!([])),
    ] {
        let error = parsed(&[("/normalization/mean", mean), ("/normalization/std", std)]);
        let error = error.unwrap_err();
        assert!(matches!(error, CheckpointError::Invalid { .. }), "{error}");
        assert!(error.to_string().contains("normalization"), "{error}");
    }
    let grey = [("/input/channels", json!(1))];
    let message = parsed(&grey).unwrap_err().to_string();
    assert!(
        message.contains("3 channels") && message.contains("20×31 grey"),
        "{message}"
    );
}

#[test]
fn a_calibration_of_another_number_of_classes_is_refused() {
    for classes in [2, 4] {
        let error = parsed(&[("/calibration", fitted(classes, 2))]).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(&format!("{classes} classes")) && message.contains('3'),
            "{message}"
        );
    }
    assert!(parsed(&[("/calibration", fitted(3, 2))]).is_ok());
}

#[test]
fn a_distance_for_other_features_than_the_network_gives_is_refused() {
    for features in [1, 3, 4] {
        let message = parsed(&[("/calibration", fitted(3, features))])
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("distance") && message.contains("2 channels"),
            "{message}"
        );
    }
    // Without a block the features are the channels of the image.
    let changes = |features| {
        [
            ("/architecture/blocks", json!([])),
            ("/calibration", fitted(3, features)),
        ]
    };
    assert!(parsed(&changes(3)).is_ok() && parsed(&changes(2)).is_err());
}

#[test]
fn images_too_small_for_the_network_are_refused_by_the_key_of_the_block() {
    for (side, least) in [("/input/height", 16), ("/input/width", 16)] {
        let read = |value| parsed(&[(side, json!(value)), ("/calibration", Value::Null)]);
        assert!(read(least).is_ok());
        let message = read(least - 1).unwrap_err().to_string();
        assert!(message.contains("network.blocks[1].kernel"), "{message}");
    }
}
