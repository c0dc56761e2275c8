//! Any bytes and any values in `checkpoint.json`.

use std::path::Path;

use model::{Manifest, checkpoint::MANIFEST};
use proptest::prelude::*;
use serde_json::Value;

use crate::{
    common::{manifest, tiny},
    with,
};

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
