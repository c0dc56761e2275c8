//! Valid manifests with something changed: read if they still make sense, else refused in one line.

use std::path::Path;

use model::{Manifest, checkpoint::MANIFEST};
use proptest::prelude::*;
use serde_json::Value;

use crate::common::{full_manifest, json_of};

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

/// The manifest that is changed: one with everything that a manifest may have.
fn valid() -> Value {
    serde_json::from_slice(&json_of(&full_manifest())).unwrap()
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
    walk(&valid(), String::new(), &mut out);
    out
}

/// Whether what lies below belongs to the trainer or is a list of whatever was measured.
fn is_free(pointer: &str) -> bool {
    ["/training", "/provenance/config", "/metrics"]
        .iter()
        .any(|free| pointer.starts_with(free))
}

/// The pointers to every object whose keys are known.
fn objects() -> Vec<String> {
    let valid = valid();
    let is_object = |pointer: &String| valid.pointer(pointer).unwrap().is_object();
    let mut objects = pointers();
    objects.retain(|pointer| is_object(pointer) && !is_free(pointer));
    objects
}

#[test]
fn a_manifest_lacks_no_key_but_those_that_say_that_something_is_not_there() {
    let optional = [
        "/labels",
        "/calibration",
        "/calibration/distance",
        "/calibration/pixels",
        "/training",
        "/architecture/blocks/0/padding",
        "/architecture/blocks/0/pool",
        "/architecture/blocks/1/padding",
        "/architecture/blocks/1/pool",
    ];
    let mut left_out = Vec::new();
    for object in objects() {
        let keys: Vec<String> = valid()
            .pointer(&object)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        for key in keys {
            let mut manifest = valid();
            let parent = manifest.pointer_mut(&object).unwrap();
            parent.as_object_mut().unwrap().remove(&key).unwrap();
            let bytes = serde_json::to_vec(&manifest).unwrap();
            if Manifest::parse(&bytes, Path::new(MANIFEST)).is_ok() {
                left_out.push(format!("{object}/{key}"));
            }
        }
    }
    left_out.sort();
    let mut expected = optional.map(String::from);
    expected.sort();
    assert_eq!(left_out, expected);
}

#[test]
fn a_key_that_nobody_knows_is_refused_wherever_it_is() {
    for object in objects() {
        let mut manifest = valid();
        let parent = manifest.pointer_mut(&object).unwrap();
        parent
            .as_object_mut()
            .unwrap()
            .insert("unknown".into(), Value::from(1));
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let error = Manifest::parse(&bytes, Path::new(MANIFEST)).expect_err(&object);
        assert!(
            error.to_string().contains("unknown") || error.to_string().contains("did not match"),
            "{object}: {error}"
        );
    }
}

fn result_or_one_line(bytes: &[u8]) -> Result<(), TestCaseError> {
    match Manifest::parse(bytes, Path::new("a/checkpoint.json")) {
        Ok(manifest) => {
            prop_assert!(manifest.shapes().is_ok() && manifest.spec().is_ok());
            let again = Manifest::parse(&json_of(&manifest), Path::new(MANIFEST));
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
    fn a_manifest_with_any_value_anywhere_is_read_or_refused(
        pointer in prop::sample::select(pointers()),
        value in value(),
    ) {
        let mut manifest = valid();
        *manifest.pointer_mut(&pointer).unwrap() = value;
        result_or_one_line(&serde_json::to_vec(&manifest).unwrap())?;
    }

    #[test]
    fn a_manifest_with_two_values_exchanged_is_read_or_refused(
        one in prop::sample::select(pointers()),
        other in prop::sample::select(pointers()),
    ) {
        let mut manifest = valid();
        let moved = manifest.pointer(&one).unwrap().clone();
        let place = manifest.pointer_mut(&other).unwrap();
        let back = std::mem::replace(place, moved);
        // One that lay within the other is gone with it.
        if let Some(place) = manifest.pointer_mut(&one) {
            *place = back;
        }
        result_or_one_line(&serde_json::to_vec(&manifest).unwrap())?;
    }

    #[test]
    fn a_manifest_with_bytes_overwritten_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = json_of(&full_manifest());
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
