//! What differs between recipes, key by key.

use std::collections::BTreeMap;

use report::sweep::Difference;
use toml::{Table, Value};

use crate::Config;

/// The values of a recipe by their dotted keys.
pub(super) type Values = BTreeMap<String, String>;

/// The values of a recipe.
pub(super) fn values(config: &Config) -> anyhow::Result<Values> {
    let mut values = Values::new();
    collect(&Table::try_from(config)?, "", &mut values);
    Ok(values)
}

fn collect(table: &Table, prefix: &str, values: &mut Values) {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        match value {
            Value::Table(inner) => collect(inner, &format!("{key}."), values),
            value => {
                values.insert(key, shown(value));
            }
        }
    }
}

/// A value as people write it in TOML.
fn shown(value: &Value) -> String {
    match value {
        Value::Float(number) if *number != 0.0 && !(1e-4..1e6).contains(&number.abs()) => {
            format!("{number:e}")
        }
        value => value.to_string(),
    }
}

/// The keys on which the recipe of a run differs from the one that is asked for now.
pub(super) fn differing(stored: &Config, asked: &Config) -> anyhow::Result<Vec<String>> {
    let mut stored = stored.clone();
    // A run fills in which images it found.
    for (stored, asked) in stored.data.also.iter_mut().zip(&asked.data.also) {
        if asked.train.is_none() {
            (stored.train, stored.judge) = (None, None);
        }
    }
    if stored == *asked {
        return Ok(Vec::new());
    }
    let (stored, asked) = (values(&stored)?, values(asked)?);
    let mut keys: Vec<String> = stored.keys().chain(asked.keys()).cloned().collect();
    keys.retain(|key| stored.get(key) != asked.get(key));
    keys.sort();
    keys.dedup();
    Ok(keys)
}

/// The keys on which recipes differ from each other, but for the seed.
pub(super) fn among(recipes: &[Values]) -> Vec<Difference> {
    let mut keys: Vec<&String> = recipes.iter().flat_map(|recipe| recipe.keys()).collect();
    keys.sort();
    keys.dedup();
    let differences = keys.into_iter().map(|key| Difference {
        key: key.clone(),
        values: recipes
            .iter()
            .map(|recipe| recipe.get(key).cloned())
            .collect(),
    });
    differences
        .filter(|difference| difference.key != "seed")
        .filter(|difference| difference.values.windows(2).any(|pair| pair[0] != pair[1]))
        .collect()
}
